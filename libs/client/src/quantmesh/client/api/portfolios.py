"""/portfolios: accounts, what was recorded in them, and what follows from it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from quantmesh.client.api.jobs import Jobs, OnProgress
from quantmesh.client.models.analytics import Optimization
from quantmesh.client.models.base import Page
from quantmesh.client.models.jobs import Job
from quantmesh.client.models.portfolios import (
    AccountEvent,
    AccountEvents,
    Import,
    LedgerEntry,
    Lot,
    Performance,
    Portfolio,
    Positions,
    ReversedImport,
    Snapshot,
    Transaction,
)
from quantmesh.client.transport import Transport


class Portfolios:
    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def create(
        self, name: str, base_currency: str = "USD", lot_method: str = "average", *, margin_enabled: bool = False
    ) -> Portfolio:
        body = {
            "name": name,
            "base_currency": base_currency,
            "lot_method": lot_method,
            "margin_enabled": margin_enabled,
        }
        return self._transport.call("POST", "/portfolios", Portfolio, json=body, idempotent=True)

    def all(self) -> Iterator[Portfolio]:
        return self._transport.pages("/portfolios", Page[Portfolio])

    def get(self, portfolio_id: str) -> Portfolio:
        return self._transport.call("GET", f"/portfolios/{portfolio_id}", Portfolio)

    def record(self, portfolio_id: str, transaction: Mapping[str, Any]) -> Transaction:
        """`transaction` as the API's reference has it, with money and quantities as strings."""
        path = f"/portfolios/{portfolio_id}/transactions"
        return self._transport.call("POST", path, Transaction, json=transaction, idempotent=True)

    def reverse(self, portfolio_id: str, transaction_id: str, note: str = "") -> Transaction:
        """Take a transaction back; answers the reversal, which is dated where that is."""
        path = f"/portfolios/{portfolio_id}/transactions/{transaction_id}/reverse"
        return self._transport.call("POST", path, Transaction, json={"note": note}, idempotent=True)

    def reverse_import(self, portfolio_id: str, import_id: str, note: str = "") -> ReversedImport:
        """Take back all that an import recorded; its file may then come again. A long one's job is waited for."""
        path = f"/portfolios/{portfolio_id}/transactions/import/{import_id}/reverse"
        response = self._transport.send("POST", path, json={"note": note}, idempotent=True)
        if response.status_code != HTTPStatus.ACCEPTED:
            return ReversedImport.model_validate_json(response.content)
        job = self._jobs.wait(Job.model_validate_json(response.content), None)
        return ReversedImport.model_validate(job.result)

    def transactions(self, portfolio_id: str) -> Iterator[Transaction]:
        return self._transport.pages(f"/portfolios/{portfolio_id}/transactions", Page[Transaction])

    def import_csv(
        self, portfolio_id: str, content: bytes, *, dry_run: bool, on_progress: OnProgress | None = None
    ) -> Import:
        """A dry run says what would be accepted and refused, and records nothing.

        A long file is a job, which is waited for: `on_progress` is told how it stands, JobFailed raised where it fails.
        """
        response = self._transport.send(
            "POST",
            f"/portfolios/{portfolio_id}/transactions/import",
            query={"dry_run": "true" if dry_run else "false"},
            content=content,
            content_type="text/csv",
            idempotent=True,
        )
        if response.status_code != HTTPStatus.ACCEPTED:
            return Import.model_validate_json(response.content)
        job = self._jobs.wait(Job.model_validate_json(response.content), on_progress)
        return Import.model_validate(job.result)

    def positions(self, portfolio_id: str, as_of: datetime | None = None, *, lots: bool = False) -> Positions:
        query = {**_at(as_of), "lots": "true" if lots else None}
        return self._transport.call("GET", f"/portfolios/{portfolio_id}/positions", Positions, query=query)

    def lots(self, portfolio_id: str, symbol: str, as_of: datetime | None = None) -> Iterator[Lot]:
        """The open lots of one instrument, the oldest first."""
        query = {**_at(as_of), "symbol": symbol, "limit": 1000}
        return self._transport.pages(f"/portfolios/{portfolio_id}/lots", Page[Lot], query)

    def performance(
        self,
        portfolio_id: str,
        as_of: datetime | None = None,
        *,
        explain: bool = False,
        benchmark: str | None = None,
        frequency: str = "daily",
    ) -> Performance:
        """`frequency` of the series: daily, weekly or monthly."""
        query = {
            **_at(as_of),
            "explain": "true" if explain else "false",
            "benchmark": benchmark,
            "frequency": frequency,
        }
        return self._transport.call("GET", f"/portfolios/{portfolio_id}/performance", Performance, query=query)

    def ledger(self, portfolio_id: str) -> Iterator[LedgerEntry]:
        return self._transport.pages(f"/portfolios/{portfolio_id}/ledger", Page[LedgerEntry])

    def events(self, portfolio_id: str, after: int = 0) -> Iterator[AccountEvent]:
        """The account's log behind `after`, to where it ends by then."""
        while True:
            page = self._transport.call(
                "GET", f"/portfolios/{portfolio_id}/events", AccountEvents, query={"after": after, "limit": 500}
            )
            yield from page.data
            if not page.data or page.data[-1].seq >= page.last_seq:
                return
            after = page.data[-1].seq

    def snapshot(self, portfolio_id: str) -> Snapshot:
        """To be brought on by the events after its `seq`, from `events` or from the stream."""
        return self._transport.call("GET", f"/portfolios/{portfolio_id}/snapshot", Snapshot)

    def optimize(self, portfolio_id: str, objective: str, symbols: Sequence[str] = ()) -> Optimization:
        """Of what is held, or of `symbols`."""
        body = {"objective": objective, "symbols": [*symbols]}
        return self._transport.call("POST", f"/portfolios/{portfolio_id}/optimize", Optimization, json=body)


def _at(as_of: datetime | None) -> Mapping[str, str | None]:
    return {"as_of": as_of.isoformat() if as_of else None}
