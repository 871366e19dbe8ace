"""Portfolios themselves: created, listed, renamed, deleted."""

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, NotFound
from quantmesh.portfolio.core.errors import VersionMismatch

from .fakes import NO_CONTEXT, Service


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


async def test_a_deleted_portfolio_is_gone_for_reading_and_writing(service: Service) -> None:
    user = service.user()
    created = await user.create()
    await user.deposit(created.id)
    order = await user.order(created.id, "1")
    await service.rpc.DeletePortfolio(pb.DeletePortfolioRequest(id=created.id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await user.positions(created.id)
    with pytest.raises(NotFound):
        await user.deposit(created.id)
    with pytest.raises(NotFound):
        await service.rpc.GetOrder(pb.GetOrderRequest(id=order.id), NO_CONTEXT)
    assert list((await service.rpc.ListPortfolios(pb.ListPortfoliosRequest(), NO_CONTEXT)).portfolios) == []
