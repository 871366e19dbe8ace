"""A million options priced through the gateway as Arrow, against an echo of the same bytes over the same two hops.

Goal: 0.6 of the echo's speed. The stream is price and volatility columns of 65,536 rows a batch; the two take turns.
"""

import io
import statistics
import sys
import time

import httpx
import numpy as np
import pyarrow as pa
from gateway_peers import Target, bare_http, target

ROWS, BATCH = 1_000_000, 65_536
ROUNDS = 5
GOAL = 0.6
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}


def options_stream(rows: int) -> bytes:
    random = np.random.default_rng(1)
    columns = {
        "option_type": pa.array(np.where(random.random(rows) < 0.5, 1, -1).astype(np.int8)),
        "spot": random.uniform(80, 120, rows),
        "strike": random.uniform(80, 120, rows),
        "time_to_expiry": random.uniform(0.1, 2.0, rows),
        "volatility": random.uniform(0.1, 0.5, rows),
    }
    table = pa.table(columns).replace_schema_metadata({"rate": "0.03"})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH)
    return sink.getvalue()


def timed(client: httpx.Client, url: str, body: bytes) -> tuple[float, bytes]:
    started = time.perf_counter()
    answer = client.post(url, content=body, headers=ARROW)
    elapsed = time.perf_counter() - started
    answer.raise_for_status()
    return elapsed, answer.content


def measure(gateway: Target, bare_port: int) -> float:
    """The ratio of our speed to the echo's."""
    body = options_stream(ROWS)
    seconds: dict[str, list[float]] = {"gateway": [], "echo": []}
    ours, bare = f"{gateway.url}/api/v2/options/price/batch", f"http://127.0.0.1:{bare_port}/batch"
    with httpx.Client(timeout=120.0, headers=gateway.headers) as client:
        timed(client, ours, body)  # kernels compile on first use
        for _ in range(ROUNDS):
            elapsed, answer = timed(client, ours, body)
            with pa.ipc.open_stream(answer) as reader:
                assert reader.read_all().num_rows == ROWS
            seconds["gateway"].append(elapsed)
            elapsed, answer = timed(client, bare, body)
            assert answer == body
            seconds["echo"].append(elapsed)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(
            f"{ROWS:,} options of {len(body) / 2**20:.0f} MiB, {name}: {median:.2f} s, {ROWS / median:,.0f} options/s"
        )
    ratio = medians["echo"] / medians["gateway"]
    print(f"batch pricing, ratio to the echo: {ratio:.2f} (goal {GOAL})")
    return ratio


def main() -> None:
    gateway = target(__doc__)
    with bare_http() as port:
        ratio = measure(gateway, port)
    sys.exit(0 if ratio >= GOAL else 1)


if __name__ == "__main__":
    main()
