"""Transactions of options and of named lots, and what takes transactions back, as the edge passes them on."""

from typing import Any
from uuid import UUID

from quantmesh.api.common.v1.job_pb2 import JOB_STATUS_QUEUED, Job
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models.transactions import RecordedTransactionShown, ReversedImportShown

from .edges import ADA, Edge
from .samples import ROOT, TRANSACTION

KEY = {"Idempotency-Key": "once"}
OPENER = str(UUID(int=7))


async def test_a_sale_names_its_lots(edge: Edge) -> None:
    peer = edge.peers["portfolio"]
    peer.answers["RecordTransaction"] = pb.RecordTransactionResponse(transaction=TRANSACTION)
    sale: dict[str, Any] = {"type": "sell", "symbol": "AAPL", "quantity": "5", "price": "80"}
    sale |= {"executed_at": "2020-01-02T15:00:00Z", "lots": [{"transaction_id": OPENER, "quantity": "5"}]}
    answer = await edge.http.post(f"{ROOT}/transactions", json=sale, headers=KEY)
    assert answer.status_code == 201
    RecordedTransactionShown.model_validate_json(answer.content)
    asked = peer.last("RecordTransaction").transaction
    assert [(lot.transaction_id, lot.quantity.value) for lot in asked.lots] == [(OPENER, "5")]


async def test_an_option_is_written_on_the_short_side(edge: Edge) -> None:
    peer = edge.peers["portfolio"]
    peer.answers["RecordTransaction"] = pb.RecordTransactionResponse(transaction=TRANSACTION)
    opening = {"type": "option_open", "side": "short", "symbol": "AAPL200221P00080000", "quantity": "1", "price": "2"}
    opening |= {"executed_at": "2020-01-02T15:00:00Z"}
    answer = await edge.http.post(f"{ROOT}/transactions", json=opening, headers=KEY)
    assert answer.status_code == 201
    asked = peer.last("RecordTransaction").transaction
    assert (asked.type, asked.side) == (pb.TRANSACTION_TYPE_OPTION_OPEN, pb.POSITION_SIDE_SHORT)


async def test_a_reversal_is_not_recorded_as_a_transaction(edge: Edge) -> None:
    body = {"type": "reversal", "executed_at": "2020-01-02T15:00:00Z"}
    refused = await edge.http.post(f"{ROOT}/transactions", json=body, headers=KEY)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/type")


async def test_a_transaction_is_taken_back_under_a_key(edge: Edge) -> None:
    peer = edge.peers["portfolio"]
    reversal = pb.Transaction(
        id=OPENER,
        portfolio_id=str(ADA),
        input=pb.TransactionInput(type=pb.TRANSACTION_TYPE_REVERSAL, currency="USD"),
        reverses=str(ADA),
    )
    reversal.input.executed_at.FromSeconds(0)
    peer.answers["ReverseTransaction"] = pb.ReverseTransactionResponse(transaction=reversal)
    path = f"{ROOT}/transactions/{ADA}/reverse"
    answer = await edge.http.post(path, json={"note": "twice"}, headers=KEY)
    assert answer.status_code == 201
    shown = RecordedTransactionShown.model_validate_json(answer.content)
    assert (shown.type, shown.reverses) == ("reversal", str(ADA))
    asked = peer.last("ReverseTransaction")
    assert (asked.portfolio_id, asked.transaction_id, asked.note) == (str(ADA), str(ADA), "twice")
    assert (await edge.http.post(path, json={})).status_code == 400


async def test_an_import_is_taken_back_by_its_id(edge: Edge) -> None:
    peer = edge.peers["portfolio"]
    peer.answers["ReverseImport"] = pb.ReverseImportResponse(
        import_id=OPENER, reversed_rows=3, first_seq=8, last_seq=10
    )
    answer = await edge.http.post(f"{ROOT}/transactions/import/{OPENER}/reverse", json={}, headers=KEY)
    assert answer.status_code == 201
    assert ReversedImportShown.model_validate_json(answer.content).reversed_rows == 3
    assert peer.last("ReverseImport").import_id == OPENER


async def test_a_long_import_is_taken_back_by_a_job(edge: Edge) -> None:
    job = Job(id=f"portfolio-{ADA}", kind="reverse-import", status=JOB_STATUS_QUEUED)
    edge.peers["portfolio"].answers["ReverseImport"] = pb.ReverseImportResponse(job=job)
    answer = await edge.http.post(f"{ROOT}/transactions/import/{OPENER}/reverse", json={}, headers=KEY)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v2/jobs/{job.id}")


async def test_margin_is_switched_without_renaming(edge: Edge) -> None:
    peer = edge.peers["portfolio"]
    peer.answers["UpdatePortfolio"] = pb.UpdatePortfolioResponse(
        portfolio=pb.Portfolio(id=str(ADA), lot_method=pb.LOT_METHOD_LIFO, margin_enabled=True)
    )
    answer = await edge.http.patch(ROOT, json={"margin_enabled": True})
    assert (answer.status_code, answer.json()["margin_enabled"], answer.json()["lot_method"]) == (200, True, "lifo")
    asked = peer.last("UpdatePortfolio")
    assert (asked.HasField("name"), asked.margin_enabled) == (False, True)
