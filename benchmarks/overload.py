"""What the edge does past its capacity: the p99 of what it accepts, against that of calm days, and what it refuses.

Capacity is what 64 clients get through who wait for their answers; none of them is refused. Unloaded is half of it, and
overload four times as much, both offered in an open loop, which sends on whether or not answers come. Every refusal has
to be a 429 or 503 with Retry-After and a problem as its body; after the overload the latency of before is measured
again. Medians of the rounds' ratios, for priced options (bound by the edge) and recordings (bound by the ledger).
"""

import statistics
import sys
from collections.abc import Iterator
from itertools import repeat

import uvloop
from gateway_latency import OPTION
from gateway_load import load, request_bytes
from gateway_offered import Answers, Clients
from gateway_peers import Target, target
from transactions import recordings

AT_ONCE, ROUNDS = 64, 3
UNLOADED, OVERLOAD = 0.5, 4.0
CAPACITY_SECONDS = 2.0
GOAL = 2.0


async def measure(name: str, url: str, requests: Iterator[bytes], seconds: float) -> bool:
    clients = Clients()
    await clients.open(url)
    loads: dict[str, list[Answers]] = {"unloaded": [], "overloaded": [], "afterwards": []}
    await load(url, requests, connections=AT_ONCE, seconds=CAPACITY_SECONDS)
    for _ in range(ROUNDS):
        most = await load(url, requests, connections=AT_ONCE, seconds=CAPACITY_SECONDS)
        assert not most.failures, f"{most.failures} of {AT_ONCE} clients' requests were refused"
        rate = most.requests_per_second
        for each, share in (("unloaded", UNLOADED), ("overloaded", OVERLOAD), ("afterwards", UNLOADED)):
            seen = await clients.offer(requests, rate * share, seconds)
            loads[each].append(seen)
            print(
                f"{name}, {each}, {rate * share:,.0f}/s offered: {seen.goodput:,.0f}/s accepted, p50"
                f" {seen.percentile(50) * 1e3:.1f} ms, p99 {seen.percentile(99) * 1e3:.1f} ms,"
                f" {seen.share_refused:.0%} refused, {seen.unsent} unsent, {len(seen.broken)} broken"
            )
    clients.close()
    return judged(name, loads)


def judged(name: str, loads: dict[str, list[Answers]]) -> bool:
    ratio, after = (
        statistics.median(
            seen.percentile(99) / calm.percentile(99) for seen, calm in zip(loads[each], loads["unloaded"], strict=True)
        )
        for each in ("overloaded", "afterwards")
    )
    shed = statistics.median(seen.share_refused for seen in loads["overloaded"])
    wrong = [head for rounds in loads.values() for seen in rounds for head in seen.broken]
    met = ratio <= GOAL and after <= GOAL and shed > 0 and not wrong
    print(
        f"{name}, p99 of what is accepted at {OVERLOAD:g} times capacity to that of {UNLOADED:g} times: {ratio:.2f}"
        f" (goal at most {GOAL:g}); {shed:.0%} refused, {len(wrong)} answers wrong; p99 afterwards: {after:.2f}"
        f"{'' if met else '  GOAL MISSED'}"
    )
    if wrong:
        print(f"the first wrong answer: {wrong[0]!r}")
    return met


async def both(gateway: Target) -> bool:
    price = f"{gateway.url}/api/v2/options/price"
    met = await measure("option price", price, repeat(request_bytes(price, OPTION, gateway.headers)), gateway.seconds)
    url, requests = recordings(gateway)
    return await measure("recording", url, requests, gateway.seconds) and met


def main() -> None:
    sys.exit(0 if uvloop.run(both(target(__doc__))) else 1)


if __name__ == "__main__":
    main()
