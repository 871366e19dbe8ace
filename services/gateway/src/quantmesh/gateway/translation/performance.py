"""Performance: a query to its message, and the answer as JSON."""

from typing import Any

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models.performance import PerformanceQuery
from quantmesh.gateway.translation.common import (
    day_request,
    finite,
    instant,
    instant_request,
    money,
    next_cursor,
    optional,
    optional_money,
    page_request,
)
from quantmesh.gateway.translation.portfolios import translation_rate

FREQUENCIES = {
    "daily": pb.PERFORMANCE_FREQUENCY_DAILY,
    "weekly": pb.PERFORMANCE_FREQUENCY_WEEKLY,
    "monthly": pb.PERFORMANCE_FREQUENCY_MONTHLY,
}
_TABLE = (
    "start_value", "deposits", "withdrawals", "income", "fees", "realized_gains", "unrealized_gains", "currency_gains",
    "end_value",
)  # fmt: skip


def performance_request(portfolio_id: str, query: PerformanceQuery) -> pb.GetPerformanceRequest:
    return pb.GetPerformanceRequest(
        portfolio_id=portfolio_id,
        as_of=instant_request(query.as_of),
        known_at=instant_request(query.known_at),
        start=day_request(query.start),
        end=day_request(query.end),
        page=page_request(query.limit, query.cursor),
        explain=query.explain,
        benchmark=query.benchmark or "",
        frequency=FREQUENCIES[query.frequency],
        risk_free_rate=query.risk_free_rate,
    )


def performance(answer: pb.GetPerformanceResponse) -> dict[str, Any]:
    return {
        "time_weighted_return": answer.time_weighted_return,
        "annualized_return": finite(answer.annualized_return),
        "simple_return": finite(answer.simple_return),
        "money_weighted": {
            "period_return": optional(answer.money_weighted, "period_return"),
            "annualized_return": optional(answer.money_weighted, "annualized_return"),
            "internal_rates": list(answer.money_weighted.internal_rates),
            "modified_dietz_return": optional(answer.money_weighted, "modified_dietz_return"),
        },
        "volatility": finite(answer.volatility),
        "sharpe_ratio": optional(answer, "sharpe_ratio"),
        "sortino_ratio": optional(answer, "sortino_ratio"),
        "maximum_drawdown": answer.maximum_drawdown,
        "maximum_drawdown_start": answer.maximum_drawdown_start or None,
        "maximum_drawdown_end": answer.maximum_drawdown_end or None,
        "benchmark": _benchmark(answer.benchmark) if answer.HasField("benchmark") else None,
        "explanation": _explanation(answer.explanation) if answer.HasField("explanation") else None,
        "value": optional_money(answer, "value"),
        "series": [
            {
                "date": point.date,
                "value": point.value.value,
                "net_flow": point.net_flow.value,
                "time_weighted_return": point.time_weighted_return,
                "drawdown": point.drawdown,
                "period_return": point.period_return,
            }
            for point in answer.series
        ],
        "next_cursor": next_cursor(answer.page),
        "exchange_rates": [translation_rate(rate) for rate in answer.exchange_rates],
        "as_of": instant(answer, "as_of"),
        "known_at": instant(answer, "known_at"),
    }


def _benchmark(message: pb.BenchmarkComparison) -> dict[str, Any]:
    return {
        "symbol": message.symbol,
        "time_weighted_return": message.time_weighted_return,
        "alpha": optional(message, "alpha"),
        "beta": optional(message, "beta"),
    }


def _explanation(message: pb.PerformanceExplanation) -> dict[str, Any]:
    return {
        **{name: money(getattr(message, name)) for name in _TABLE},
        "cash_flows": [
            {"date": flow.date, "amount": flow.amount.value, "remaining": flow.remaining} for flow in message.cash_flows
        ],
        "contributions": [
            {"symbol": item.symbol or None, "gain": item.gain.value, "contribution": item.contribution}
            for item in message.contributions
        ],
    }
