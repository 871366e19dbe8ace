"""Who takes part in a run draws turns for itself alone."""

from collections.abc import Sequence

from .scheduler import Scheduler


class NoLocks:
    async def blockers(self, backend: int) -> list[int]:
        return []

    async def cancel(self, backend: int) -> None:
        """Nobody waits."""


async def undisturbed() -> str:
    return ""


async def steps_of(seed: int, names: Sequence[str]) -> list[str]:
    scheduler = Scheduler(seed, NoLocks())

    async def live() -> None:
        for number in range(20):
            await scheduler.pause(f"step {number}")

    for name in names:
        scheduler.add(name, live)
    await scheduler.run(undisturbed)
    return scheduler.history.lines


async def test_one_more_actor_changes_nothing_of_the_order_of_the_others() -> None:
    alone = await steps_of(7, ["one", "two", "three"])
    among_others = await steps_of(7, ["another", "one", "two", "three", "last"])
    assert [line for line in among_others if not line.startswith(("another", "last"))] == alone


async def test_each_seed_has_an_order_of_its_own() -> None:
    names = ["one", "two", "three"]
    orders = [await steps_of(seed, names) for seed in range(5)]
    assert len({tuple(order) for order in orders}) == 5
    assert await steps_of(3, names) == orders[3]
