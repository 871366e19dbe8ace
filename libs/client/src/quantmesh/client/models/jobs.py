"""Long work."""

from collections.abc import Mapping
from datetime import datetime

from quantmesh.client.models.base import Answer


class Job(Answer):
    id: str
    kind: str
    status: str
    progress: float
    """From 0 to 1."""
    message: str
    result: Mapping[str, object] | None
    problem: Mapping[str, object] | None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.status in {"succeeded", "failed", "cancelled"}
