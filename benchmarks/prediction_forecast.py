"""A stored forecast against an option price, both over the gateway of a running mesh, in turn.

Goal: a forecast that is stored takes at most 1.5 times as long as the option route. The mesh is the one that `make up`
started, or another: `python benchmarks/prediction_forecast.py --url http://127.0.0.1:8080 --operator FILE`.
"""

import argparse
import json
import statistics
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvloop
from gateway_load import Load, load, request_bytes

ROUNDS = 5
GOAL = 1.5
OPTION = (
    b'{"model":"black_scholes","style":"european","option_type":"call","spot":100,"strike":100,'
    b'"time_to_expiry":1.0,"rate":0.05,"dividend_yield":0.0,"volatility":0.2,"greeks":true}'
)


def get_bytes(url: str, headers: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


async def measure(url: str, operator: dict[str, str], seconds: float) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        credentials = {name: operator[name] for name in ("email", "password")}
        answer = await client.post("/api/v2/auth/login", json=credentials)
        answer.raise_for_status()
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        forecast_url = f"{url}/api/v2/predictions/stocks/AAPL?timeframe=1m"
        (await client.get(forecast_url, headers=headers)).raise_for_status()  # from here on it is stored
    option_url = f"{url}/api/v2/options/price"
    routes = {
        "forecast": (forecast_url, get_bytes(forecast_url, headers)),
        "option": (option_url, request_bytes(option_url, OPTION, headers)),
    }
    for connections in (1, 64):
        seen: dict[str, list[Load]] = {name: [] for name in routes}
        for _ in range(ROUNDS):
            for name, (address, request) in routes.items():
                seen[name].append(await load(address, repeat(request), connections=connections, seconds=seconds))
        failures = sum(each.failures for loads in seen.values() for each in loads)
        p50 = {name: statistics.median(each.p50 for each in loads) for name, loads in seen.items()}
        rate = {name: statistics.median(each.requests_per_second for each in loads) for name, loads in seen.items()}
        ratio = statistics.median(ours.p50 / peer.p50 for ours, peer in zip(*seen.values(), strict=True))
        print(
            f"{connections:>2} connections: forecast p50 {p50['forecast'] * 1e3:.2f} ms, {rate['forecast']:.0f}/s;"
            f" option p50 {p50['option'] * 1e3:.2f} ms, {rate['option']:.0f}/s; ratio {ratio:.2f}"
            f" (goal: at most {GOAL}); {failures} failed"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--operator", type=Path, default=Path(".quantmesh/operator.json"))
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    uvloop.run(measure(given.url, json.loads(given.operator.read_text()), given.seconds))


if __name__ == "__main__":
    main()
