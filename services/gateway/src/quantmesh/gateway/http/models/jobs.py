"""Long work: what a client is shown of it."""

from typing import Annotated, Literal

from pydantic import Field

from quantmesh.gateway.http.models.base import Shown, ShownInstant


class JobShown(Shown):
    id: str
    kind: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: Annotated[float, Field(description="0 to 1.")]
    message: str
    result: dict[str, object] | None
    problem: dict[str, object] | None
    created_at: ShownInstant | None
    updated_at: ShownInstant | None
