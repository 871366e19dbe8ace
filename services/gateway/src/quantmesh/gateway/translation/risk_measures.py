"""Stress, margin, backtests and exposures: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import backtest_pb2, exposure_pb2, margin_pb2, stress_pb2
from quantmesh.gateway.http.models.backtest import BacktestBody
from quantmesh.gateway.http.models.exposure import ExposureBody
from quantmesh.gateway.http.models.margin import MarginBody
from quantmesh.gateway.http.models.stress import StressBody
from quantmesh.gateway.translation.common import instant, inverse, names_of, optional
from quantmesh.gateway.translation.positions import measured_book, option, position
from quantmesh.gateway.translation.risk import COVARIANCES, METHODS

MARGIN_RULES = {"regulation_t": margin_pb2.MARGIN_RULE_REGULATION_T, "portfolio": margin_pb2.MARGIN_RULE_PORTFOLIO}
MARGIN_RULE_NAMES = inverse(MARGIN_RULES)
_LINE_RULE_NAMES = inverse(names_of(margin_pb2.MarginLineRule, "MARGIN_LINE_RULE_"))
_ZONE_NAMES = inverse(names_of(backtest_pb2.TrafficLightZone, "TRAFFIC_LIGHT_ZONE_"))


def stress_request(body: StressBody) -> stress_pb2.StressRequest:
    request = stress_pb2.StressRequest(book=measured_book(body), episodes=body.episodes)
    if body.has_shocks:
        request.custom.rate_shift = body.rate_shift
        request.custom.elapsed_years = body.elapsed_years
        for symbol, shock in body.shocks.items():
            request.custom.shocks[symbol].CopyFrom(stress_pb2.Shock(**shock.model_dump()))
    if body.reverse is not None:
        request.reverse.CopyFrom(
            stress_pb2.ReverseStress(
                loss=body.reverse.loss,
                covariance=COVARIANCES[body.reverse.covariance],
                observations=body.reverse.observations or 0,
            )
        )
    return request


def stress(answer: stress_pb2.StressResponse) -> dict[str, Any]:
    return {
        "episodes": [_episode(item) for item in answer.episodes],
        "shocks": _outcome(answer.custom) if answer.HasField("custom") else None,
        "reverse": _reverse(answer.reverse) if answer.HasField("reverse") else None,
        "currency": answer.currency,
        "market_value": answer.market_value,
        "as_of": instant(answer, "as_of"),
    }


def _episode(item: stress_pb2.EpisodeOutcome) -> dict[str, Any]:
    return {
        "name": item.name,
        "first_day": item.first_day,
        "last_day": item.last_day,
        "last": _outcome(item.last),
        "worst_day": item.worst_day,
        "worst": _outcome(item.worst),
        "spot_moves": dict(item.spot_moves),
    }


def _reverse(item: stress_pb2.ReverseOutcome) -> dict[str, Any]:
    return {
        "distance": item.distance,
        "spot_moves": dict(item.spot_moves),
        "outcome": _outcome(item.outcome),
        "is_exact": item.is_exact,
    }


def _outcome(outcome: stress_pb2.StressOutcome) -> dict[str, Any]:
    return {
        "profit": outcome.profit,
        "positions": [
            {
                "symbol": item.symbol,
                "option": option(item),
                "market_value": item.market_value,
                "profit": item.profit,
            }
            for item in outcome.positions
        ],
    }


def margin_request(body: MarginBody) -> margin_pb2.MarginRequest:
    return margin_pb2.MarginRequest(
        book=measured_book(body), rule=MARGIN_RULES[body.rule], equity=body.equity, broad_indices=body.broad_indices
    )


def margin(answer: margin_pb2.MarginResponse) -> dict[str, Any]:
    return {
        "rule": MARGIN_RULE_NAMES[answer.rule],
        "requirement": answer.requirement,
        "initial": optional(answer, "initial"),
        "lines": [_line(item) for item in answer.lines],
        "groups": [
            {
                "symbol": item.symbol,
                "requirement": item.requirement,
                "scan_loss": item.scan_loss,
                "minimum": item.minimum,
                "binding": "minimum" if item.at_minimum else "scan",
                "spot_move": item.spot_move,
                "volatility_move": item.volatility_move,
            }
            for item in answer.groups
        ],
        "equity": optional(answer, "equity"),
        "shortfall": _shortfall(answer.shortfall) if answer.HasField("shortfall") else None,
        "currency": answer.currency,
        "market_value": answer.market_value,
        "as_of": instant(answer, "as_of"),
    }


def _line(item: margin_pb2.MarginLine) -> dict[str, Any]:
    return {
        "rule": _LINE_RULE_NAMES[item.rule],
        "positions": [position(held) for held in item.positions],
        "units": item.units,
        "initial": item.initial,
        "maintenance": item.maintenance,
    }


def _shortfall(item: margin_pb2.MarginShortfall) -> dict[str, Any]:
    suggestion = None
    if item.HasField("cured"):
        suggestion = {"positions": [position(held) for held in item.cured.positions]}
    return {
        "amount": item.amount,
        "cures": [
            {"change": position(cure.change), "requirement": cure.requirement, "traded_value": cure.traded_value}
            for cure in item.cures
        ],
        "proportional": optional(item, "proportional"),
        "suggestion": suggestion,
    }


def backtest_request(body: BacktestBody) -> backtest_pb2.BacktestRequest:
    request = backtest_pb2.BacktestRequest(confidence=body.confidence, seed=body.seed)
    if body.profits is not None:
        request.series.profits.extend(body.profits)
        request.series.value_at_risk.extend(body.value_at_risk or ())
        request.series.expected_shortfall.extend(body.expected_shortfall or ())
        return request
    request.rolling.CopyFrom(
        backtest_pb2.RollingForecasts(
            book=measured_book(body), method=METHODS[body.method], days=body.days, window=body.window
        )
    )
    return request


def backtest(answer: backtest_pb2.BacktestResponse) -> dict[str, Any]:
    light = answer.traffic_light
    series = answer.series
    return {
        "observations": answer.observations,
        "exceptions": answer.exceptions,
        "expected_exceptions": answer.expected_exceptions,
        "confidence": answer.confidence,
        "kupiec": _ratio(answer.kupiec),
        "independence": _ratio(answer.independence),
        "conditional_coverage": _ratio(answer.conditional_coverage),
        "traffic_light": {
            "zone": _ZONE_NAMES[light.zone],
            "cumulative_probability": light.cumulative_probability,
            "multiplier_increase": optional(light, "multiplier_increase"),
        },
        "shortfall": _shortfall_test(answer.shortfall) if answer.HasField("shortfall") else None,
        "series": [
            {"date": day, "profit": profit, "value_at_risk": value, "expected_shortfall": shortfall}
            for day, profit, value, shortfall in zip(
                answer.dates, series.profits, series.value_at_risk, series.expected_shortfall, strict=True
            )
        ],
        "currency": answer.currency or None,
        "as_of": instant(answer, "as_of"),
    }


def _ratio(item: backtest_pb2.LikelihoodRatio) -> dict[str, float]:
    return {"statistic": item.statistic, "p_value": item.p_value}


def _shortfall_test(item: backtest_pb2.ShortfallTest) -> dict[str, Any]:
    return {
        "z1": optional(item, "z1"),
        "z1_p_value": optional(item, "z1_p_value"),
        "z2": item.z2,
        "z2_p_value": item.z2_p_value,
    }


def exposure_request(body: ExposureBody) -> exposure_pb2.ExposureRequest:
    return exposure_pb2.ExposureRequest(
        book=measured_book(body), daily_volumes=body.daily_volumes, participation_rate=body.participation_rate
    )


def exposure(answer: exposure_pb2.ExposureResponse) -> dict[str, Any]:
    names = (
        "symbol",
        "spot",
        "market_value",
        "delta",
        "dollar_delta",
        "gamma",
        "dollar_gamma",
        "vega",
        "theta",
        "rho",
        "weight",
    )
    liquidity = None
    if answer.HasField("sold_in_a_day"):
        liquidity = {"longest_days": optional(answer, "longest_days"), "sold_in_a_day": answer.sold_in_a_day}
    concentration = None
    if answer.herfindahl:
        concentration = {"herfindahl": answer.herfindahl, "effective_number": answer.effective_number}
    return {
        "exposures": [
            {
                **{name: getattr(item, name) for name in names},
                **{name: optional(item, name) for name in ("days_to_sell", "daily_volume")},
            }
            for item in answer.exposures
        ],
        "concentration": concentration,
        "liquidity": liquidity,
        "currency": answer.currency,
        "market_value": answer.market_value,
        "as_of": instant(answer, "as_of"),
    }
