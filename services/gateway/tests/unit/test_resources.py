"""Each resource shows what its model declares, and asks its service for what the client asked."""

import json
from copy import deepcopy
from typing import Any

import pytest
from google.protobuf.message import Message
from pydantic import BaseModel

from quantmesh.api.blockchain.v1 import blockchain_pb2
from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.common.v1.common_pb2 import Money
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.prediction.v1 import prediction_pb2
from quantmesh.chassis.errors import NotFound, TooEarly
from quantmesh.gateway.http.models import blockchain, optimization, risk, transactions

from .edges import ADA, Edge
from .samples import JOB, OPTIMUM, READS, ROOT, TRANSACTION, VALUE_AT_RISK, amount

KEY = {"Idempotency-Key": "k1"}


@pytest.mark.parametrize(("path", "peer", "method", "answer", "model"), READS, ids=[read[2] for read in READS])
async def test_a_read_shows_what_its_model_declares(
    edge: Edge, path: str, peer: str, method: str, answer: Any, model: type[BaseModel]
) -> None:
    edge.peers[peer].answers[method] = answer
    response = await edge.http.get(path)
    assert response.status_code == 200, response.text
    model.model_validate(response.json())


def renumber(message: Message) -> None:
    """In each enum a number that only a later release has a name for."""
    for field, value in message.ListFields():
        if field.enum_type is not None:
            setattr(message, field.name, 99)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                renumber(part)


@pytest.mark.parametrize(
    ("path", "peer", "method", "answer"), [read[:4] for read in READS], ids=[read[2] for read in READS]
)
async def test_what_only_a_newer_peer_has_a_name_for_spoils_no_answer(
    edge: Edge, path: str, peer: str, method: str, answer: Message
) -> None:
    newer = deepcopy(answer)
    renumber(newer)
    edge.peers[peer].answers[method] = newer
    response = await edge.http.get(path)
    assert response.status_code == 200, response.text
    assert ('"unknown"' in response.text) == (newer != answer)


async def test_a_page_is_asked_for_and_the_next_one_named(edge: Edge) -> None:
    edge.peers["market"].answers["ListAssets"] = READS[0][3]
    answer = await edge.http.get("/api/v2/assets?limit=7&cursor=xyz&asset_class=stock")
    asked = edge.peers["market"].last("ListAssets")
    assert (asked.page.limit, asked.page.cursor, asked.asset_class) == (7, "xyz", market_pb2.ASSET_CLASS_STOCK)
    assert answer.json()["next_cursor"] == "abc"


async def test_a_transaction_travels_in_exact_decimals(edge: Edge) -> None:
    edge.peers["portfolio"].answers["RecordTransaction"] = portfolio_pb2.RecordTransactionResponse(
        transaction=TRANSACTION, cash=Money(amount=amount("1.00"), currency="USD")
    )
    body = {
        "type": "buy",
        "symbol": "AAPL",
        "quantity": "10.000000000000000001",
        "price": "73.350",
        "executed_at": "2020-01-02T16:00:00.123456789+01:00",
    }
    answer = await edge.http.post(f"{ROOT}/transactions", json=body, headers=KEY)
    transactions.RecordedTransactionShown.model_validate(answer.json())
    asked = edge.peers["portfolio"].last("RecordTransaction").transaction
    assert (asked.quantity.value, asked.price.value) == ("10.000000000000000001", "73.350")
    assert asked.executed_at.ToJsonString() == "2020-01-02T15:00:00.123456Z"
    assert not asked.HasField("fee")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", 10),
        ("quantity", "1e3"),
        ("quantity", "-1"),
        ("quantity", "0.00"),
        ("price", "NaN"),
        ("price", "1." + "0" * 19),
        ("price", "1" * 21),
        ("executed_at", "2020-01-02"),
        ("executed_at", "2020-01-02T15:00:00"),
        ("executed_at", "2020-13-02T15:00:00Z"),
        ("executed_at", "0001-01-01T00:00:00+14:00"),
        ("executed_at", "2020-01-02T15:00:00+00:99"),
        ("executed_at", 1577977200),
        ("symbol", "aapl"),
        ("symbol", "A" * 33),
        ("type", "gift"),
        ("note", "x" * 501),
        ("currency", "usd"),
    ],
)
async def test_a_transaction_out_of_form_is_refused_before_anyone_is_asked(edge: Edge, field: str, value: Any) -> None:
    body = {"type": "buy", "symbol": "AAPL", "quantity": "1", "price": "1", "executed_at": "2020-01-02T15:00:00Z"}
    answer = await edge.http.post(f"{ROOT}/transactions", json={**body, field: value}, headers=KEY)
    assert answer.status_code == 422
    assert [item["pointer"] for item in answer.json()["errors"]] == [f"#/{field}"]
    assert edge.peers["portfolio"].asked == []


@pytest.mark.parametrize(
    ("time", "wanted"),
    [
        ("2020-01-02T15:00:00.1234567890Z", "has 10 digits of a second's fraction; at most 9 are taken"),
        ("2016-12-31T23:59:60Z", "leap second"),
        ("0001-01-01T00:00:00+14:00", "in the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59-01:00", "in the years 1 to 9999 in UTC"),
        ("0000-01-01T00:00:00Z", "in the years 1 to 9999"),
        ("2021-02-29T00:00:00Z", "a day of the calendar"),
        ("2020-01-02T24:00:00Z", "a time and an offset below 24:00"),
        ("2020-01-02T15:00:00+24:00", "a time and an offset below 24:00"),
        ("2020-01-02 15:00:00Z", "as RFC 3339 has it"),
        ("2020-01-02T15:00:00", "with its offset"),
    ],
)
async def test_a_time_that_is_not_taken_is_told_why(edge: Edge, time: str, wanted: str) -> None:
    answer = await edge.http.get(f"{ROOT}/positions", params={"as_of": time})
    (violation,) = answer.json()["errors"]
    assert violation["pointer"] == "query/as_of"
    assert wanted in violation["detail"]


async def test_an_import_passes_the_file_on_and_reports_each_row(edge: Edge) -> None:
    edge.peers["portfolio"].answers["ImportTransactions"] = portfolio_pb2.ImportTransactionsResponse(
        dry_run=True,
        accepted=[portfolio_pb2.Transaction(input=TRANSACTION.input)],
        rejected=[portfolio_pb2.RejectedRow(line=3, field="symbol", reason="unknown")],
    )
    path = f"{ROOT}/transactions/import?dry_run=true"
    answer = await edge.http.post(
        path, content=b"a,b\n1,2\n", headers={**KEY, "content-type": "text/csv; charset=utf-8"}
    )
    shown = transactions.ImportShown.model_validate(answer.json())
    assert [(row.line, row.reason) for row in shown.rejected] == [(3, "unknown")]
    assert shown.accepted[0].portfolio_id == str(ADA)
    asked = edge.peers["portfolio"].last("ImportTransactions")
    assert (asked.csv, asked.dry_run) == (b"a,b\n1,2\n", True)
    wrong = await edge.http.post(path, json={}, headers=KEY)
    assert wrong.status_code == 415


async def test_a_long_import_is_a_job_that_portfolio_keeps(edge: Edge) -> None:
    queued = job_pb2.Job(id=f"portfolio-{ADA}", kind="import-transactions", status=job_pb2.JOB_STATUS_QUEUED)
    edge.peers["portfolio"].answers["ImportTransactions"] = portfolio_pb2.ImportTransactionsResponse(job=queued)
    answer = await edge.http.post(
        f"{ROOT}/transactions/import", content=b"a,b\n", headers={**KEY, "content-type": "text/csv"}
    )
    location = f"/api/v2/jobs/portfolio-{ADA}"
    assert (answer.status_code, answer.headers["location"]) == (202, location)
    done = job_pb2.Job(id=queued.id, kind=queued.kind, status=job_pb2.JOB_STATUS_SUCCEEDED, progress=1.0)
    done.result.update({"accepted_rows": 2, "rejected": [{"line": 3, "column": None}], "rate": 0.5})
    edge.peers["portfolio"].answers["GetJob"] = job_pb2.GetJobResponse(job=done)
    shown = (await edge.http.get(location)).text
    assert json.loads(shown)["result"] == {
        "accepted_rows": 2,
        "rejected": [{"line": 3, "column": None}],
        "rate": 0.5,
    }
    assert "2.0" not in shown


async def test_a_jobs_problem_is_told_as_one_of_an_answer(edge: Edge) -> None:
    failed = job_pb2.Job(id=JOB, kind="import-transactions", status=job_pb2.JOB_STATUS_FAILED)
    told: dict[str, Any] = {
        "type": "/problems/unreadable-import",
        "title": "Unreadable import",
        "status": 422,
        "detail": "no header",
    }
    failed.problem.update(told)
    edge.peers["prediction"].answers["GetJob"] = job_pb2.GetJobResponse(job=failed)
    answer = await edge.http.get(f"/api/v2/jobs/{JOB}")
    assert answer.json()["problem"] == told | {"title": "Import not readable"}
    assert "422.0" not in answer.text


async def test_risk_is_of_a_portfolio_or_of_positions(edge: Edge) -> None:
    edge.peers["risk"].answers["ValueAtRisk"] = VALUE_AT_RISK
    positions = [{"symbol": "AAPL", "quantity": "-3"}]
    inline = await edge.http.post("/api/v2/risk/var", json={"positions": positions, "method": "parametric"})
    risk.ValueAtRiskShown.model_validate(inline.json())
    assert edge.peers["risk"].last("ValueAtRisk").positions.positions[0].quantity.value == "-3"
    await edge.http.post("/api/v2/risk/var", json={"portfolio_id": str(ADA)})
    assert edge.peers["risk"].last("ValueAtRisk").WhichOneof("book") == "portfolio_id"
    wrong: list[dict[str, Any]] = [{}, {"portfolio_id": str(ADA), "positions": positions}, {"positions": []}]
    for body in wrong:
        assert (await edge.http.post("/api/v2/risk/var", json=body)).status_code == 422


async def test_optimising_a_portfolio_and_a_list_of_symbols_is_one_calculation(edge: Edge) -> None:
    edge.peers["risk"].answers["Optimize"] = OPTIMUM
    constraints = {"maximum_weight": 0.5, "bounds": {"AAPL": {"minimum": 0.1}}}
    body = {"objective": "risk_parity", "constraints": constraints}
    answer = await edge.http.post(f"{ROOT}/optimize", json=body)
    optimization.OptimizationShown.model_validate(answer.json())
    asked = edge.peers["risk"].last("Optimize")
    assert asked.portfolio_id == str(ADA)
    assert asked.constraints.maximum_weight == 0.5
    assert not asked.constraints.HasField("minimum_weight")
    assert asked.constraints.bounds[0].minimum == 0.1
    free = await edge.http.post("/api/v2/risk/optimize", json={"objective": "risk_parity", "symbols": ["AAPL"]})
    assert free.status_code == 200
    assert (await edge.http.post("/api/v2/risk/optimize", json={"objective": "risk_parity"})).status_code == 422


async def test_training_is_a_job_at_its_own_address(edge: Edge) -> None:
    job = job_pb2.Job(id=JOB, kind="train", status=job_pb2.JOB_STATUS_QUEUED)
    edge.peers["prediction"].answers["TrainModel"] = prediction_pb2.TrainModelResponse(job=job)
    answer = await edge.http.post("/api/v2/predictions/train", json={"timeframe": "1w", "max_seconds": 5})
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v2/jobs/{JOB}")
    assert edge.peers["prediction"].last("TrainModel").max_seconds == 5
    edge.peers["prediction"].answers["CancelJob"] = job_pb2.CancelJobResponse(job=job)
    assert (await edge.http.delete(f"/api/v2/jobs/{JOB}")).status_code == 200


async def test_a_proof_holds_the_payload_as_the_ledger_has_it(edge: Edge) -> None:
    payload = b'{"quantity":"10","salt":"0x00"}'
    edge.peers["portfolio"].answers["GetTransactionPayload"] = portfolio_pb2.GetTransactionPayloadResponse(
        payload=payload
    )
    edge.peers["blockchain"].answers["GetInclusionProof"] = blockchain_pb2.GetInclusionProofResponse(
        leaf=b"\x01" * 32, path=[b"\x02" * 32], root=b"\x03" * 32, anchor=blockchain_pb2.Anchor(network="local")
    )
    answer = await edge.http.get(f"/api/v2/blockchain/proofs/{ADA}")
    shown = blockchain.ProofShown.model_validate(answer.json())
    assert payload in answer.content
    assert (shown.leaf, shown.path) == ("0x" + "01" * 32, ["0x" + "02" * 32])


async def test_a_proof_is_too_early_or_nobodys(edge: Edge) -> None:
    edge.peers["portfolio"].answers["GetTransactionPayload"] = portfolio_pb2.GetTransactionPayloadResponse(
        payload=b"{}"
    )
    edge.peers["blockchain"].answers["GetInclusionProof"] = TooEarly("not yet", retry_after_seconds=2.0)
    early = await edge.http.get(f"/api/v2/blockchain/proofs/{ADA}")
    assert (early.status_code, early.headers["retry-after"]) == (425, "2")
    edge.peers["portfolio"].answers["GetTransactionPayload"] = NotFound("no such transaction")
    edge.peers["blockchain"].asked.clear()
    assert (await edge.http.get(f"/api/v2/blockchain/proofs/{ADA}")).status_code == 404
    assert edge.peers["blockchain"].asked == []


async def test_a_proof_is_judged_byte_for_byte(edge: Edge) -> None:
    edge.peers["blockchain"].answers["VerifyProof"] = blockchain_pb2.VerifyProofResponse(valid=False, reason="root")
    body = b'{ "leaf" : "0x00", "amount": 1.50 }'
    answer = await edge.http.post(
        "/api/v2/blockchain/verify", content=body, headers={"content-type": "application/json"}
    )
    assert json.loads(answer.content) == {"valid": False, "reason": "root"}
    assert edge.peers["blockchain"].last("VerifyProof").proof_json == body.decode()
    listed = await edge.http.post("/api/v2/blockchain/verify", json=[1])
    assert listed.status_code == 422
