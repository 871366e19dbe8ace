"""/portfolios: accounts, what was recorded in them, and what follows from it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Unpack

from quantmesh.client.api.jobs import Jobs, OnProgress
from quantmesh.client.api.risk import ObjectiveOptions
from quantmesh.client.encoding import given
from quantmesh.client.models.base import Page
from quantmesh.client.models.optimization import Optimization
from quantmesh.client.models.portfolios import (
    AccountEvent,
    AccountEvents,
    Import,
    LedgerEntry,
    Lot,
    LotPage,
    Performance,
    Portfolio,
    Positions,
    ReversedImport,
    Snapshot,
    Transaction,
)
from quantmesh.client.transport import Transport


class Portfolios:
    """`as_of` is market time: what was true then; `known_at` system time: what was known then."""

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

    def update(
        self,
        portfolio_id: str,
        *,
        name: str | None = None,
        margin_enabled: bool | None = None,
        if_version: int | None = None,
    ) -> Portfolio:
        """What is not given stays."""
        path, body = f"/portfolios/{portfolio_id}", given(name=name, margin_enabled=margin_enabled)
        return self._transport.call("PATCH", path, Portfolio, json=body, if_match=if_version)

    def close(self, portfolio_id: str, *, if_version: int | None = None) -> None:
        """One that holds nothing."""
        self._transport.send("DELETE", f"/portfolios/{portfolio_id}", if_match=if_version)

    def record(self, portfolio_id: str, transaction: Mapping[str, Any]) -> Transaction:
        """`transaction` as the API's reference has it, with money and quantities as Decimals or strings."""
        path = f"/portfolios/{portfolio_id}/transactions"
        return self._transport.call("POST", path, Transaction, json=transaction, idempotent=True)

    def reverse(self, portfolio_id: str, transaction_id: str, note: str = "") -> Transaction:
        """Take a transaction back; answers the reversal, which is dated where that is."""
        path = f"/portfolios/{portfolio_id}/transactions/{transaction_id}/reverse"
        return self._transport.call("POST", path, Transaction, json={"note": note}, idempotent=True)

    def reverse_import(
        self, portfolio_id: str, import_id: str, note: str = "", *, on_progress: OnProgress | None = None
    ) -> ReversedImport:
        """Take back all that an import recorded; its file may then come again. A long one's job is waited for."""
        path = f"/portfolios/{portfolio_id}/transactions/import/{import_id}/reverse"
        response = self._transport.send("POST", path, json={"note": note}, idempotent=True)
        return self._jobs.outcome(response, ReversedImport, on_progress)

    def transactions(self, portfolio_id: str, *, import_id: str | None = None) -> Iterator[Transaction]:
        """All of them, or those of one import."""
        path = f"/portfolios/{portfolio_id}/transactions"
        return self._transport.pages(path, Page[Transaction], {"import_id": import_id})

    def import_csv(
        self, portfolio_id: str, content: bytes, *, dry_run: bool, on_progress: OnProgress | None = None
    ) -> Import:
        """A dry run says what would be accepted and refused, and records nothing.

        A long file is a job, which is waited for: `on_progress` is told how it stands, JobFailed raised where it fails.
        """
        response = self._transport.send(
            "POST",
            f"/portfolios/{portfolio_id}/transactions/import",
            query={"dry_run": dry_run},
            content=content,
            content_type="text/csv",
            idempotent=True,
        )
        return self._jobs.outcome(response, Import, on_progress)

    def positions(
        self,
        portfolio_id: str,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        *,
        lots: bool = False,
    ) -> Positions:
        query = {"as_of": as_of, "known_at": known_at, "lots": lots}
        return self._transport.call("GET", f"/portfolios/{portfolio_id}/positions", Positions, query=query)

    def lots(
        self, portfolio_id: str, symbol: str, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Iterator[Lot]:
        """The open lots of one instrument, the oldest first."""
        query = {"symbol": symbol, "as_of": as_of, "known_at": known_at, "limit": 1000}
        return self._transport.pages(f"/portfolios/{portfolio_id}/lots", LotPage, query)

    def performance(
        self,
        portfolio_id: str,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        *,
        start: date | None = None,
        end: date | None = None,
        explain: bool = False,
        benchmark: str | None = None,
        frequency: str = "daily",
        risk_free_rate: float = 0.0,
        cursor: str | None = None,
    ) -> Performance:
        """`frequency` of the series: daily, weekly or monthly; `cursor` is the page of it before's `next_cursor`."""
        query = {
            "as_of": as_of,
            "known_at": known_at,
            "start": start,
            "end": end,
            "explain": explain,
            "benchmark": benchmark,
            "frequency": frequency,
            "risk_free_rate": risk_free_rate,
            "cursor": cursor,
        }
        return self._transport.call("GET", f"/portfolios/{portfolio_id}/performance", Performance, query=query)

    def ledger(
        self, portfolio_id: str, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Iterator[LedgerEntry]:
        query = {"as_of": as_of, "known_at": known_at}
        return self._transport.pages(f"/portfolios/{portfolio_id}/ledger", Page[LedgerEntry], query)

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

    def optimize(
        self, portfolio_id: str, objective: str, symbols: Sequence[str] = (), **options: Unpack[ObjectiveOptions]
    ) -> Optimization:
        """Of what is held, or of `symbols`."""
        body = {"objective": objective, "symbols": [*symbols], **options}
        return self._transport.call("POST", f"/portfolios/{portfolio_id}/optimize", Optimization, json=body)
