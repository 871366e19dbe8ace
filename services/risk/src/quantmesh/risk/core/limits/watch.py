"""A portfolio's limits as they stand: what was set, and what is known of their states."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quantmesh.risk.core.errors import VersionMismatch
from quantmesh.risk.core.limits.definition import Limit


@dataclass(frozen=True, slots=True)
class Definition:
    """Of `version` 0, without limits, where none was ever set; `recorded_at` is system time."""

    portfolio_id: UUID
    version: int = 0
    recorded_at: datetime | None = None
    limits: tuple[Limit, ...] = ()

    def followed_by(self, limits: tuple[Limit, ...], expected_version: int | None, now: datetime) -> "Definition":
        """Raises VersionMismatch."""
        if expected_version is not None and expected_version != self.version:
            raise VersionMismatch(expected_version, self.version)
        return Definition(self.portfolio_id, self.version + 1, now, limits)

    def without(self, others: Sequence[Limit]) -> list[Limit]:
        """The limits that are not among `others`, whatever their numbers are."""
        kept = {limit.key for limit in others}
        return [limit for limit in self.limits if limit.key not in kept]
