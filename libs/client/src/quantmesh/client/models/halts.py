"""When trading stops."""

from datetime import datetime

from quantmesh.client.models.base import Answer


class Halt(Answer):
    """Without a `symbol` it is of the whole market; `market_time` and `lifts_at` are those of a breaker."""

    id: str
    kind: str
    symbol: str | None
    cause: str
    level: int | None
    imposed_by: str
    imposed_at: datetime | None
    market_time: datetime | None
    lifts_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None
