"""10^6 options priced through the gateway of a running mesh, against an echo of the same bytes over the same two hops.

Goal: at least 0.6 of the echo's rate. Both ends are read in full, in turn; printed are the medians and their ratio. The
mesh is the one that `make up` started, or another:

    python benchmarks/pricing_batch.py --url http://127.0.0.1:8080 --operator FILE
"""

import argparse
import http.client
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from quantmesh.local.network import free_port

ROWS, ROUNDS = 1_000_000, 7
GOAL = 0.6
_BATCH_ROWS = 65_536
_ARROW = "application/vnd.apache.arrow.stream"


def option_stream() -> bytes:
    generator = np.random.default_rng(1)
    table = pa.table(
        {
            "option_type": np.where(generator.random(ROWS) < 0.5, 1, -1).astype(np.int8),
            "spot": generator.uniform(50, 150, ROWS),
            "strike": generator.uniform(50, 150, ROWS),
            "time_to_expiry": generator.uniform(0.05, 2, ROWS),
            "rate": generator.uniform(-0.01, 0.05, ROWS),
            "dividend_yield": generator.uniform(0, 0.03, ROWS),
            "volatility": generator.uniform(0.05, 0.8, ROWS),
        }
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=_BATCH_ROWS)
    return sink.getvalue()


@contextmanager
def echo() -> Iterator[str]:
    """The address of the bare peer, up while the context lasts."""
    program, ports = Path(__file__).with_name("pricing_echo.py"), (free_port(), free_port())
    with ExitStack() as stack:
        for arguments in (("echo", ports[1]), ("http", *ports)):
            command = [sys.executable, str(program), *map(str, arguments)]
            process = stack.enter_context(subprocess.Popen(command))  # noqa: S603  our own program
            stack.callback(process.terminate)
        url = f"http://127.0.0.1:{ports[0]}/echo"
        wait_for(url)
        yield url


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            exchange(url, b"ready", {})
        except OSError:
            time.sleep(0.1)
        else:
            return
    msg = f"{url} did not come up"
    raise TimeoutError(msg)


def exchange(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("POST", f"{parts.path}?{parts.query}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        msg = f"{url} answered {answer.status}: {content[:300]!r}"
        raise RuntimeError(msg)
    return content


def log_in(url: str, operator: dict[str, str]) -> str:
    body = json.dumps({name: operator[name] for name in ("email", "password")}).encode()
    answer = exchange(f"{url}/api/v2/auth/login", body, {"Content-Type": "application/json"})
    return str(json.loads(answer)["access_token"])


def measure(url: str, operator: dict[str, str]) -> None:
    stream = option_stream()
    headers = {"Content-Type": _ARROW, "Accept": _ARROW, "Authorization": f"Bearer {log_in(url, operator)}"}
    with echo() as peer:
        routes = {"batch": (f"{url}/api/v2/options/price/batch?greeks=true", headers), "echo": (peer, {})}
        seconds: dict[str, list[float]] = {name: [] for name in routes}
        for _ in range(ROUNDS):
            for name, (address, extra) in routes.items():
                started = time.perf_counter()
                content = exchange(address, stream, extra)
                seconds[name].append(time.perf_counter() - started)
                if name == "batch":
                    with pa.ipc.open_stream(content) as reader:
                        assert reader.read_all().num_rows == ROWS
    # The first round warms both up.
    ratio = statistics.median(peer / ours for ours, peer in zip(seconds["batch"][1:], seconds["echo"][1:], strict=True))
    batch, bare = (statistics.median(each[1:]) for each in seconds.values())
    print(
        f"{ROWS:,} options with Greeks through the gateway: {batch * 1e3:.0f} ms, {ROWS / batch / 1e6:.2f} M/s;"
        f" echo of the same {len(stream) / 1e6:.0f} MB: {bare * 1e3:.0f} ms; ratio {ratio:.2f} (goal: at least {GOAL})"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--operator", type=Path, default=Path(".quantmesh/operator.json"))
    arguments = parser.parse_args()
    measure(arguments.url, json.loads(arguments.operator.read_text()))


if __name__ == "__main__":
    main()
