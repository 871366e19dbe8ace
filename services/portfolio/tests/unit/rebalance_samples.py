"""Instruments in three currencies, and plans for them."""

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from quantmesh.portfolio.core.currency_cash import Till
from quantmesh.portfolio.core.planned_positions import Candidate
from quantmesh.portfolio.core.rebalance import Plan, Wishes, plan_rebalance

RATES = {"USD": Decimal(1), "EUR": Decimal("1.10"), "JPY": Decimal("0.0075")}
UNITS = {"USD": Decimal("0.01"), "EUR": Decimal("0.01"), "JPY": Decimal(1)}


def fee_in(currency: str, points: int, least: str) -> Callable[[Decimal], Decimal]:
    return lambda gross: max(gross * points / 10_000, Decimal(least)).quantize(UNITS[currency], ROUND_HALF_EVEN)


def candidate(symbol: str, currency: str, target: str, price: str, held: str = "0", **more: str) -> Candidate:
    """A fee of ten basis points and a unit at least where `fee` is given, what is held at no gain."""
    last, half = Decimal(price), Decimal(more.get("half_spread", "0"))
    gain = Decimal(more.get("gain", "0"))
    return Candidate(
        symbol=symbol,
        currency=currency,
        rate=RATES[currency],
        target=Decimal(target),
        held=Decimal(held),
        sellable=Decimal(held),
        lot_size=Decimal(more.get("lot_size", "1")),
        price=last,
        buy_price=last + half,
        sell_price=last - half,
        gain=lambda quantity: quantity * gain,
        fee_of=fee_in(currency, 10, "1") if "fee" in more else fee_in(currency, 0, "0"),
    )


def planned(candidates: Sequence[Candidate], cash: Mapping[str, str], **wishes: str) -> Plan:
    tills = [Till(currency, RATES[currency], Decimal(amount)) for currency, amount in cash.items()]
    amounts = {name: Decimal(amount) for name, amount in wishes.items()}
    return plan_rebalance(candidates, tills, "USD", Wishes(**amounts))
