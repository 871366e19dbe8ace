"""Many seeds, or one again with every step: `python -m tests.simulator --seeds 500 --first 60`, `... --seed 17`."""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing.running import running

from .cluster import crash_and_start_again, open_cluster
from .simulation import replayable, simulate


def run(seeds: list[int], *, trace: bool) -> list[tuple[int, str]]:
    """Those that failed, with why; a server of its own for all."""
    with tempfile.TemporaryDirectory(prefix="quantmesh-") as folder:
        Path(folder).chmod(0o711)  # Postgres runs as another user when this is root
        server = PostgresServer(Path(folder) / "postgres", free_port(), secrets.token_hex(16))
        with running(server, Path(folder) / "postgres.log") as started:

            async def run_all() -> list[tuple[int, str]]:
                failed = []
                async with open_cluster(server, partial(crash_and_start_again, server, started)) as cluster:
                    for seed in seeds:
                        try:
                            with replayable(seed):
                                await simulate(cluster, seed, watch=say if trace else None)
                        except Exception as error:  # noqa: BLE001  told at the end, with the others
                            failed.append((seed, f"{type(error).__name__}: {error}\n{error.__notes__[-1]}"))
                return failed

            return asyncio.run(run_all())


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, help="one, each step of which is shown")
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    if given.seed is not None:
        failed = run([given.seed], trace=True)
    else:
        began = time.monotonic()
        processes = os.cpu_count() or 1
        seeds = range(given.first, given.first + given.seeds)
        with ProcessPoolExecutor(processes) as pool:
            shares = [pool.submit(run, list(seeds[part::processes]), trace=False) for part in range(processes)]
            failed = sorted(chain.from_iterable(share.result() for share in shares))
        say(f"{given.seeds} seeds from {given.first} on in {time.monotonic() - began:.0f} s: {len(failed)} failed")
    for _, why in failed:
        say(why)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
