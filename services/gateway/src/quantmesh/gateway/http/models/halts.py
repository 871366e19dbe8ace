"""Halts: bodies, queries and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from quantmesh.gateway.http.models.base import PRINTABLE, Body, PageQuery, Shown, ShownInstant, Symbol

HaltKind = Literal["breaker", "operator", "kill_switch"]


class HaltBody(Body):
    """A `kill_switch` refuses new orders and cancels open ones as well; without a `symbol` it is the whole market."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "operator", "symbol": "AAPL", "cause": "News are pending."}]}
    )

    kind: Literal["operator", "kill_switch"]
    symbol: Symbol | None = None
    cause: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=PRINTABLE, strip_whitespace=True)]


class HaltsQuery(PageQuery):
    symbol: Annotated[Symbol | None, Field(description="Those of this instrument alone.")] = None
    in_force: Annotated[bool, Field(description="Without those that were lifted.")] = True


class HaltShown(Shown):
    """`imposed_by` and `lifted_by` are a user's id or `rule`; `market_time` and `lifts_at` are those of a breaker."""

    id: str
    kind: HaltKind
    symbol: str | None
    cause: str
    level: int | None
    imposed_by: str
    imposed_at: ShownInstant | None
    market_time: ShownInstant | None
    lifts_at: ShownInstant | None
    lifted_at: ShownInstant | None
    lifted_by: str | None


class HaltsShown(Shown):
    data: list[HaltShown]
    next_cursor: str | None
