"""Single prices, and the record that is kept of each."""

import asyncio
import hashlib
import json
import math
from typing import Any
from uuid import UUID

import pytest

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.errors import InvalidInput, NotFound, RuleBroken, Unavailable
from quantmesh.pricing.adapters.quote_recorder import QuoteRecorder
from quantmesh.pricing.core.errors import RecordsBehind
from quantmesh.pricing.core.ports import QuoteRecord
from quantmesh.quant import american, black_scholes, sabr

from .conftest import ADA, BOB, Pricing, price_request


async def test_answers_price_greeks_and_a_quote_id(pricing: Pricing) -> None:
    answer = await pricing.price()
    expected = black_scholes.price_and_greeks("call", 100, 100, 1, 0.05, 0, 0.2)
    assert answer.price == expected.price == pytest.approx(10.450583572185565, rel=1e-14)
    greeks = answer.greeks
    assert (greeks.delta, greeks.gamma, greeks.vega, greeks.theta, greeks.rho) == expected[1:]
    assert (answer.engine, answer.model) == ("closed_form", pb.MODEL_BLACK_SCHOLES)
    assert UUID(answer.quote_id).version == 7
    assert not (await pricing.price(greeks=False)).HasField("greeks")


async def test_greeks_to_the_third_order_on_request(pricing: Pricing) -> None:
    request = price_request(strike=110.0)
    request.higher_orders = True
    greeks = (await pricing.peer.call(pricing.stub.Price, request)).greeks
    expected = black_scholes.greeks("call", 100, 110, 1, 0.05, 0, 0.2, higher_orders=True)
    assert {name: getattr(greeks, name) for name in expected._fields} == expected._asdict()


async def test_an_american_call_before_a_dividend_has_its_greeks(pricing: Pricing) -> None:
    asked = price_request(style=pb.EXERCISE_STYLE_AMERICAN, dividends=[pb.CashDividend(time=0.5, amount=4.0)])
    answer = await pricing.peer.call(pricing.stub.Price, asked)
    expected = american.price_and_greeks_with_dividends("call", 100, 100, 1, 0.05, 0, 0.2, [0.5], [4.0])
    assert answer.engine == "finite_differences"
    assert [answer.price, *(getattr(answer.greeks, name) for name in expected._fields[1:])] == list(expected)


async def test_sabr_is_priced_by_either_expansion_and_names_its_parameters(pricing: Pricing) -> None:
    law = {"alpha": 0.04, "beta": 0.5, "rho": -0.3, "nu": 0.4}
    contract = pb.Contract(option_type=pb.OPTION_TYPE_PUT, forward=0.02, strike=0.03, time_to_expiry=2.0, rate=0.01)
    parameters = pb.SabrParameters(**law, shift=0.01)
    lognormal = pb.PriceRequest(model=pb.MODEL_SABR, contract=contract, greeks=True, sabr=parameters)
    normal = pb.PriceRequest(model=pb.MODEL_SABR_NORMAL, contract=contract, greeks=True, sabr_normal=parameters)
    for request, price_and_greeks in ((lognormal, sabr.price_and_greeks), (normal, sabr.normal_price_and_greeks)):
        answer = await pricing.peer.call(pricing.stub.Price, request)
        expected = price_and_greeks("put", 0.02, 0.03, 2.0, 0.01, **law, shift=0.01)
        assert (answer.price, answer.greeks.vega, answer.greeks.gamma) == (
            expected.price,
            expected.vega,
            expected.gamma,
        )
        assert (answer.engine, answer.model) == ("expansion", request.model)
    wrong = pb.PriceRequest(model=pb.MODEL_SABR, contract=contract, sabr=pb.SabrParameters(alpha=0.04, rho=1.0))
    with pytest.raises(InvalidInput, match=r"sabr\.rho must be a correlation strictly between"):
        await pricing.peer.call(pricing.stub.Price, wrong)


async def test_a_quote_is_explained_before_and_after_it_is_written(pricing: Pricing) -> None:
    answer = await pricing.price(0.3, strike=90.0)
    waiting = await pricing.peer.call(pricing.stub.GetQuoteRecord, pb.GetQuoteRecordRequest(quote_id=answer.quote_id))
    await pricing.recorder.drain()
    assert await pricing.store.find(ADA, UUID(answer.quote_id)) is not None
    stored = await pricing.peer.call(pricing.stub.GetQuoteRecord, pb.GetQuoteRecordRequest(quote_id=answer.quote_id))
    assert stored == waiting
    assert stored.response == answer
    assert stored.request == price_request(0.3, strike=90.0)
    assert stored.code_version.startswith("0.")
    inputs = {
        "dividend_yield": 0.0,
        "model": "black_scholes",
        "option_type": "call",
        "rate": 0.05,
        "spot": 100.0,
        "strike": 90.0,
        "style": "european",
        "time_to_expiry": 1.0,
        "volatility": 0.3,
    }
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()
    assert stored.input_hash == hashlib.sha256(canonical).hexdigest()


async def test_the_quote_of_another_is_not_found_waiting_or_written(pricing: Pricing) -> None:
    answer = await pricing.price()
    for _ in range(2):
        pricing.act_as(BOB)
        with pytest.raises(NotFound, match=answer.quote_id):
            await pricing.peer.call(pricing.stub.GetQuoteRecord, pb.GetQuoteRecordRequest(quote_id=answer.quote_id))
        pricing.act_as(ADA)
        await pricing.recorder.drain()
    with pytest.raises(NotFound):
        await pricing.peer.call(pricing.stub.GetQuoteRecord, pb.GetQuoteRecordRequest(quote_id="no id"))


async def test_every_quote_is_written_in_batches_beside_the_requests(pricing: Pricing) -> None:
    answers = []
    for first in range(0, 600, 100):
        asked = (pricing.price(0.1 + 0.001 * number, greeks=False) for number in range(first, first + 100))
        answers += await asyncio.gather(*asked)
    await pricing.recorder.drain()
    for answer in answers[::50]:
        record = await pricing.store.find(ADA, UUID(answer.quote_id))
        assert record is not None
        assert pb.PriceResponse.FromString(record.response) == answer


async def test_a_batch_offered_twice_is_written_once(pricing: Pricing) -> None:
    answer = await pricing.price()
    await pricing.recorder.drain()
    record = await pricing.store.find(ADA, UUID(answer.quote_id))
    assert record is not None
    await pricing.store.insert([record])
    assert await pricing.store.find(ADA, UUID(answer.quote_id)) == record


class AbsentStore:
    """A database that is away until it is told to come back."""

    def __init__(self) -> None:
        self.away = True
        self.written: list[UUID] = []

    async def insert(self, records: list[QuoteRecord]) -> None:
        if self.away:
            msg = "away"
            raise Unavailable(msg)
        self.written += [record.quote_id for record in records]

    async def find(self, owner_id: UUID, quote_id: UUID) -> QuoteRecord | None:
        return None


async def test_quotes_wait_for_an_absent_database_up_to_a_limit() -> None:
    store = AbsentStore()
    recorder = QuoteRecorder(store, SystemClock(), "1", most_waiting=3)
    ids = [UUID(int=number) for number in range(3)]
    for quote_id in ids:
        recorder.check_room()
        recorder.record(quote_id, ADA, price_request(), pb.PriceResponse())
    with pytest.raises(RecordsBehind, match="3 quotes wait"):
        recorder.check_room()
    with pytest.raises(Unavailable):
        await recorder.drain()
    store.away = False
    await recorder.drain()
    assert store.written == ids
    recorder.check_room()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"spot": -1.0}, "contract.spot"),
        ({"spot": math.nan}, "contract.spot"),
        ({"strike": math.inf}, "contract.strike"),
        ({"time_to_expiry": -0.5}, "contract.time_to_expiry"),
        ({"rate": 1000.0}, "contract.rate"),
        ({"option_type": pb.OPTION_TYPE_UNSPECIFIED}, "contract.option_type"),
        ({"option_type": 7}, "contract.option_type"),
        ({"volatility": -0.2}, "volatility"),
    ],
)
async def test_bad_input_names_its_field(pricing: Pricing, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await pricing.price(**wrong)
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize(("model", "style"), [(pb.MODEL_HESTON, pb.EXERCISE_STYLE_AMERICAN), (0, 7), (99, 0)])
async def test_what_is_not_built_says_what_is(pricing: Pricing, model: pb.Model.ValueType, style: int) -> None:
    request = price_request(style=style)
    request.model = model
    with pytest.raises(RuleBroken, match="there are black_scholes european, black_76 european") as refused:
        await pricing.peer.call(pricing.stub.Price, request)
    assert refused.value.problem == "unsupported-model"


async def test_the_implied_volatility_comes_back_from_the_price(pricing: Pricing) -> None:
    answer = await pricing.price(0.37, strike=120.0)
    request = pb.ImpliedVolatilityRequest(contract=price_request(strike=120.0).contract, price=answer.price)
    implied = await pricing.peer.call(pricing.stub.ImpliedVolatility, request)
    assert implied.implied_volatility == pytest.approx(0.37, rel=1e-13)


@pytest.mark.parametrize(("price", "side"), [(4.0, "below the intrinsic value"), (100.0, "not below the bound")])
async def test_a_price_that_no_volatility_gives_is_told_the_range(pricing: Pricing, price: float, side: str) -> None:
    request = pb.ImpliedVolatilityRequest(contract=price_request().contract, price=price)
    with pytest.raises(
        RuleBroken, match=rf"{side}\. This contract is worth from 4\.877.* to less than 100\."
    ) as refused:
        await pricing.peer.call(pricing.stub.ImpliedVolatility, request)
    assert refused.value.problem == "no-volatility"
    assert [violation.field for violation in refused.value.violations] == ["price"]
