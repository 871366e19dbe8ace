"""How many of a part's requests are begun: a burst queues, a crowd does not."""

from quantmesh.gateway.core.shedding import CALM_IN_A_ROW, CALM_SECONDS, Crowd, Shedding


class Part:
    """With the clock in the test's hand."""

    def __init__(self, crowd: Crowd) -> None:
        self.now = 100.0
        self.shedding = Shedding("/api/v2/things", crowd, lambda: self.now)

    def enter(self, times: int) -> list[bool]:
        return [self.shedding.enter() for _ in range(times)]

    def leave(self, times: int) -> None:
        for _ in range(times):
            self.shedding.leave()


def test_a_burst_is_begun_whole_and_nothing_beyond_it() -> None:
    part = Part(Crowd(burst=5, standing=2))
    assert part.enter(7) == [True] * 5 + [False] * 2
    assert part.shedding.in_flight == 5


def test_a_crowd_that_stands_gets_the_places_of_the_standing_alone() -> None:
    part = Part(Crowd(burst=5, standing=2))
    part.enter(6)
    part.leave(3)
    assert part.enter(1) == [False]
    part.leave(1)
    assert part.enter(2) == [True, False]
    # Whoever is refused shows that the crowd is still there.
    for _ in range(10):
        part.now += 0.9 * CALM_SECONDS
        assert part.enter(1) == [False]


def test_bursts_are_taken_again_once_many_in_a_row_were_begun() -> None:
    part = Part(Crowd(burst=5, standing=2))
    part.enter(6)
    part.leave(5)
    for _ in range(CALM_IN_A_ROW - 3):
        assert part.enter(1) == [True]
        part.leave(1)
    assert part.enter(3) == [True, True, False]
    part.leave(2)
    for _ in range(CALM_IN_A_ROW):
        assert part.enter(1) == [True]
        part.leave(1)
    assert part.enter(6) == [True] * 5 + [False]


def test_bursts_are_taken_again_once_nobody_was_refused_for_a_while() -> None:
    part = Part(Crowd(burst=5, standing=2))
    part.enter(6)
    part.leave(5)
    part.now += CALM_SECONDS
    assert part.enter(6) == [True] * 5 + [False]


def test_what_is_below_the_standing_ones_is_never_refused() -> None:
    part = Part(Crowd(burst=5, standing=2))
    part.enter(6)
    part.leave(5)
    for _ in range(3):
        assert part.enter(2) == [True, True]
        part.leave(2)


class Served(Part):
    """A part that does more at once than a few at a time, as one whose work shares commits."""

    def offer(self, per_second: int, seconds: int) -> tuple[list[int], list[int]]:
        """By second: how many were refused, and the most that were under way."""
        refused, most = [0] * seconds, [0] * seconds
        due = done = 0.0
        for millisecond in range(1000 * seconds):
            self.now += 0.001
            due += per_second / 1000
            while due >= 1.0:
                due -= 1.0
                refused[millisecond // 1000] += not self.shedding.enter()
            most[millisecond // 1000] = max(most[millisecond // 1000], self.shedding.in_flight)
            done += (0.35 if self.shedding.in_flight <= 8 else 0.9) * (self.shedding.in_flight > 0)
            while done >= 1.0 and self.shedding.in_flight:
                done -= 1.0
                self.shedding.leave()
        return refused, most


def test_what_a_part_can_serve_is_not_refused_for_ever_after_an_overload() -> None:
    part = Served(Crowd())
    refused, most = part.offer(3_600, seconds=5)
    assert most[1:] == [8] * 4
    assert min(refused) > 2_000
    refused, _ = part.offer(480, seconds=6)
    assert refused[0] > 0
    assert refused[3:] == [0] * 3


def test_who_waits_outside_keeps_no_place_and_comes_back_however_many_there_are_by_then() -> None:
    part = Part(Crowd(burst=2, standing=1))
    part.enter(1)
    with part.shedding.left():
        assert part.enter(3) == [True, True, False]
    assert part.shedding.in_flight == 3
