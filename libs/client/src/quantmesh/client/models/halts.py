"""When trading stops."""

from datetime import datetime

from quantmesh.client.models.base import Answer


class Halt(Answer):
    """Without a `symbol` it is of the whole market; `lifts_at` is market time."""

    id: str
    kind: str
    symbol: str | None
    cause: str
    imposed_by: str
    imposed_at: datetime | None
    lifts_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None


class Halts(Answer):
    data: tuple[Halt, ...]
