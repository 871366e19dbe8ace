"""Performance between protobuf and the core."""

from collections.abc import Sequence

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.core.explanation import Contribution
from quantmesh.portfolio.core.get_performance import Explanation, MeasuredHistory
from quantmesh.portfolio.core.performance import Frequency, PerformancePoint
from quantmesh.portfolio.core.returns import CashFlow, Comparison, MoneyWeighted

FREQUENCIES = {
    pb.PERFORMANCE_FREQUENCY_UNSPECIFIED: Frequency.DAILY,
    pb.PERFORMANCE_FREQUENCY_DAILY: Frequency.DAILY,
    pb.PERFORMANCE_FREQUENCY_WEEKLY: Frequency.WEEKLY,
    pb.PERFORMANCE_FREQUENCY_MONTHLY: Frequency.MONTHLY,
}


def performance(
    value: MeasuredHistory, series: Sequence[PerformancePoint], next_cursor: str, currency: str
) -> pb.GetPerformanceResponse:
    """`series` is the page of it that is shown."""
    measured = value.performance
    return pb.GetPerformanceResponse(
        time_weighted_return=measured.time_weighted_return,
        annualized_return=measured.annualized_return,
        volatility=measured.volatility,
        maximum_drawdown=measured.maximum_drawdown,
        maximum_drawdown_start="" if measured.maximum_drawdown_start is None else f"{measured.maximum_drawdown_start}",
        maximum_drawdown_end="" if measured.maximum_drawdown_end is None else f"{measured.maximum_drawdown_end}",
        series=[_point(point, currency) for point in series],
        page=common_pb2.PageInfo(next_cursor=next_cursor),
        value=translate.money(measured.series[-1].value, currency) if measured.series else None,
        exchange_rates=translate.exchange_rates(value.rates),
        simple_return=value.simple_return,
        money_weighted=_money_weighted(value.money_weighted),
        sharpe_ratio=value.ratios.sharpe_ratio,
        sortino_ratio=value.ratios.sortino_ratio,
        benchmark=None if value.comparison is None else _comparison(value.comparison),
        explanation=None if value.explanation is None else _explanation(value.explanation, currency),
    )


def _point(value: PerformancePoint, currency: str) -> pb.PerformancePoint:
    return pb.PerformancePoint(
        date=value.day.isoformat(),
        value=translate.cash(value.value, currency),
        net_flow=translate.cash(value.net_flow, currency),
        time_weighted_return=value.time_weighted_return,
        drawdown=value.drawdown,
        period_return=value.period_return,
    )


def _money_weighted(value: MoneyWeighted) -> pb.MoneyWeightedReturn:
    return pb.MoneyWeightedReturn(
        period_return=value.period_return,
        annualized_return=value.annualized_return,
        internal_rates=value.rates,
        modified_dietz_return=value.modified_dietz_return,
    )


def _comparison(value: Comparison) -> pb.BenchmarkComparison:
    return pb.BenchmarkComparison(
        symbol=value.symbol, time_weighted_return=value.time_weighted_return, alpha=value.alpha, beta=value.beta
    )


def _explanation(value: Explanation, currency: str) -> pb.PerformanceExplanation | None:
    table = value.reconciliation
    if table is None:
        return None
    return pb.PerformanceExplanation(
        start_value=translate.money(table.start_value, currency),
        deposits=translate.money(table.deposits, currency),
        withdrawals=translate.money(table.withdrawals, currency),
        income=translate.money(table.income, currency),
        fees=translate.money(table.fees, currency),
        realized_gains=translate.money(table.realized_gains, currency),
        unrealized_gains=translate.money(table.unrealized_gains, currency),
        currency_gains=translate.money(table.currency_gains, currency),
        end_value=translate.money(table.end_value, currency),
        cash_flows=[_cash_flow(flow, currency) for flow in value.flows],
        contributions=[_contribution(item, currency) for item in value.contributions],
    )


def _cash_flow(value: CashFlow, currency: str) -> pb.PerformanceCashFlow:
    amount = translate.cash(value.amount, currency)
    return pb.PerformanceCashFlow(date=value.day.isoformat(), amount=amount, remaining=value.remaining)


def _contribution(value: Contribution, currency: str) -> pb.PerformanceContribution:
    gain = translate.cash(value.gain, currency)
    return pb.PerformanceContribution(symbol=value.symbol, gain=gain, contribution=value.contribution)
