"""Lots and options between protobuf and the core."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.decimals import from_proto, to_proto
from quantmesh.chassis.errors import Violation
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.core.currency import display_cash
from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.get_positions import Mark, unrealized
from quantmesh.portfolio.core.lots import Lot
from quantmesh.portfolio.core.model import LotChoice
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.option_terms import OptionTerms


def lot_choices(messages: Iterable[pb.LotChoice]) -> tuple[LotChoice, ...]:
    """Raises InvalidTransaction or InvalidInput."""
    return tuple(_choice(message, f"lots.{place}") for place, message in enumerate(messages))


def chosen_lots(lots: Iterable[LotChoice]) -> list[pb.LotChoice]:
    return [
        pb.LotChoice(transaction_id=str(lot.transaction_id), quantity=common_pb2.Decimal(value=plain(lot.quantity)))
        for lot in lots
    ]


def option_terms(option: OptionTerms) -> pb.OptionTerms:
    return pb.OptionTerms(
        underlying=option.underlying,
        option_type=option.type.value,
        strike=common_pb2.Decimal(value=plain(option.strike)),
        expiry=to_timestamp(option.expiry),
        multiplier=common_pb2.Decimal(value=plain(option.multiplier)),
        exercise=option.exercise.value,
        settlement=option.settlement.value,
    )


def shown_lots(lots: Iterable[Lot], mark: Mark, multiplier: Decimal | None) -> list[pb.Lot]:
    """Lots of the position that is marked; `multiplier` is that of an option."""
    return [_lot(lot, mark, multiplier) for lot in lots]


def _lot(lot: Lot, mark: Mark, multiplier: Decimal | None) -> pb.Lot:
    currency = mark.position.currency
    gain = None if mark.price is None else unrealized(lot.quantity, lot.cost, mark.price, multiplier, currency)
    return pb.Lot(
        transaction_id="" if lot.transaction_id is None else str(lot.transaction_id),
        opened_at=to_timestamp(lot.opened_at),
        quantity=common_pb2.Decimal(value=plain(lot.quantity)),
        cost=to_proto(display_cash(lot.cost, currency)),
        unrealized_pnl=None if gain is None else to_proto(display_cash(gain, currency)),
    )


def _choice(message: pb.LotChoice, field: str) -> LotChoice:
    try:
        opener = UUID(message.transaction_id)
    except ValueError as error:
        name = message.transaction_id[:40]
        violation = Violation(f"{field}.transaction_id", f"{name!r} is not the id of a transaction")
        raise InvalidTransaction([violation]) from error
    return LotChoice(opener, from_proto(message.quantity, f"{field}.quantity"))
