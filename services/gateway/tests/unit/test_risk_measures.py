"""Value at risk of books with options, stress, margin, backtests and exposures at the edge."""

from typing import Any

import pytest

from quantmesh.api.common.v1.common_pb2 import Decimal
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.risk.v1 import backtest_pb2, exposure_pb2, margin_pb2, risk_pb2, stress_pb2
from quantmesh.gateway.http.models.backtest import BacktestShown
from quantmesh.gateway.http.models.exposure import ExposureShown
from quantmesh.gateway.http.models.margin import MarginShown
from quantmesh.gateway.http.models.risk import ValueAtRiskShown
from quantmesh.gateway.http.models.stress import StressShown
from quantmesh.gateway.translation import risk_measures

from .edges import ADA, Edge

STOCK = {"symbol": "AAPL", "quantity": "100"}
OPTION = {"option_type": "put", "style": "american", "strike": 130, "time_to_expiry": 0.5, "volatility": 0.3}
PUT = {"symbol": "AAPL", "quantity": "-1", "option": {**OPTION, "multiplier": 100}}
PUT_MESSAGE = risk_pb2.PositionOption(
    option_type=pricing_pb2.OPTION_TYPE_PUT,
    style=pricing_pb2.EXERCISE_STYLE_AMERICAN,
    strike=130,
    time_to_expiry=0.5,
    volatility=0.3,
    multiplier=100,
)
HELD = risk_pb2.InlinePosition(symbol="AAPL", quantity=Decimal(value="-1"), option=PUT_MESSAGE)
OUTCOME = stress_pb2.StressOutcome(
    profit=-12.0,
    positions=[
        stress_pb2.PositionProfit(symbol="AAPL", market_value=100, profit=-20),
        stress_pb2.PositionProfit(symbol="AAPL", market_value=-5, profit=8, option=PUT_MESSAGE),
    ],
)


async def test_options_and_the_simulation_are_passed_on_and_shown(edge: Edge) -> None:
    edge.peers["risk"].answers["ValueAtRisk"] = risk_pb2.ValueAtRiskResponse(
        value_at_risk=10,
        contributions=[risk_pb2.RiskContribution(symbol="AAPL", option=PUT_MESSAGE, incremental=2.5)],
        method=risk_pb2.VALUE_AT_RISK_METHOD_MONTE_CARLO,
        standard_error=0.25,
    )
    body = {"positions": [STOCK, PUT], "method": "monte_carlo", "covariance": "ewma", "paths": 5000, "seed": 3}
    answer = await edge.http.post("/api/v2/risk/var", json={**body, "rate": 0.03})
    assert answer.status_code == 200, answer.text
    shown = ValueAtRiskShown.model_validate(answer.json())
    assert (shown.standard_error, shown.shortfall_standard_error) == (0.25, None)
    part = shown.contributions[0]
    assert part.option is not None
    assert (part.option.strike, part.marginal, part.incremental) == (130, None, 2.5)
    asked = edge.peers["risk"].last("ValueAtRisk")
    assert asked.positions.positions[1].option == PUT_MESSAGE
    assert not asked.positions.positions[0].HasField("option")
    assert (asked.rate, asked.paths, asked.seed) == (0.03, 5000, 3)
    assert asked.covariance == risk_pb2.COVARIANCE_ESTIMATOR_EWMA


async def test_students_t_is_passed_on_with_its_degrees_of_freedom_to_a_simulation_alone(edge: Edge) -> None:
    edge.peers["risk"].answers["ValueAtRisk"] = risk_pb2.ValueAtRiskResponse(
        method=risk_pb2.VALUE_AT_RISK_METHOD_MONTE_CARLO
    )
    body = {"positions": [STOCK], "method": "monte_carlo", "distribution": "student_t", "degrees_of_freedom": 4}
    assert (await edge.http.post("/api/v2/risk/var", json=body)).status_code == 200
    asked = edge.peers["risk"].last("ValueAtRisk")
    assert (asked.distribution, asked.degrees_of_freedom) == (risk_pb2.SHOCK_DISTRIBUTION_STUDENT_T, 4.0)
    for change, pointer in (
        ({"method": "historical"}, "#/distribution"),
        ({"distribution": "normal"}, "#/degrees_of_freedom"),
        ({"degrees_of_freedom": 2}, "#/degrees_of_freedom"),
        ({"distribution": "cauchy"}, "#/distribution"),
    ):
        refused = await edge.http.post("/api/v2/risk/var", json=body | change)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_stress_is_of_episodes_of_shocks_and_of_a_loss(edge: Edge) -> None:
    edge.peers["risk"].answers["Stress"] = stress_pb2.StressResponse(
        episodes=[
            stress_pb2.EpisodeOutcome(
                name="covid",
                first_day="2020-02-19",
                last_day="2020-03-23",
                last=OUTCOME,
                worst_day="2020-03-20",
                worst=OUTCOME,
                spot_moves={"AAPL": -0.3},
            )
        ],
        custom=OUTCOME,
        reverse=stress_pb2.ReverseOutcome(distance=3.5, spot_moves={"AAPL": -0.1}, outcome=OUTCOME, is_exact=True),
        currency="USD",
    )
    body = {
        "positions": [STOCK, PUT],
        "episodes": ["covid"],
        "shocks": {"AAPL": {"spot_move": -0.2, "volatility_shift": 0.1}},
        "rate_shift": 0.01,
        "reverse": {"loss": "1000.00", "covariance": "ledoit_wolf"},
    }
    answer = await edge.http.post("/api/v2/risk/stress", json=body)
    assert answer.status_code == 200, answer.text
    shown = StressShown.model_validate(answer.json())
    assert shown.shocks is not None
    assert [item.profit for item in shown.shocks.positions] == [-20, 8]
    asked = edge.peers["risk"].last("Stress")
    assert asked.custom.shocks["AAPL"] == stress_pb2.Shock(spot_move=-0.2, volatility_shift=0.1)
    assert asked.custom.rate_shift == 0.01
    assert (asked.reverse.loss, asked.reverse.covariance) == (1000, risk_pb2.COVARIANCE_ESTIMATOR_LEDOIT_WOLF)
    await edge.http.post("/api/v2/risk/stress", json={"portfolio_id": str(ADA), "episodes": ["covid"]})
    asked = edge.peers["risk"].last("Stress")
    assert asked.book.portfolio_id == str(ADA)
    assert not asked.HasField("custom")
    assert not asked.HasField("reverse")


async def test_a_cured_book_is_shown_ready_to_be_asked_for(edge: Edge) -> None:
    edge.peers["risk"].answers["Margin"] = margin_pb2.MarginResponse(
        rule=margin_pb2.MARGIN_RULE_REGULATION_T,
        requirement=900,
        initial=1000,
        lines=[margin_pb2.MarginLine(rule=margin_pb2.MARGIN_LINE_RULE_UNCOVERED_PUT, positions=[HELD], units=100)],
        groups=[margin_pb2.MarginGroup(symbol="AAPL", spot_move=-0.15, volatility_move=0.2)],
        equity=500,
        shortfall=margin_pb2.MarginShortfall(
            amount=400,
            cures=[margin_pb2.MarginCure(change=HELD, requirement=480, traded_value=700)],
            cured=risk_pb2.InlinePositions(positions=[HELD]),
        ),
    )
    body = {"positions": [STOCK, PUT], "rule": "regulation_t", "equity": "500.00"}
    answer = await edge.http.post("/api/v2/risk/margin", json=body)
    assert answer.status_code == 200, answer.text
    shown = MarginShown.model_validate(answer.json())
    assert (shown.lines[0].rule, shown.groups[0].binding) == ("uncovered_put", "scan")
    asked = edge.peers["risk"].last("Margin")
    assert (asked.equity, asked.rule) == (500, margin_pb2.MARGIN_RULE_REGULATION_T)
    suggestion = answer.json()["shortfall"]["suggestion"]
    again = await edge.http.post("/api/v2/risk/margin", json={**suggestion, "rule": "portfolio"})
    assert again.status_code == 200, again.text
    asked = edge.peers["risk"].last("Margin")
    assert asked.book.positions.positions[0] == HELD
    assert not asked.HasField("equity")


async def test_backtests_are_of_a_book_or_of_series(edge: Edge) -> None:
    edge.peers["risk"].answers["Backtest"] = backtest_pb2.BacktestResponse(
        observations=2,
        exceptions=1,
        kupiec=backtest_pb2.LikelihoodRatio(statistic=1.5, p_value=0.2),
        traffic_light=backtest_pb2.TrafficLight(zone=backtest_pb2.TRAFFIC_LIGHT_ZONE_YELLOW),
        shortfall=backtest_pb2.ShortfallTest(z1=-0.5, z1_p_value=0.1, z2=-0.2, z2_p_value=0.3),
        series=backtest_pb2.ForecastSeries(profits=[1, -2], value_at_risk=[1, 1], expected_shortfall=[2, 2]),
        dates=["2022-09-30", "2022-10-03"],
    )
    body = {"positions": [STOCK, PUT], "method": "parametric", "rate": 0.03}
    answer = await edge.http.post("/api/v2/risk/backtest", json=body)
    assert answer.status_code == 200, answer.text
    shown = BacktestShown.model_validate(answer.json())
    assert (shown.traffic_light.zone, shown.traffic_light.multiplier_increase) == ("yellow", None)
    assert [day.profit for day in shown.series] == [1, -2]
    asked = edge.peers["risk"].last("Backtest").rolling
    assert (asked.days, asked.window, asked.method) == (250, 500, risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC)
    assert (asked.book.positions.positions[1], asked.book.rate) == (HELD, 0.03)
    edge.peers["risk"].answers["Backtest"] = backtest_pb2.BacktestResponse(
        traffic_light=backtest_pb2.TrafficLight(zone=backtest_pb2.TRAFFIC_LIGHT_ZONE_GREEN)
    )
    given = await edge.http.post("/api/v2/risk/backtest", json={"profits": [1, -2], "value_at_risk": [1, 1]})
    assert BacktestShown.model_validate(given.json()).shortfall is None
    assert list(edge.peers["risk"].last("Backtest").series.profits) == [1, -2]


async def test_exposures_are_shown_by_underlying(edge: Edge) -> None:
    edge.peers["risk"].answers["Exposure"] = exposure_pb2.ExposureResponse(
        exposures=[
            exposure_pb2.UnderlyingExposure(symbol="AAPL", delta=60, weight=1.0, days_to_sell=0.5, daily_volume=6e7)
        ],
        herfindahl=1.0,
        effective_number=1.0,
        sold_in_a_day=1.0,
    )
    answer = await edge.http.post(
        "/api/v2/risk/exposure", json={"positions": [STOCK], "daily_volumes": {"AAPL": 80_000_000}}
    )
    assert answer.status_code == 200, answer.text
    shown = ExposureShown.model_validate(answer.json())
    assert (shown.exposures[0].days_to_sell, shown.exposures[0].daily_volume) == (0.5, 6e7)
    assert shown.liquidity is not None
    assert shown.liquidity.longest_days is None
    assert edge.peers["risk"].last("Exposure").daily_volumes["AAPL"] == 80_000_000


HELD_BODY: dict[str, Any] = {"positions": [STOCK]}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("var", {**HELD_BODY, "paths": 100_001}, "#/paths"),
        ("var", {**HELD_BODY, "seed": -1}, "#/seed"),
        ("var", {**HELD_BODY, "method": "guess"}, "#/method"),
        ("var", {**HELD_BODY, "covariance": "guess"}, "#/covariance"),
        ("var", {"positions": [{**PUT, "option": {**OPTION, "strike": 0}}]}, "#/positions/0/option/strike"),
        ("var", {"positions": [{**PUT, "option": {**OPTION, "style": "bermudan"}}]}, "#/positions/0/option/style"),
        ("stress", HELD_BODY, "#"),
        ("stress", {"episodes": ["covid"]}, "#"),
        ("stress", {**HELD_BODY, "shocks": {"AAPL": {"spot_move": -1.5}}}, "#/shocks/AAPL/spot_move"),
        ("stress", {**HELD_BODY, "shocks": {"AAPL": {"move": -0.5}}}, "#/shocks/AAPL/move"),
        ("stress", {**HELD_BODY, "reverse": {"loss": "0"}}, "#/reverse/loss"),
        ("stress", {**HELD_BODY, "reverse": {"loss": "much"}}, "#/reverse/loss"),
        ("margin", HELD_BODY, "#/rule"),
        ("margin", {**HELD_BODY, "rule": "portfolio", "equity": "1e5"}, "#/equity"),
        ("backtest", {}, "#"),
        ("backtest", {**HELD_BODY, "profits": [1, 2], "value_at_risk": [1, 1]}, "#"),
        ("backtest", {"profits": [1, 2]}, "#"),
        ("backtest", {"profits": [1, 2], "value_at_risk": [1, 0]}, "#/value_at_risk/1"),
        ("backtest", {**HELD_BODY, "window": 1}, "#/window"),
        ("exposure", {**HELD_BODY, "daily_volumes": {"AAPL": -1}}, "#/daily_volumes/AAPL"),
        ("exposure", {**HELD_BODY, "participation_rate": 0}, "#/participation_rate"),
    ],
)
async def test_a_broken_rule_is_named_by_its_place(edge: Edge, path: str, body: dict[str, Any], pointer: str) -> None:
    answer = await edge.http.post(f"/api/v2/risk/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert pointer in [item["pointer"] for item in answer.json()["errors"]]


def test_rules_and_zones_that_only_a_newer_release_knows_are_shown_as_unknown() -> None:
    later: Any = 99
    shown = risk_measures.margin(margin_pb2.MarginResponse(rule=later, lines=[margin_pb2.MarginLine(rule=later)]))
    assert (shown["rule"], shown["lines"][0]["rule"]) == ("unknown", "unknown")
    tested = risk_measures.backtest(backtest_pb2.BacktestResponse(traffic_light=backtest_pb2.TrafficLight(zone=later)))
    assert tested["traffic_light"]["zone"] == "unknown"
