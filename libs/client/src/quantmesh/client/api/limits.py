"""/risk/limits: what a portfolio may risk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quantmesh.client.models.limits import LimitDefinition, LimitsUsed, WhatIf
from quantmesh.client.transport import Transport


class RiskLimits:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, portfolio_id: str, known_at: datetime | None = None) -> LimitsUsed:
        """With what is used of them; without, as they were known at an earlier time."""
        path = f"/risk/limits/{portfolio_id}"
        return self._transport.call("GET", path, LimitsUsed, query={"known_at": known_at})

    def set(
        self, portfolio_id: str, limits: Sequence[Mapping[str, Any]], *, if_version: int | None = None
    ) -> LimitDefinition:
        """The whole definition, each limit as the API's reference has it."""
        path, body = f"/risk/limits/{portfolio_id}", {"limits": [*limits]}
        return self._transport.call("PUT", path, LimitDefinition, json=body, if_match=if_version)

    def what_if(self, portfolio_id: str, orders: Sequence[Mapping[str, Any]]) -> WhatIf:
        """Orders tried together: `symbol`, `side`, `quantity` and, of a limit or a stop, `price`."""
        path = f"/risk/limits/{portfolio_id}/what-if"
        return self._transport.call("POST", path, WhatIf, json={"orders": [*orders]})
