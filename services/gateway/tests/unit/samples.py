"""Messages as the services answer them, and what each read of the edge asks and shows."""

from typing import Any

from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

from quantmesh.api.blockchain.v1 import blockchain_pb2
from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.common.v1.common_pb2 import Decimal, Money, PageInfo
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.prediction.v1 import prediction_pb2
from quantmesh.api.risk.v1 import risk_pb2
from quantmesh.gateway.http.models import (
    blockchain,
    jobs,
    market,
    orders,
    performance,
    portfolios,
    predictions,
    snapshot,
    transactions,
)

from .edges import ADA

ROOT = f"/api/v2/portfolios/{ADA}"
NOW = Timestamp(seconds=1_577_977_200)
JOB = f"prediction-{ADA}"
HASH = "0x" + "ab" * 32


def amount(text: str) -> Decimal:
    return Decimal(value=text)


TRANSACTION = portfolio_pb2.Transaction(
    id=str(ADA),
    portfolio_id=str(ADA),
    input=portfolio_pb2.TransactionInput(
        type=portfolio_pb2.TRANSACTION_TYPE_BUY,
        symbol="AAPL",
        quantity=amount("10"),
        price=amount("73.35"),
        currency="USD",
        executed_at=NOW,
    ),
    cash_effect=Money(amount=amount("-733.50"), currency="USD"),
    recorded_at=NOW,
)
ASSIGNMENT = portfolio_pb2.Transaction(
    id=str(ADA),
    portfolio_id=str(ADA),
    input=portfolio_pb2.TransactionInput(
        type=portfolio_pb2.TRANSACTION_TYPE_OPTION_ASSIGNMENT,
        symbol="AAPL200221P00080000",
        quantity=amount("1"),
        currency="USD",
        executed_at=NOW,
    ),
    option=portfolio_pb2.OptionTerms(
        underlying="AAPL",
        option_type="put",
        strike=amount("80"),
        expiry=NOW,
        multiplier=amount("100"),
        exercise="american",
        settlement="physical",
    ),
    recorded_at=NOW,
    reversed_by=str(ADA),
)
ORDER = portfolio_pb2.Order(
    id=str(ADA),
    portfolio_id=str(ADA),
    symbol="AAPL",
    side=portfolio_pb2.ORDER_SIDE_BUY,
    type=portfolio_pb2.ORDER_TYPE_MARKET,
    quantity=amount("5"),
    time_in_force=portfolio_pb2.TIME_IN_FORCE_DAY,
    status=portfolio_pb2.ORDER_STATUS_FILLED,
    average_fill_price=amount("73.35"),
    executed_at=NOW,
    version=2,
)
FORECAST = prediction_pb2.Forecast(
    id=str(ADA),
    symbol="AAPL",
    timeframe=prediction_pb2.TIMEFRAME_1D,
    predicted_price=73.5,
    direction=prediction_pb2.DIRECTION_UP,
    model="lstm",
    skill=prediction_pb2.Skill(skill=float("nan"), windows=10),
    as_of=NOW,
)
ZERO = Money(amount=Decimal(value="0.00"), currency="USD")
PERFORMANCE = portfolio_pb2.GetPerformanceResponse(
    time_weighted_return=0.1,
    annualized_return=float("inf"),
    series=[portfolio_pb2.PerformancePoint(date="2020-01-02", value=amount("1.00"), net_flow=amount("1.00"))],
    exchange_rates=[portfolio_pb2.TranslationRate(currency="EUR", rate=amount("1.1"), date="2020-01-02")],
    money_weighted=portfolio_pb2.MoneyWeightedReturn(period_return=0.1, internal_rates=[0.1]),
    benchmark=portfolio_pb2.BenchmarkComparison(symbol="MSFT", beta=1.2),
    explanation=portfolio_pb2.PerformanceExplanation(
        **dict.fromkeys(
            ("start_value", "deposits", "withdrawals", "income", "fees", "realized_gains", "unrealized_gains"), ZERO
        ),
        currency_gains=ZERO,
        end_value=ZERO,
        cash_flows=[portfolio_pb2.PerformanceCashFlow(date="2020-01-02", amount=amount("1.00"), remaining=1.0)],
        contributions=[portfolio_pb2.PerformanceContribution(gain=amount("0.10"), contribution=0.1)],
    ),
)
OPTIMUM = risk_pb2.OptimizeResponse(
    optimal=risk_pb2.Allocation(weights={"AAPL": 1.0}),
    benchmarks={"equal_weight": risk_pb2.Allocation(weights={"AAPL": 1.0})},
    objective=risk_pb2.OBJECTIVE_RISK_PARITY,
    orders=[risk_pb2.ProposedOrder(symbol="AAPL", side="buy", quantity=amount("1"))],
)
VALUE_AT_RISK = risk_pb2.ValueAtRiskResponse(
    value_at_risk=10.0,
    contributions=[risk_pb2.RiskContribution(symbol="AAPL")],
    method=risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC,
)
READS: list[tuple[str, str, str, Any, type[BaseModel]]] = [
    (
        "/api/v2/assets",
        "market",
        "ListAssets",
        market_pb2.ListAssetsResponse(
            assets=[
                market_pb2.Asset(symbol="AAPL", asset_class=market_pb2.ASSET_CLASS_STOCK, tick_size=amount("0.01"))
            ],
            page=PageInfo(next_cursor="abc"),
        ),
        market.AssetsShown,
    ),
    (
        "/api/v2/market/quotes?symbols=AAPL,NOPE",
        "market",
        "GetQuotes",
        market_pb2.GetQuotesResponse(
            quotes=[market_pb2.Quote(symbol="AAPL", price=amount("73.35"), time=NOW)], missing=["NOPE"]
        ),
        market.QuotesShown,
    ),
    (
        "/api/v2/market/exchange-rates?base=USD&quote=EUR,XAU&date=2020-01-02",
        "market",
        "GetExchangeRates",
        market_pb2.GetExchangeRatesResponse(
            rates=[market_pb2.ExchangeRate(base="USD", quote="EUR", rate=amount("0.9"), date="2020-01-02")],
            missing=[market_pb2.CurrencyPair(base="USD", quote="XAU")],
            source="ecb",
        ),
        market.ExchangeRatesShown,
    ),
    (
        "/api/v2/market/AAPL/bars?interval=1w&start=2020-01-01&limit=2",
        "market",
        "GetBars",
        market_pb2.GetBarsResponse(
            symbol="AAPL", bars=[market_pb2.Bar(time=NOW, date="2020-01-02", close=amount("73.35"))]
        ),
        market.BarsShown,
    ),
    (
        "/api/v2/market/SPY/option-chain",
        "market",
        "GetOptionChain",
        market_pb2.GetOptionChainResponse(
            underlying="SPY", time=NOW, options=[market_pb2.OptionQuote(option_type="put", expiry=NOW)]
        ),
        market.ChainShown,
    ),
    ("/api/v2/market/clock", "market", "GetClock", market_pb2.GetClockResponse(market_time=NOW), market.ClockShown),
    (
        f"{ROOT}/transactions?limit=5&cursor=abc",
        "portfolio",
        "ListTransactions",
        portfolio_pb2.ListTransactionsResponse(transactions=[TRANSACTION, ASSIGNMENT]),
        transactions.TransactionsShown,
    ),
    (
        f"{ROOT}/positions?as_of=2020-01-03T00:00:00Z&lots=true",
        "portfolio",
        "GetPositions",
        portfolio_pb2.GetPositionsResponse(
            positions=[
                portfolio_pb2.Position(
                    symbol="AAPL",
                    quantity=amount("10"),
                    currency="USD",
                    lots=[portfolio_pb2.Lot(opened_at=NOW, quantity=amount("10"), cost=amount("733.50"))],
                )
            ],
            cash=[Money(amount=amount("1.00"), currency="USD")],
            seq=3,
        ),
        portfolios.PositionsShown,
    ),
    (
        f"{ROOT}/lots?symbol=AAPL&known_at=2020-01-03T00:00:00Z&limit=1",
        "portfolio",
        "ListLots",
        portfolio_pb2.ListLotsResponse(
            lots=[portfolio_pb2.Lot(opened_at=NOW, quantity=amount("10"), cost=amount("733.50"))], seq=3
        ),
        portfolios.LotsShown,
    ),
    (f"{ROOT}/performance", "portfolio", "GetPerformance", PERFORMANCE, performance.PerformanceShown),
    (
        f"{ROOT}/ledger",
        "portfolio",
        "ListLedger",
        portfolio_pb2.ListLedgerResponse(
            entries=[
                portfolio_pb2.LedgerEntry(
                    id="e",
                    executed_at=NOW,
                    recorded_at=NOW,
                    postings=[portfolio_pb2.Posting(account="assets:cash", commodity="USD", amount=amount("1"))],
                )
            ]
        ),
        portfolios.LedgerShown,
    ),
    (
        f"{ROOT}/events?after=4&limit=1",
        "portfolio",
        "ListEvents",
        portfolio_pb2.ListEventsResponse(
            events=[portfolio_pb2.AccountEvent(seq=5, portfolio_id=str(ADA), time=NOW, data_json='{"a":1}')],
            last_seq=9,
        ),
        portfolios.EventsShown,
    ),
    (
        f"{ROOT}/snapshot",
        "portfolio",
        "GetSnapshot",
        portfolio_pb2.GetSnapshotResponse(
            portfolio_id=str(ADA),
            seq=9,
            cash=[Money(currency="USD", amount=amount("12.50"))],
            positions=[portfolio_pb2.SnapshotPosition(symbol="AAPL", quantity=amount("3"))],
            reserved=[portfolio_pb2.Reservation(commodity="USD", amount=amount("5"))],
            open_orders=[ORDER],
        ),
        snapshot.SnapshotShown,
    ),
    ("/api/v2/orders", "portfolio", "ListOrders", portfolio_pb2.ListOrdersResponse(orders=[ORDER]), orders.OrdersShown),
    (
        "/api/v2/predictions/stocks/AAPL?timeframe=1d",
        "prediction",
        "GetForecast",
        prediction_pb2.GetForecastResponse(forecast=FORECAST),
        predictions.ForecastShown,
    ),
    (
        "/api/v2/predictions/models",
        "prediction",
        "ListModels",
        prediction_pb2.ListModelsResponse(
            models=[prediction_pb2.ModelVersion(name="lstm", timeframe=prediction_pb2.TIMEFRAME_3M)]
        ),
        predictions.ModelsShown,
    ),
    (
        "/api/v2/blockchain/networks",
        "blockchain",
        "ListNetworks",
        blockchain_pb2.ListNetworksResponse(networks=[blockchain_pb2.Network(name="local", available=True)]),
        blockchain.NetworksShown,
    ),
    (
        f"/api/v2/blockchain/transactions/{HASH}",
        "blockchain",
        "GetChainTransaction",
        blockchain_pb2.GetChainTransactionResponse(hash=HASH, status="confirmed"),
        blockchain.ChainTransactionShown,
    ),
    (
        f"/api/v2/jobs/{JOB}",
        "prediction",
        "GetJob",
        job_pb2.GetJobResponse(
            job=job_pb2.Job(
                id=JOB, status=job_pb2.JOB_STATUS_FAILED, problem=Struct(fields={"title": Value(string_value="no")})
            )
        ),
        jobs.JobShown,
    ),
]
