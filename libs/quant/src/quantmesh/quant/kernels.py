"""Compile every family's kernels ahead, or read them from the cache: `python -m quantmesh.quant.kernels`.

Numba keeps what it compiled beside the source, or under `NUMBA_CACHE_DIR`.
"""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import quantmesh.quant
from quantmesh.quant._threads import thread_count


def families() -> list[str]:
    """The modules that have kernels."""
    names = (name for name in dir(quantmesh.quant) if not name.startswith("_") and name != "kernels")
    return [name for name in names if hasattr(getattr(quantmesh.quant, name), "load_kernels")]


def load(family: str) -> float:
    """Answers the seconds it took."""
    started = time.perf_counter()
    getattr(quantmesh.quant, family).load_kernels()
    return time.perf_counter() - started


def main() -> None:
    """In a process per core: compiling holds the interpreter's lock."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(thread_count(), mp_context=context) as pool:
        futures = {pool.submit(load, family): family for family in families()}
        for done, future in enumerate(as_completed(futures), start=1):
            family, seconds = futures[future], future.result()
            sys.stdout.write(f"kernels {done}/{len(futures)}: {family} {seconds:.1f} s\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
