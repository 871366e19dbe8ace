import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.prediction.v1 import events_pb2
from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.cache import Cache, open_redis
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, RuleBroken, Unavailable
from quantmesh.local.testing import RunningServer
from quantmesh.prediction.adapters.forecast_cache import ForecastCache
from quantmesh.prediction.adapters.standing import LIFETIME_SECONDS, StandingMemo
from quantmesh.prediction.core.model import AssetClass, ModelVersion, Skill, Timeframe

from .conftest import Prediction
from .mesh import ALICE, BOB, call_as

MODEL = ModelVersion(
    "lstm",
    "lstm-1w-0000",
    Timeframe.WEEK,
    Skill(0.09, 0.1, 0.55, 0.9, 100),
    ("AAA", "BBB"),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2015, 1, 2, tzinfo=UTC),
    active=True,
)


def published(prediction: Prediction) -> list[pb.Forecast]:
    query = "SELECT payload FROM prediction.outbox WHERE subject = 'prediction.forecast.published' ORDER BY position"
    with psycopg.connect(prediction.postgres.admin_url) as admin:
        return [events_pb2.ForecastPublished.FromString(row[0]).forecast for row in admin.execute(query)]


async def test_a_forecast_is_made_once_announced_once_and_read_again_by_its_id(prediction: Prediction) -> None:
    made = await prediction.forecast()
    assert (made.symbol, made.model, made.direction) == ("AAA", "naive", pb.DIRECTION_FLAT)
    assert made.confidence_lower < made.predicted_price == made.last_price < made.confidence_upper
    assert "No model is trained" in made.note
    assert await prediction.forecast() == made
    assert published(prediction) == [made]
    by_id = await prediction.peer.call(prediction.stub.GetForecastById, pb.GetForecastByIdRequest(id=made.id))
    assert by_id.forecast == made


async def test_a_repeated_question_asks_market_for_no_closes(prediction: Prediction) -> None:
    await prediction.forecast()
    asked = prediction.market.closes_asked
    await prediction.forecast()
    assert prediction.market.closes_asked == asked


async def test_askers_at_the_same_moment_get_one_forecast(prediction: Prediction) -> None:
    answers = await asyncio.gather(*(prediction.forecast() for _ in range(10)))
    assert len({answer.id for answer in answers}) == 1
    assert len(published(prediction)) == 1


async def test_a_new_close_gives_a_new_forecast_within_a_second(prediction: Prediction) -> None:
    made = await prediction.forecast()
    prediction.market.sessions += 1
    await asyncio.sleep(LIFETIME_SECONDS)
    later = await prediction.forecast()
    assert later.id != made.id
    assert later.as_of.seconds > made.as_of.seconds


async def test_a_corrected_close_is_seen_once_market_says_so(prediction: Prediction) -> None:
    made = await prediction.forecast()
    prediction.market.short["AAA"] = prediction.market.sessions - 1
    assert (await prediction.forecast()).id == made.id
    await prediction.cache.drop("AAA")
    assert (await prediction.forecast()).id != made.id


async def test_an_answer_that_was_under_way_while_another_replica_heard_of_changed_closes_is_not_kept(
    prediction: Prediction, redis_server: RunningServer
) -> None:
    redis = Cache(redis_server.url, "prediction", timeout_seconds=30.0)
    other = ForecastCache(redis, StandingMemo(prediction.market_peer, prediction.store))
    under_way = await prediction.cache.look_up("AAA", Timeframe.WEEK, AssetClass.STOCK)
    before = pb.GetForecastResponse(forecast=await prediction.forecast())
    await other.drop("AAA")
    await prediction.cache.put(under_way, before, of_newest_close=True)
    assert (await other.look_up("AAA", Timeframe.WEEK, AssetClass.STOCK)).answer is None
    await redis.close()


async def test_a_forecast_that_a_replica_of_market_behind_the_others_led_to_is_kept_briefly(
    prediction: Prediction, redis_server: RunningServer
) -> None:
    prediction.market.short["AAA"] = prediction.market.sessions - 1
    lasts = []
    async with open_redis(redis_server.url, timeout_seconds=30.0) as redis:
        for symbol in ("AAA", "BBB"):
            forecast = await prediction.forecast(symbol)
            (key,) = await redis.keys(f"prediction:forecast:stock:{symbol}:*")
            lasts.append(("before the market's date" in forecast.note, await redis.ttl(key) <= 10))
    assert lasts == [(True, True), (False, False)]


async def test_closes_that_change_while_redis_is_away_are_told_again(
    prediction: Prediction, redis_server: RunningServer
) -> None:
    await prediction.forecast()
    redis_server.kill()
    with pytest.raises(Unavailable, match="AAA"):
        await prediction.cache.drop("AAA")
    redis_server.start_again()
    await prediction.cache.drop("AAA")


async def test_every_timeframe_and_the_crypto_path_answer(prediction: Prediction) -> None:
    widths = []
    for timeframe in (pb.TIMEFRAME_1D, pb.TIMEFRAME_1W, pb.TIMEFRAME_1M, pb.TIMEFRAME_3M):
        forecast = await prediction.forecast(timeframe=timeframe)
        widths.append(forecast.confidence_upper - forecast.confidence_lower)
    assert widths == sorted(widths)
    assert (await prediction.forecast("BTC-USD", asset_class="crypto")).symbol == "BTC-USD"


@pytest.mark.parametrize(
    ("symbol", "asset_class", "kind", "problem"),
    [
        ("ZZZ", "stock", NotFound, "unknown-symbol"),
        ("", "stock", NotFound, "unknown-symbol"),
        ("aaa'; --", "stock", NotFound, "unknown-symbol"),
        ("AAA", "crypto", NotFound, "unknown-symbol"),
        ("BTC-USD", "stock", NotFound, "unknown-symbol"),
        ("AAA", "bond", InvalidInput, "asset-class-unknown"),
        ("AAA-RAW", "stock", RuleBroken, "series-unadjusted"),
    ],
)
async def test_what_cannot_be_forecast_is_refused_for_its_reason(
    prediction: Prediction, symbol: str, asset_class: str, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as refused:
        await prediction.forecast(symbol, asset_class=asset_class)
    assert refused.value.problem == problem  # type: ignore[attr-defined]  # pytest knows the kind at run time alone


@pytest.mark.parametrize("known", [0, 120])
async def test_too_little_history_breaks_a_rule(prediction: Prediction, known: int) -> None:
    prediction.market.short["AAA"] = known
    with pytest.raises(RuleBroken, match=f"AAA has {known} known closes"):
        await prediction.forecast()


async def test_a_timeframe_left_out_is_named(prediction: Prediction) -> None:
    with pytest.raises(InvalidInput) as refused:
        await prediction.forecast(timeframe=pb.TIMEFRAME_UNSPECIFIED)
    assert [violation.field for violation in refused.value.violations] == ["timeframe"]


@pytest.mark.parametrize("forecast_id", ["", "nonsense", "01a1fbc0-1453-7c7f-b5b3-1427aff95363"])
async def test_an_unknown_id_is_not_found(prediction: Prediction, forecast_id: str) -> None:
    with pytest.raises(NotFound):
        await prediction.peer.call(prediction.stub.GetForecastById, pb.GetForecastByIdRequest(id=forecast_id))


async def test_forecasts_are_everyones_and_need_the_scope(prediction: Prediction) -> None:
    made = await prediction.forecast()
    call_as(BOB)
    assert await prediction.forecast() == made
    call_as(ALICE, "market:read")
    with pytest.raises(PermissionDenied, match="predictions:read"):
        await prediction.forecast()


async def test_an_active_model_that_is_not_in_the_registry_is_unavailable(prediction: Prediction) -> None:
    await prediction.store.register(MODEL)
    with pytest.raises(Unavailable, match="not in the registry") as refused:
        await prediction.forecast()
    assert refused.value.problem == "model-missing"
    assert (await prediction.forecast("CCC")).model == "naive"


async def test_one_model_is_active_and_a_narrower_one_does_not_take_its_place(prediction: Prediction) -> None:
    await prediction.store.register(MODEL)
    wider = replace(MODEL, version="lstm-1w-0001", symbols=("AAA", "BBB", "CCC"))
    narrower = replace(MODEL, version="lstm-1w-0002", symbols=("AAA",))
    assert (await prediction.store.register(wider)).active
    assert not (await prediction.store.register(narrower)).active
    active = {model.version: model.active for model in await prediction.models()}
    assert active == {"lstm-1w-0000": False, "lstm-1w-0001": True, "lstm-1w-0002": False}


async def test_training_the_same_model_again_keeps_it_active(prediction: Prediction) -> None:
    await prediction.store.register(MODEL)
    assert (await prediction.store.register(MODEL)).active
    assert [model.active for model in await prediction.models()] == [True]


async def test_models_come_in_pages_newest_first(prediction: Prediction) -> None:
    for number in range(3):
        await prediction.store.register(replace(MODEL, version=f"lstm-1w-{number}"))
    seen, cursor = [], ""
    for _ in range(2):
        request = pb.ListModelsRequest(page=common_pb2.PageRequest(limit=2, cursor=cursor))
        answer = await prediction.peer.call(prediction.stub.ListModels, request)
        seen.append([model.version for model in answer.models])
        cursor = answer.page.next_cursor
    assert seen == [["lstm-1w-2", "lstm-1w-1"], ["lstm-1w-0"]]
    assert cursor == ""
    with pytest.raises(InvalidInput, match="cursor"):
        await prediction.peer.call(
            prediction.stub.ListModels, pb.ListModelsRequest(page=common_pb2.PageRequest(cursor="x"))
        )


async def test_a_stored_forecast_cannot_be_changed(prediction: Prediction) -> None:
    await prediction.forecast()
    with psycopg.connect(prediction.postgres.admin_url) as admin, pytest.raises(psycopg.Error, match="never updated"):
        admin.execute("UPDATE prediction.forecast SET predicted_price = 1")
