"""The peer's side of `side_by_side.Peer`: told a name on standard input, it does that work and answers its seconds.

Short work is repeated, and the median answered, as `side_by_side.seconds_of` does it for ours.

.venv-bench/bin/python benchmarks/peers/FAMILY.py INPUTS.npz OUTPUTS.npz
"""

import sys
import time
import warnings
from collections.abc import Callable, Mapping

import numpy as np

Answer = Mapping[str, np.ndarray]
Inputs = Mapping[str, np.ndarray]
_AT_LEAST_SECONDS = 0.2


def serve(works: Callable[[Inputs], Mapping[str, Callable[[], Answer]]]) -> None:
    """`works(inputs)` makes what can be asked for, by name; making it is not timed."""
    warnings.simplefilter("ignore")
    inputs, outputs = sys.argv[1:]
    by_name = works(np.load(inputs))
    for line in sys.stdin:
        work = by_name[line.strip()]
        seconds: list[float] = []
        ends = time.perf_counter() + _AT_LEAST_SECONDS
        while not seconds or time.perf_counter() < ends:
            started = time.perf_counter()
            answer = work()
            seconds.append(time.perf_counter() - started)
        np.savez(outputs, allow_pickle=False, **answer)
        sys.stdout.write(f"{np.median(seconds)}\n")
        sys.stdout.flush()
