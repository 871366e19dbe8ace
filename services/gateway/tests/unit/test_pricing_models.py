"""Which fields each pricing model takes, what becomes of them, and the Greeks that are asked for."""

from typing import Any

import pytest

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.gateway.http.models.options import PriceShown

from .edges import Edge
from .test_options import ANSWER, BODY, PRICE


async def test_each_model_is_passed_on_with_its_own_parameters(edge: Edge) -> None:
    edge.peers["pricing"].answers["Price"] = ANSWER
    contract = {"option_type": "put", "strike": 95, "time_to_expiry": 0.5, "rate": 0.02}
    parameters = {"v0": 0.04, "kappa": 1.5, "theta": 0.05, "sigma": 0.6, "rho": -0.7}
    jumps = {"jump_intensity": 0.3, "jump_mean": -0.1, "jump_volatility": 0.2}

    async def asked(**body: Any) -> pb.PriceRequest:
        answer = await edge.http.post(PRICE, json=contract | body)
        assert answer.status_code == 200, answer.text
        request = edge.peers["pricing"].last("Price")
        assert isinstance(request, pb.PriceRequest)
        return request

    heston = await asked(model="heston", spot=100, **parameters)
    assert (heston.model, heston.heston) == (pb.MODEL_HESTON, pb.HestonParameters(**parameters))
    bates = await asked(model="bates", spot=100, **parameters, **jumps)
    assert (bates.model, bates.bates) == (pb.MODEL_BATES, pb.BatesParameters(**parameters, **jumps))
    bachelier = await asked(model="bachelier", forward=-1.5, volatility=20)
    assert (bachelier.contract.forward, bachelier.contract.spot, bachelier.volatility) == (-1.5, 0, 20)
    smile = {"alpha": 0.04, "beta": 0.5, "rho": -0.3, "nu": 0.4}
    sabr = await asked(model="sabr", forward=98, **smile)
    assert (sabr.model, sabr.sabr, sabr.contract.forward) == (pb.MODEL_SABR, pb.SabrParameters(**smile), 98)
    normal = await asked(model="sabr_normal", forward=-1, **smile, shift=3)
    assert (normal.model, normal.sabr_normal) == (pb.MODEL_SABR_NORMAL, pb.SabrParameters(**smile, shift=3))
    american = await asked(style="american", spot=100, volatility=0.3, accuracy="accurate")
    assert (american.contract.style, american.accuracy) == (pb.EXERCISE_STYLE_AMERICAN, pb.ACCURACY_ACCURATE)


async def test_what_sabr_needs_and_does_not_take_is_named(edge: Edge) -> None:
    body = {"model": "sabr", "option_type": "put", "spot": 100, "strike": 95, "time_to_expiry": 0.5, "alpha": 0.04}
    answer = await edge.http.post(PRICE, json=body)
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert (answer.status_code, pointers) == (422, {"#/forward", "#/beta", "#/rho", "#/nu", "#/spot"})


async def test_cash_dividends_are_passed_on(edge: Edge) -> None:
    edge.peers["pricing"].answers["Price"] = ANSWER
    body = {"option_type": "call", "spot": 100, "strike": 95, "time_to_expiry": 0.5, "volatility": 0.2}
    answer = await edge.http.post(PRICE, json=body | {"dividends": [{"time": 0.25, "amount": 1.5}]})
    assert answer.status_code == 200, answer.text
    assert list(edge.peers["pricing"].last("Price").contract.dividends) == [pb.CashDividend(time=0.25, amount=1.5)]


@pytest.mark.parametrize(
    ("asked", "first", "all_orders"),
    [(False, False, False), (True, True, False), ("first", True, False), ("all", True, True)],
)
async def test_greeks_are_asked_for_by_order(edge: Edge, asked: bool | str, first: bool, all_orders: bool) -> None:
    edge.peers["pricing"].answers["Price"] = ANSWER
    await edge.http.post(PRICE, json={**BODY, "greeks": asked})
    sent = edge.peers["pricing"].last("Price")
    assert (sent.greeks, sent.higher_orders) == (first, all_orders)


async def test_greeks_of_higher_order_are_shown_where_they_were_answered(edge: Edge) -> None:
    answer = pb.PriceResponse()
    answer.CopyFrom(ANSWER)
    answer.greeks.vanna, answer.greeks.color = -0.3, float("inf")
    edge.peers["pricing"].answers["Price"] = answer
    shown = (await edge.http.post(PRICE, json={**BODY, "greeks": "all"})).json()
    PriceShown.model_validate(shown)
    assert list(shown["greeks"]) == ["delta", "gamma", "vega", "theta", "rho", "vanna", "color"]
    assert (shown["greeks"]["vanna"], shown["greeks"]["color"]) == (-0.3, None)
