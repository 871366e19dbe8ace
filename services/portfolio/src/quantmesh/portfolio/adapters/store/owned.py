"""What every part of the store stands on."""

from uuid import UUID

from quantmesh.chassis.sql import Executor


class Owned:
    """One open transaction, in which row-level security shows the rows of one owner alone."""

    def __init__(self, session: Executor, owner_id: UUID) -> None:
        self._session = session
        self._owner_id = owner_id
