"""Portfolios themselves: created, listed, renamed, deleted."""

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, NotFound
from quantmesh.portfolio.core.errors import VersionMismatch
from quantmesh.portfolio.core.ledger_errors import PortfolioNotEmpty

from .fakes import NO_CONTEXT, Service, User


async def test_a_portfolio_is_created_and_found_again(service: Service) -> None:
    user = service.user()
    created = await user.create("  Growth ", "EUR", pb.LOT_METHOD_FIFO)
    assert (created.name, created.base_currency, created.lot_method) == ("Growth", "EUR", pb.LOT_METHOD_FIFO)
    found = await service.rpc.GetPortfolio(pb.GetPortfolioRequest(id=created.id), NO_CONTEXT)
    assert found.portfolio == created


@pytest.mark.parametrize(
    ("name", "currency"), [("", "USD"), (" ", "USD"), ("x" * 101, "USD"), ("a\tb", "USD"), ("A", "usd"), ("A", "")]
)
async def test_a_name_and_a_currency_must_be_ones(service: Service, name: str, currency: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await service.user().create(name, currency)
    assert refused.value.violations


async def test_portfolios_are_listed_by_page(service: Service) -> None:
    user = service.user()
    await service.user().create()
    created = [(await user.create(f"Number {number}")).id for number in range(5)]
    request = pb.ListPortfoliosRequest()
    request.page.limit = 3
    first = await service.rpc.ListPortfolios(request, NO_CONTEXT)
    request.page.cursor = first.page.next_cursor
    second = await service.rpc.ListPortfolios(request, NO_CONTEXT)
    assert [item.id for item in (*first.portfolios, *second.portfolios)] == created
    assert second.page.next_cursor == ""


async def test_a_change_asks_for_the_version_that_was_seen(service: Service) -> None:
    user = service.user()
    created = await user.create()
    renamed = await service.rpc.UpdatePortfolio(
        pb.UpdatePortfolioRequest(id=created.id, name="Income", expected_version=created.version), NO_CONTEXT
    )
    assert (renamed.portfolio.name, renamed.portfolio.version) == ("Income", created.version + 1)
    with pytest.raises(VersionMismatch, match="at version 2, not 1"):
        await service.rpc.UpdatePortfolio(
            pb.UpdatePortfolioRequest(id=created.id, name="Late", expected_version=created.version), NO_CONTEXT
        )
    with pytest.raises(VersionMismatch):
        await service.rpc.DeletePortfolio(pb.DeletePortfolioRequest(id=created.id, expected_version=1), NO_CONTEXT)
    with pytest.raises(InvalidInput):
        await service.rpc.UpdatePortfolio(pb.UpdatePortfolioRequest(id=created.id), NO_CONTEXT)


async def test_a_recording_does_not_change_the_version(service: Service) -> None:
    user = service.user()
    created = await user.create()
    await user.deposit(created.id)
    found = await service.rpc.GetPortfolio(pb.GetPortfolioRequest(id=created.id), NO_CONTEXT)
    assert (found.portfolio.version, found.portfolio.seq) == (created.version, 1)


async def close(service: Service, user: User, portfolio_id: str) -> None:
    user.call()
    await service.rpc.DeletePortfolio(pb.DeletePortfolioRequest(id=portfolio_id), NO_CONTEXT)


async def empty(user: User, portfolio_id: str) -> None:
    """Sells and withdraws what is there."""
    held = await user.positions(portfolio_id)
    for position in held.positions:
        await user.order(portfolio_id, position.quantity.value, "sell", position.symbol)
    (cash,) = (await user.positions(portfolio_id)).cash
    amount = {"amount": cash.amount.value, "currency": cash.currency}
    await user.record(portfolio_id, type="withdrawal", **amount, at="2022-12-20T18:00:00+00:00")


async def test_a_portfolio_is_not_closed_over_what_it_holds_or_has_ordered(service: Service) -> None:
    user = service.user()
    created = await user.create()
    await user.deposit(created.id)
    await user.order(created.id, "2")
    with pytest.raises(PortfolioNotEmpty, match=r"has 99739\.87 USD, 2 AAPL: cancel what is open") as refused:
        await close(service, user, created.id)
    assert refused.value.problem == "portfolio-not-empty"
    assert (await user.positions(created.id)).cash[0].amount.value == "99739.87"
    await empty(user, created.id)
    # With margin an order may rest that nothing is there for.
    on = pb.UpdatePortfolioRequest(id=created.id, margin_enabled=True)
    await service.rpc.UpdatePortfolio(on, NO_CONTEXT)
    resting = await user.order(created.id, "1", limit="100", tif="gtc")
    with pytest.raises(PortfolioNotEmpty, match="has 1 open order: "):
        await close(service, user, created.id)
    await user.cancel(resting.id)
    await close(service, user, created.id)


async def test_a_deleted_portfolio_is_gone_for_reading_and_writing(service: Service) -> None:
    user = service.user()
    created = await user.create()
    await user.deposit(created.id)
    order = await user.order(created.id, "1")
    await empty(user, created.id)
    await close(service, user, created.id)
    with pytest.raises(NotFound):
        await user.positions(created.id)
    with pytest.raises(NotFound):
        await user.deposit(created.id)
    with pytest.raises(NotFound):
        await service.rpc.GetOrder(pb.GetOrderRequest(id=order.id), NO_CONTEXT)
    assert list((await service.rpc.ListPortfolios(pb.ListPortfoliosRequest(), NO_CONTEXT)).portfolios) == []
