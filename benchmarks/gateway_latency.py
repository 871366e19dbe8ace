"""POST /options/price through the mesh, against a bare FastAPI handler that makes one grpc.aio echo call.

Ours is authenticated, limited, traced, priced and recorded. Both are asked by the same client, in turn. Goal: 0.45 of
the bare handler's requests a second at 64 connections.
"""

import statistics
import sys
from itertools import repeat

import uvloop
from gateway_load import Load, load, request_bytes
from gateway_peers import Target, bare_http, target

ROUNDS = 5
GOAL = 0.45
OPTION = (
    b'{"model":"black_scholes","style":"european","option_type":"call","spot":100,"strike":100,'
    b'"time_to_expiry":1.0,"rate":0.05,"dividend_yield":0.0,"volatility":0.2,"greeks":true}'
)


async def measure(gateway: Target, bare_port: int) -> dict[int, float]:
    """The ratio of requests a second, by the number of connections."""
    ratios = {}
    ours_url, bare_url = f"{gateway.url}/api/v2/options/price", f"http://127.0.0.1:{bare_port}/price"
    requests = {
        "gateway": (ours_url, request_bytes(ours_url, OPTION, gateway.headers)),
        "bare": (bare_url, request_bytes(bare_url, OPTION, {})),
    }
    for connections in (64, 1):
        seen: dict[str, list[Load]] = {name: [] for name in requests}
        for _ in range(ROUNDS):
            for name, (url, request) in requests.items():
                seen[name].append(await load(url, repeat(request), connections=connections, seconds=gateway.seconds))
        rates = {name: statistics.median(each.requests_per_second for each in loads) for name, loads in seen.items()}
        for name, loads in seen.items():
            p50, p99 = (statistics.median(getattr(each, field) for each in loads) * 1e3 for field in ("p50", "p99"))
            failures = sum(each.failures for each in loads)
            print(
                f"option price, {connections} connections, {name}: {rates[name]:,.0f} requests/s, "
                f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {failures} failures"
            )
        ratios[connections] = rates["gateway"] / rates["bare"]
        goal = f" (goal {GOAL})" if connections == 64 else ""
        print(f"option price, {connections} connections, ratio: {ratios[connections]:.2f}{goal}")
    return ratios


def main() -> None:
    gateway = target(__doc__)
    with bare_http() as port:
        ratios = uvloop.run(measure(gateway, port))
    sys.exit(0 if ratios[64] >= GOAL else 1)


if __name__ == "__main__":
    main()
