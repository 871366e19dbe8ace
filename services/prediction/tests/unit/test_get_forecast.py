import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from quantmesh.prediction.core.errors import (
    HistoryTooShort,
    ModelMissing,
    ModelNotFinite,
    SeriesUnadjusted,
    SymbolUnknown,
)
from quantmesh.prediction.core.features import daily_volatility
from quantmesh.prediction.core.get_forecast import get_forecast
from quantmesh.prediction.core.market_day import MarketDay
from quantmesh.prediction.core.model import AssetClass, Closes, Direction, Forecast, Timeframe
from quantmesh.prediction.core.naive import closes_needed
from quantmesh.prediction.core.panel import CLOSES_NEEDED

from .fakes import AS_OF, NOW, FakeMarket, FakePredictor, FakePredictors, FakeStore, model, skill
from .prices import first, random_walk

SERIES = random_walk(2600)
DAY = MarketDay(AS_OF.date(), AS_OF.date())
NEXT_DAY = MarketDay(date(2022, 6, 2), date(2022, 6, 2))


async def ask(
    market: FakeMarket,
    store: FakeStore | None = None,
    predictor: FakePredictor | None = None,
    symbol: str = "AAA",
    asset_class: AssetClass = AssetClass.STOCK,
    day: MarketDay = DAY,
) -> Forecast:
    return await get_forecast(
        symbol,
        Timeframe.MONTH,
        asset_class,
        market=market,
        store=store or FakeStore(),
        predictors=FakePredictors(predictor or FakePredictor()),
        day=day,
        new_id=uuid4(),
        now=NOW,
    )


def market() -> FakeMarket:
    return FakeMarket({"AAA": SERIES, "BBB": random_walk(2600, 1, "BBB")})


async def test_without_a_model_the_naive_forecast_answers_and_says_so() -> None:
    forecast = await ask(market())
    assert (forecast.model, forecast.direction) == ("naive", Direction.FLAT)
    assert forecast.predicted_price == forecast.last_price == SERIES.closes[-1]
    assert forecast.confidence_lower < forecast.last_price < forecast.confidence_upper
    assert "No model is trained for 1m on AAA yet" in forecast.note
    assert not forecast.skill.beats_naive
    assert forecast.skill.windows > 80
    assert (forecast.as_of, forecast.published_at) == (AS_OF, NOW)


async def test_the_model_answers_in_units_of_the_naive_scale() -> None:
    forecast = await ask(market(), FakeStore(model()), FakePredictor(location=0.5, scale=2.0))
    unit = daily_volatility(SERIES.closes)[-1] * math.sqrt(21)
    assert forecast.model == "lstm"
    assert forecast.predicted_price == pytest.approx(forecast.last_price * math.exp(0.5 * unit))
    lower, upper = FakePredictor().calibration.bounds()
    assert forecast.confidence_lower == pytest.approx(forecast.last_price * math.exp((0.5 + 2.0 * lower) * unit))
    assert forecast.confidence_upper == pytest.approx(forecast.last_price * math.exp((0.5 + 2.0 * upper) * unit))
    assert forecast.note == ""


@pytest.mark.parametrize(
    ("location", "direction", "confidence"),
    [(0.5, Direction.UP, 0.625), (-0.5, Direction.DOWN, 0.625), (0.01, Direction.FLAT, 0.5)],
)
async def test_confidence_is_the_probability_of_the_direction(
    location: float, direction: Direction, confidence: float
) -> None:
    """The errors spread evenly over -2 to 2, so that a move of half a scale leaves 2.5 of 4 on its side."""
    forecast = await ask(market(), FakeStore(model()), FakePredictor(location))
    assert forecast.direction is direction
    assert forecast.confidence_score == pytest.approx(confidence, abs=0.01)


async def test_a_model_that_does_not_beat_naive_says_so() -> None:
    forecast = await ask(market(), FakeStore(model(skill=skill(0.11, 0.1))))
    assert forecast.model == "lstm"
    assert "did not beat the naive forecast" in forecast.note
    assert "0.11" in forecast.note


async def test_a_symbol_the_model_never_saw_gets_the_naive_forecast() -> None:
    assert (await ask(market(), FakeStore(model(["BBB"])))).model == "naive"


async def test_a_model_that_learnt_from_later_closes_does_not_answer() -> None:
    """As after a rewind of the replay: it knows what is to come."""
    later = model(training_end=AS_OF + timedelta(days=1))
    forecast = await ask(market(), FakeStore(later))
    assert (forecast.model, forecast.skill.windows) == ("naive", (await ask(market())).skill.windows)
    assert "has learnt from closes up to 2022-06-02, later than this one" in forecast.note


async def test_a_forecast_from_an_old_close_says_how_old_it_is_and_its_record_does_not() -> None:
    store = FakeStore(model())
    fresh = await ask(market(), store)
    later = await ask(market(), store, day=MarketDay(date(2024, 6, 3), date(2024, 6, 3)))
    assert (fresh.note, later.id, store.forecasts) == ("", fresh.id, [fresh])
    assert later.note == (
        "The last close of AAA that is known is of 2022-06-01, 733 days before the market's date, 2024-06-03: this"
        " looks ahead from then, and not from now."
    )
    assert "No model is trained for 1m on AAA yet" in (naive := await ask(market(), day=NEXT_DAY)).note
    assert "1 day before the market's date" in naive.note


@pytest.mark.parametrize(
    ("as_of", "day", "old"),
    [
        (AS_OF, MarketDay(None, date(2022, 6, 1)), False),
        (AS_OF, DAY, False),
        (AS_OF, MarketDay(DAY.last_session, date(2022, 6, 2)), False),
        (AS_OF, NEXT_DAY, True),
        (AS_OF, MarketDay(date(2022, 5, 31), date(2022, 6, 1)), False),
    ],
)
async def test_a_close_is_old_once_another_session_has_closed(as_of: datetime, day: MarketDay, old: bool) -> None:
    forecast = await ask(FakeMarket({"AAA": SERIES}, as_of=as_of), day=day)
    assert ("before the market's date" in forecast.note) is old
    assert day.holds_newest(forecast, AssetClass.STOCK) is (day.last_session == DAY.last_session)


@pytest.mark.parametrize(("date_there", "old"), [(date(2022, 6, 5), False), (date(2022, 6, 6), True)])
async def test_a_coin_closes_every_midnight(date_there: date, old: bool) -> None:
    midnight = datetime(2022, 6, 5, tzinfo=UTC)
    coins = FakeMarket({"BTC-USD": random_walk(2600, 3, "BTC-USD")}, {"BTC-USD": AssetClass.CRYPTO}, as_of=midnight)
    day = MarketDay(date(2022, 6, 3), date_there)
    forecast = await ask(coins, symbol="BTC-USD", asset_class=AssetClass.CRYPTO, day=day)
    assert ("before the market's date" in forecast.note) is old


async def test_the_same_close_and_model_give_the_same_stored_forecast() -> None:
    store = FakeStore(model())
    made = await ask(market(), store)
    assert await ask(market(), store) is made
    assert len(store.forecasts) == 1


async def test_a_new_close_a_corrected_close_or_another_model_gives_another_forecast() -> None:
    store = FakeStore(model())
    made = await ask(market(), store)
    later = FakeMarket({"AAA": SERIES}, as_of=AS_OF.replace(day=2))
    corrected = SERIES.closes.copy()
    corrected[-1] *= 1.01
    ids = [
        made.id,
        (await ask(later, store)).id,
        (await ask(FakeMarket({"AAA": Closes("AAA", SERIES.dates, corrected)}), store)).id,
    ]
    store.active = replace(model(), version="lstm-1m-01")
    ids.append((await ask(market(), store)).id)
    assert len(set(ids)) == 4


async def test_an_unknown_symbol_is_not_found() -> None:
    with pytest.raises(SymbolUnknown, match="no stock has the symbol 'ZZZ'"):
        await ask(market(), symbol="ZZZ")


async def test_each_path_serves_its_own_class() -> None:
    mixed = FakeMarket({"BTC-USD": random_walk(2600, 3, "BTC-USD")}, {"BTC-USD": AssetClass.CRYPTO})
    assert (await ask(mixed, symbol="BTC-USD", asset_class=AssetClass.CRYPTO)).model == "naive"
    with pytest.raises(SymbolUnknown):
        await ask(mixed, symbol="BTC-USD")
    with pytest.raises(SymbolUnknown):
        await ask(market(), asset_class=AssetClass.CRYPTO)


async def test_crypto_looks_ahead_in_days_of_the_week_and_not_in_sessions() -> None:
    series = random_walk(2600, 3, "BTC-USD")
    mixed = FakeMarket({"BTC-USD": series, "AAA": series}, {"BTC-USD": AssetClass.CRYPTO})
    crypto = await ask(mixed, symbol="BTC-USD", asset_class=AssetClass.CRYPTO)
    stock = await ask(mixed)
    assert math.log(crypto.skill.naive_rmse / stock.skill.naive_rmse) == pytest.approx(
        math.log(math.sqrt(30 / 21)), abs=0.15
    )


async def test_raw_closes_are_refused() -> None:
    unadjusted = FakeMarket({"AAA": SERIES}, raw={"AAA"})
    with pytest.raises(SeriesUnadjusted):
        await ask(unadjusted)


@pytest.mark.parametrize("turn", [1.0, -1.0])
async def test_a_series_that_stood_still_before_it_moved_has_no_interval(turn: float) -> None:
    """Its errors are thousands of scales wide, and the scale is of normal size by now."""
    returns = np.zeros(1300)
    returns[700] = 0.05 * turn
    returns[1250:] = 0.02 * np.random.default_rng(1).standard_normal(50)
    still = Closes("AAA", SERIES.dates[:1300], np.exp(np.cumsum(returns)))
    store = FakeStore()
    with pytest.raises(ModelNotFinite, match="naive-1 gave no usable number for AAA"):
        await get_forecast(
            "AAA",
            Timeframe.QUARTER,
            AssetClass.STOCK,
            market=FakeMarket({"AAA": still}),
            store=store,
            predictors=FakePredictors(),
            day=DAY,
            new_id=uuid4(),
            now=NOW,
        )
    assert store.forecasts == []


async def test_what_is_asked_for_where_nothing_is_known_is_what_the_forecast_needs() -> None:
    for store, needed in ((FakeStore(), closes_needed(21)), (FakeStore(model()), CLOSES_NEEDED)):
        with pytest.raises(HistoryTooShort, match=f"a forecast needs {needed}"):
            await ask(FakeMarket({"AAA": first(SERIES, 0)}), store)


@pytest.mark.parametrize("store", [FakeStore(), FakeStore(model())])
@pytest.mark.parametrize("count", [0, 100])
async def test_too_little_history_is_refused(store: FakeStore, count: int) -> None:
    with pytest.raises(HistoryTooShort, match=f"AAA has {count} known closes"):
        await ask(FakeMarket({"AAA": first(SERIES, count)}), store)


@pytest.mark.parametrize(
    ("location", "scale"), [(math.nan, 1.0), (0.0, math.nan), (math.inf, 1.0), (0.0, math.inf), (0.0, 0.0), (0.0, 1e9)]
)
async def test_a_model_that_answers_no_usable_number_is_unavailable(location: float, scale: float) -> None:
    store = FakeStore(model())
    with pytest.raises(ModelNotFinite):
        await ask(market(), store, FakePredictor(location, scale))
    assert store.forecasts == []


async def test_a_missing_model_is_unavailable_and_not_replaced_by_another() -> None:
    store = FakeStore(model())
    with pytest.raises(ModelMissing):
        await get_forecast(
            "AAA",
            Timeframe.MONTH,
            AssetClass.STOCK,
            market=market(),
            store=store,
            predictors=FakePredictors(None),
            day=DAY,
            new_id=uuid4(),
            now=NOW,
        )
    assert store.forecasts == []


async def test_a_forecast_depends_on_nothing_after_the_last_close() -> None:
    known = first(SERIES, 2000)
    crashed = np.concatenate([known.closes, known.closes[-1] * np.linspace(0.5, 0.1, 600)])
    before = await ask(FakeMarket({"AAA": known}))
    after = await ask(FakeMarket({"AAA": first(Closes("AAA", SERIES.dates, crashed), 2000)}))
    assert before.confidence_lower == after.confidence_lower
