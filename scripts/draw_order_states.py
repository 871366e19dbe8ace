"""Draw the order's state machine into its decision page, from the table in portfolio's code.

`python scripts/draw_order_states.py` rewrites what stands between the page's two markers.
"""

from collections.abc import Iterator
from pathlib import Path

from quantmesh.portfolio.core.order_states import TRANSITIONS

PAGE = Path(__file__).parents[1] / "docs/decisions/0012-order-life-cycle.md"
BEGIN, END = "<!-- drawn from core/order_states.py -->", "<!-- end of the drawing -->"


def drawing() -> str:
    """A Mermaid diagram, and the same as a table."""
    return "\n".join(["```mermaid", "stateDiagram-v2", *_arrows(), "```", "", *_table()])


def redrawn(page: str) -> str:
    """The page with what stands between its markers drawn anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{drawing()}\n{END}{after}"


def _arrows() -> Iterator[str]:
    for current, steps in TRANSITIONS.items():
        for step, status in steps.items():
            yield f"    {current or '[*]'} --> {status}: {step}"
        if not steps:
            yield f"    {current} --> [*]"


def _table() -> Iterator[str]:
    yield "| an order that is | can be | and is then |"
    yield "| --- | --- | --- |"
    for current, steps in TRANSITIONS.items():
        for step, status in steps.items():
            yield f"| {current or '(new)'} | {step} | {status} |"


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
