"""A repetition of what is done needs nobody: it is answered while the market is down, and whatever it says by then."""

import pytest

from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.idempotency import KeyReused

from .fakes import Service

FILE = "type,symbol,quantity,price,executed_at\nsell,AAPL,1,80,2020-01-04T15:00:00Z\n"
DEPOSIT = {"type": "deposit", "amount": "5", "at": "2020-01-02"}


async def test_repetitions_are_answered_while_the_market_is_down(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "2", "70")
    recorded = await user.record(portfolio.id, key="deposit", **DEPOSIT)
    ordered = await user.order(portfolio.id, "1", key="order")
    imported = await user.import_csv(portfolio.id, FILE, key="import")
    last_seq = (await user.events(portfolio.id)).last_seq
    service.market.available = False
    assert await user.record(portfolio.id, key="deposit", **DEPOSIT) == recorded
    assert await user.order(portfolio.id, "1", key="order") == ordered
    assert await user.import_csv(portfolio.id, FILE, key="import") == imported
    with pytest.raises(KeyReused):
        await user.record(portfolio.id, key="deposit", **{**DEPOSIT, "amount": "6"})
    with pytest.raises(Unavailable):
        await user.record(portfolio.id, **DEPOSIT)
    assert (await user.events(portfolio.id)).last_seq == last_seq


async def test_a_repetition_is_answered_though_the_market_would_refuse_it_by_now(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    recorded = await user.record(portfolio.id, key="deposit", **DEPOSIT)
    # The market was rewound to a time before the deposit.
    service.market.time = service.market.time.replace(year=2019)
    assert await user.record(portfolio.id, key="deposit", **DEPOSIT) == recorded
