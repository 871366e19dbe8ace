"""The table of steps: taken as it says, drawn in the docs as it is."""

import importlib.util
from itertools import product

import pytest

from quantmesh.portfolio.core.order_errors import IllegalTransition
from quantmesh.portfolio.core.order_states import OPEN, TRANSITIONS, OrderStatus, OrderStep

from .order_samples import order


def test_an_order_takes_the_table_s_steps_and_no_other() -> None:
    for current, step in product([None, *OrderStatus], OrderStep):
        if step in TRANSITIONS[current]:
            assert order(status=current).take(step).status is TRANSITIONS[current][step]
        else:
            with pytest.raises(IllegalTransition):
                order(status=current).take(step)


def test_every_status_can_be_reached_and_every_open_one_left_for_good() -> None:
    reached: set[OrderStatus | None] = {None}
    for _ in OrderStatus:
        reached |= {status for known in reached for status in TRANSITIONS[known].values()}
    assert reached == {None, *OrderStatus}
    for status in OPEN:
        assert {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED} <= set(TRANSITIONS[status].values())


def test_final_states_have_no_way_on() -> None:
    assert set(OrderStatus) - OPEN == {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
    }


def test_each_step_raises_the_version() -> None:
    taken = order(status=None).take(OrderStep.ACCEPTED).take(OrderStep.REPLACED).take(OrderStep.FILLED)
    assert taken.version == 3


def test_the_drawing_in_the_docs_is_current(pytestconfig: pytest.Config) -> None:
    path = pytestconfig.rootpath / "scripts/draw_order_states.py"
    specification = importlib.util.spec_from_file_location("draw_order_states", path)
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.redrawn(page) == page, "run scripts/draw_order_states.py"
    assert script.redrawn(page.replace("accepted --> filled", "accepted --> lost")) == page
