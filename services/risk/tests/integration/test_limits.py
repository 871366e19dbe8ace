"""Limits as they are set, used and watched, on a real Postgres and a real broker."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from psycopg.errors import InsufficientPrivilege

from quantmesh.api.common.v1.bundle_pb2 import BundledCall
from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1 import risk_pb2
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, PreconditionFailed
from quantmesh.chassis.sql import text
from quantmesh.chassis.times import to_timestamp
from quantmesh.local.testing import NewDatabase

from .served_limits import ADA, BOB, Limits, account, account_message, act_as, limit, order, served_limits


@pytest.fixture
async def limits(service_database: NewDatabase) -> AsyncIterator[Limits]:
    async with served_limits(service_database("risk").url) as served:
        yield served


async def test_a_definition_is_kept_in_versions_and_guarded_by_them(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="10")
    assert (await limits.get(portfolio)).definition.version == 0
    first = await limits.set(portfolio, limit("gross_exposure", "1500", "1000.50"), expected_version=0)
    second = await limits.set(
        portfolio,
        limit("value_at_risk", "100", method=risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC, confidence=0.95),
        limit("margin_utilisation", "0.5"),
    )
    assert (first.version, second.version) == (1, 2)
    with pytest.raises(PreconditionFailed, match="version 2, not 1"):
        await limits.set(portfolio, expected_version=1)
    now = (await limits.get(portfolio)).definition
    assert [each.rule for each in now.limits] == [pb.LIMIT_RULE_VALUE_AT_RISK, pb.LIMIT_RULE_MARGIN_UTILISATION]
    assert (now.limits[0].confidence, now.limits[0].horizon_days) == (0.95, 1)
    then = await limits.get(portfolio, known_at=first.recorded_at)
    assert then.definition == first
    assert (then.definition.limits[0].warning.value, len(then.utilisations)) == ("1000.50", 0)
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        async with limits.database.system_transaction() as session:
            await session.execute(text("UPDATE limit_definition SET limits = '[]'"))


async def test_utilisation_is_told_with_value_limit_and_state(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="10", JPM="5")
    await limits.set(
        portfolio,
        limit("gross_exposure", "2000"),
        limit("symbol_notional", "1000"),
        limit("position_weight", "0.9", "0.1"),
        limit("daily_loss", "500"),
        limit("value_at_risk", "1000000"),
    )
    answer = await limits.get(portfolio)
    shown = [(each.value.value, each.symbol, pb.LimitState.Name(each.state)) for each in answer.utilisations[:4]]
    assert shown == [
        ("2050.0", "", "LIMIT_STATE_BREACHED"),
        ("1500.0", "AAPL", "LIMIT_STATE_BREACHED"),
        ("0.12448133", "AAPL", "LIMIT_STATE_WARNING"),
        ("0", "", "LIMIT_STATE_OK"),
    ]
    assert answer.utilisations[0].utilisation == pytest.approx(1.025)
    assert 0 < float(answer.utilisations[4].value.value) < 205
    assert answer.base_currency == "USD"


async def test_a_wrong_definition_names_its_fields_and_changes_nothing(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    with pytest.raises(InvalidInput) as refused:
        await limits.set(portfolio, limit("leverage", "2"), limit("leverage", "-1", symbol="AAPL"))
    assert {each.field for each in refused.value.violations} == {"limits[1].limit", "limits[1].symbol"}
    with pytest.raises(InvalidInput) as unknown:
        await limits.set(portfolio, pb.Limit())
    assert [each.field for each in unknown.value.violations] == ["limits[0].rule"]
    assert (await limits.get(portfolio)).definition.version == 0


async def test_another_users_portfolio_is_not_there(limits: Limits) -> None:
    portfolio = limits.accounts.open(ADA)
    await limits.set(portfolio, limit("leverage", "0"))
    act_as(BOB)
    for attempt in (
        limits.get(portfolio),
        limits.get(portfolio, known_at=to_timestamp(datetime.now(UTC))),
        limits.set(portfolio),
        limits.get("nonsense"),
    ):
        with pytest.raises(NotFound):
            await attempt
    # Whoever checks an order of a foreign portfolio learns nothing of its limits.
    assert (await limits.check(portfolio, order("AAPL", "1"))).allowed
    act_as(ADA, "risk:use")
    with pytest.raises(PermissionDenied):
        await limits.set(portfolio)


async def test_a_check_asks_for_the_account_only_where_there_are_limits(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    asked = limits.accounts.asked
    assert (await limits.check(portfolio, order("AAPL", "1"))).allowed
    assert limits.accounts.asked == asked
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    asked = limits.accounts.asked
    answer = await limits.check(portfolio, order("AAPL", "10"))
    assert (answer.allowed, answer.account_needed) == (False, True)
    message = account_message(account(AAPL="3"), portfolio)
    denied = await limits.check(portfolio, order("AAPL", "10"), account=message)
    assert [(each.before.value, each.after.value, each.denied) for each in denied.changes] == [
        ("450.0", "1950.0", True)
    ]
    assert [each.value for each in denied.passing_quantities] == ["3"]
    assert (await limits.check(portfolio, order("AAPL", "3", "SELL"), account=message)).allowed
    # Portfolio is not called back.
    assert limits.accounts.asked == asked


async def test_a_check_on_a_line_is_answered_as_one_by_itself(limits: Limits) -> None:
    free, limited, nobodys = limits.accounts.open(), limits.accounts.open(), "nobody's"
    await limits.set(limited, limit("gross_exposure", "1000"))
    asked = [pb.CheckOrderRequest(portfolio_id=each, orders=[order("AAPL", "1")]) for each in (free, limited, nobodys)]
    calls = [BundledCall(request=each.SerializeToString(), place=place) for place, each in enumerate(asked)]

    async def requests() -> AsyncIterator[pb.StreamChecksRequest]:
        yield pb.StreamChecksRequest(calls=calls)

    answers = [each async for each in limits.peer.stream(limits.stub.StreamChecks, requests())]
    outcomes = sorted((each for answer in answers for each in answer.outcomes), key=lambda each: each.place)
    first, second = (pb.CheckOrderResponse.FromString(each.response) for each in outcomes[:2])
    assert (first.allowed, second.account_needed) == (True, True)
    assert outcomes[2].HasField("refusal")


async def test_an_account_that_may_owe_is_held_to_its_margin_without_any_limit(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    message = account_message(account(), portfolio)
    wanted = order("AAPL", "140")  # 21,000 at 150, where 10,000 carry 20,000
    assert (await limits.check(portfolio, wanted, account=message)).allowed
    message.margin_enabled = True
    denied = await limits.check(portfolio, wanted, account=message)
    (change,) = denied.changes
    assert (change.limit.rule, change.limit.limit.value) == (pb.LIMIT_RULE_INITIAL_MARGIN, "1")
    assert (Decimal(change.before.value), Decimal(change.after.value)) == (Decimal(0), Decimal("1.05"))
    assert [each.value for each in denied.passing_quantities] == ["133"]
    assert (await limits.check(portfolio, order("AAPL", "133"), account=message)).allowed


async def test_figures_are_told_where_nothing_limits_them(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    message = account_message(account(AAPL="10"), portfolio)
    answer = await limits.check(portfolio, order("JPM", "10"), account=message, with_figures=True)
    assert answer.allowed
    told = {pb.LimitRule.Name(each.limit.rule): each for each in answer.changes}
    gross = told["LIMIT_RULE_GROSS_EXPOSURE"]
    assert (gross.before.value, gross.after.value, gross.limit.HasField("limit")) == ("1500.0", "2600.0", False)
    assert float(told["LIMIT_RULE_VALUE_AT_RISK"].after.value) > 0


async def test_bad_orders_name_their_field(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    for asked, field in (
        ((), "orders"),
        ((order("AAPL", "0"),), "orders[0].quantity"),
        ((order("AAPL", "1"), pb.CheckedOrder(symbol="AAPL")), "orders[1].side"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await limits.check(portfolio, *asked)
        assert [each.field for each in refused.value.violations] == [field]


async def test_what_if_tells_the_same_of_the_live_account(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="3")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    request = pb.WhatIfRequest(portfolio_id=portfolio, orders=[order("AAPL", "10")])
    answer = await limits.peer.call(limits.stub.WhatIf, request)
    assert [(each.before.value, each.after.value) for each in answer.changes if each.denied] == [("450.0", "1950.0")]
    assert [each.value for each in answer.passing_quantities] == ["3"]
    unknown = pb.WhatIfRequest(portfolio_id=portfolio, orders=[order("AAPL", "1"), order("NOPE", "1")])
    with pytest.raises(InvalidInput) as refused:
        await limits.peer.call(limits.stub.WhatIf, unknown)
    assert [each.field for each in refused.value.violations] == ["orders[1].symbol"]


async def test_a_limit_on_a_symbol_that_nobody_knows_is_refused(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    with pytest.raises(InvalidInput, match="NOPE is not in the asset catalogue") as refused:
        await limits.set(portfolio, limit("leverage", "2"), limit("symbol_notional", "100", symbol="NOPE"))
    assert (refused.value.problem, [each.field for each in refused.value.violations]) == (
        "unknown-symbol", ["limits[1].symbol"],
    )  # fmt: skip
    assert (await limits.set(portfolio, limit("symbol_notional", "100", symbol="AAPL"))).version == 1
