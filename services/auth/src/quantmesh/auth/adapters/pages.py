"""Pages of what ids order: how long one is, and where the next begins."""

from uuid import UUID

from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.auth.core.errors import InvalidCursor

_DEFAULT_LENGTH = 50
_LIMIT = 200


def page_length(page: PageRequest) -> int:
    return min(page.limit or _DEFAULT_LENGTH, _LIMIT)


def page_start(page: PageRequest) -> UUID | None:
    """The id behind which the page begins; None for the first. Raises InvalidCursor."""
    try:
        return UUID(page.cursor) if page.cursor else None
    except ValueError as error:
        raise InvalidCursor from error
