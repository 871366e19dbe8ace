"""Recordings that came in one call of gRPC, by a line or in a bundle: each under its own key, with its own answer."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.rpc import error_details_pb2, status_pb2

from quantmesh.api.common.v1.bundle_pb2 import BundledCall, BundledOutcome
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb

from .fakes import NO_CONTEXT, Service, User
from .messages import transaction

DEPOSIT = {"type": "deposit", "amount": "10.00", "currency": "USD", "at": "2020-01-02"}
SPLIT = {"type": "split", "symbol": "IBM", "split_ratio": "2", "at": "2020-01-04"}


def call(portfolio_id: str, key: str, **fields: Any) -> BundledCall:
    request = pb.RecordTransactionRequest(portfolio_id=portfolio_id, transaction=transaction(**fields))
    return BundledCall(request=request.SerializeToString(), idempotency_key=key)


async def line(user: User, *bundles: Sequence[BundledCall]) -> list[BundledOutcome]:
    """By their places, which the calls get in their order."""

    async def requests() -> AsyncIterator[pb.StreamRecordingsRequest]:
        place = 0
        for bundle in bundles:
            for each in bundle:
                place += 1
                each.place = place
            yield pb.StreamRecordingsRequest(calls=bundle)

    user.call()
    return by_place([each async for each in user.rpc.StreamRecordings(requests(), NO_CONTEXT)])


async def record(user: User, *calls: BundledCall) -> list[BundledOutcome]:
    """In the order of the calls."""
    user.call()
    request = pb.RecordTransactionsRequest(calls=calls)
    outcomes = by_place([each async for each in user.rpc.RecordTransactions(request, NO_CONTEXT)])
    assert [each.place for each in outcomes] == list(range(len(calls)))
    return outcomes


def by_place(
    answers: Sequence[pb.StreamRecordingsResponse] | Sequence[pb.RecordTransactionsResponse],
) -> list[BundledOutcome]:
    return sorted((outcome for answer in answers for outcome in answer.outcomes), key=lambda each: each.place)


def reason(outcome: BundledOutcome) -> str:
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(outcome.refusal).details[0].Unpack(info)
    return str(info.reason)


async def test_each_is_recorded_once_under_its_own_key(service: Service) -> None:
    user = service.user()
    portfolios = [(await user.create()).id for _ in range(3)]
    calls = [call(each, f"key {place}", **DEPOSIT) for place, each in enumerate(portfolios)]
    first, again = await record(user, *calls), await record(user, *calls)
    assert [each.replayed for each in first + again] == [False] * 3 + [True] * 3
    assert [each.response for each in first] == [each.response for each in again]
    for portfolio, outcome in zip(portfolios, first, strict=True):
        answer = pb.RecordTransactionResponse.FromString(outcome.response)
        assert (answer.transaction.portfolio_id, answer.cash.amount.value) == (portfolio, "10.00")
        assert [event.seq for event in (await user.events(portfolio)).events] == [1]


async def test_a_line_records_each_under_its_own_key(service: Service) -> None:
    user = service.user()
    portfolios = [(await user.create()).id for _ in range(3)]
    calls = [call(each, f"key {place}", **DEPOSIT) for place, each in enumerate(portfolios)]
    first, again = await line(user, calls[:2], calls[2:]), await line(user, calls)
    assert [each.place for each in first] == [each.place for each in again] == [1, 2, 3]
    assert [each.replayed for each in first + again] == [False] * 3 + [True] * 3
    assert [each.response for each in first] == [each.response for each in again]


async def test_a_refusal_leaves_what_came_with_it(service: Service) -> None:
    user = service.user()
    portfolio = (await user.create()).id
    outcomes = await record(
        user,
        call(portfolio, "a", **DEPOSIT),
        call(portfolio, "b", **DEPOSIT | {"type": "withdrawal", "amount": "1000000.00"}),
        call(portfolio, "", **DEPOSIT),
        call("nobody's", "c", **DEPOSIT),
        call(portfolio, "d", **DEPOSIT),
    )
    kinds = [each.WhichOneof("outcome") for each in outcomes]
    assert kinds == ["response", "refusal", "refusal", "refusal", "response"]
    assert [reason(outcomes[place]) for place in (1, 2, 3)] == [
        "insufficient-cash",
        "idempotency-key-required",
        "portfolio-not-found",
    ]
    assert [event.type for event in (await user.events(portfolio)).events] == ["transaction.recorded"] * 2


async def test_two_of_one_key_have_one_effect(service: Service) -> None:
    user = service.user()
    portfolio = (await user.create()).id
    outcomes = await record(user, *(call(portfolio, "twin", **DEPOSIT) for _ in range(2)))
    answered = {each.response for each in outcomes if each.HasField("response")}
    assert len(answered) == 1
    assert all(reason(each) == "request-in-progress" for each in outcomes if each.HasField("refusal"))
    assert len((await user.events(portfolio)).events) == 1


async def test_what_records_in_another_way_may_come_with_the_others(service: Service) -> None:
    user = service.user()
    portfolio = (await user.create()).id
    await user.deposit(portfolio)
    await user.buy(portfolio, "10", "100.00", symbol="IBM")
    outcomes = await record(user, call(portfolio, "split", **SPLIT), call((await user.create()).id, "b", **DEPOSIT))
    assert [each.WhichOneof("outcome") for each in outcomes] == ["response", "response"]
    assert pb.RecordTransactionResponse.FromString(outcomes[0].response).position.quantity.value == "20"
