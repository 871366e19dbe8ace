"""Long work."""

from collections.abc import Mapping

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

    @property
    def ended(self) -> bool:
        return self.status in {"succeeded", "failed", "cancelled"}
