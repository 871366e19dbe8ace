"""Between protobuf and the core: numbers as they are shown, times, enums."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.decimals import from_proto, to_proto, to_text
from quantmesh.chassis.errors import InvalidInput, Violation
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.portfolio.adapters.translate_lots import chosen_lots, lot_choices, option_terms
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.currency import display_cash
from quantmesh.portfolio.core.get_positions import Mark
from quantmesh.portfolio.core.import_report import column_of
from quantmesh.portfolio.core.import_transactions import ImportOutcome
from quantmesh.portfolio.core.lots import Position
from quantmesh.portfolio.core.market import ExchangeRate
from quantmesh.portfolio.core.model import (
    Entry,
    LotMethod,
    Portfolio,
    PositionSide,
    Transaction,
    TransactionInput,
    TransactionType,
)
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.record_transactions import Recorded
from quantmesh.portfolio.core.told import id_text

Name = TypeVar("Name", bound=StrEnum)

LOT_METHODS = {pb.LotMethod.Value(f"LOT_METHOD_{method.name}"): method for method in LotMethod}
POSITION_SIDES = {pb.POSITION_SIDE_LONG: PositionSide.LONG, pb.POSITION_SIDE_SHORT: PositionSide.SHORT}
TRANSACTION_TYPES = {pb.TransactionType.Value(f"TRANSACTION_TYPE_{kind.name}"): kind for kind in TransactionType}
# The enum's number for a name: the tables above read backwards. By the name's type too, since all names of one text are
# equal.
_NUMBERS: Mapping[tuple[type[StrEnum], str], Any] = {
    (type(name), name): value
    for table in (LOT_METHODS, POSITION_SIDES, TRANSACTION_TYPES)
    for value, name in cast("Mapping[Any, StrEnum]", table).items()
}


def chosen(names: Mapping[Any, Name], value: int, field: str) -> Name:
    """InvalidInput where nothing, or nothing we know, was chosen."""
    name = names.get(value)
    if name is None:
        description = f"must be one of {', '.join(names.values())}"
        detail = f"{field} {description}."
        raise InvalidInput(detail, violations=[Violation(field, description)])
    return name


def moment(message: Message, field: str) -> datetime | None:
    return from_timestamp(getattr(message, field), field) if message.HasField(field) else None


def transaction_input(message: pb.TransactionInput) -> TransactionInput:
    executed_at = moment(message, "executed_at")
    if executed_at is None:
        detail = "executed_at is missing."
        raise InvalidInput(
            detail, violations=[Violation("executed_at", "is missing; the instant on the market's clock")]
        )
    return TransactionInput(
        type=chosen(TRANSACTION_TYPES, message.type, "type"),
        executed_at=executed_at,
        currency=message.currency,
        symbol=message.symbol,
        quantity=number(message, "quantity"),
        price=number(message, "price"),
        amount=number(message, "amount"),
        fee=number(message, "fee"),
        split_ratio=number(message, "split_ratio"),
        note=message.note,
        side=chosen(POSITION_SIDES, message.side, "side") if message.side else None,
        lots=lot_choices(message.lots),
    ).checked()


def portfolio(value: Portfolio) -> pb.Portfolio:
    return pb.Portfolio(
        id=str(value.id),
        name=value.name,
        base_currency=value.base_currency,
        lot_method=_number_of(value.lot_method),
        created_at=to_timestamp(value.created_at),
        version=value.version,
        seq=value.seq,
        margin_enabled=value.margin_enabled,
    )


def entry(value: Entry) -> pb.Transaction:
    """As it would be recorded: without an id."""
    message = pb.Transaction()
    _fill_entry(message, value)
    return message


def transaction(value: Transaction) -> pb.Transaction:
    message = pb.Transaction()
    fill_transaction(message, value)
    return message


def fill_transaction(message: pb.Transaction, value: Transaction) -> None:
    """In place: a message that is put together from others copies each of them, and imports make thousands."""
    _fill_entry(message, value.entry)
    message.id = id_text(value.id)
    message.portfolio_id = id_text(value.portfolio_id)
    message.recorded_at.CopyFrom(to_timestamp(value.recorded_at))
    message.order_id = "" if value.order_id is None else str(value.order_id)
    message.import_id = "" if value.import_id is None else id_text(value.import_id)
    message.reverses = "" if value.reverses is None else str(value.reverses)
    message.reversed_by = "" if value.reversed_by is None else str(value.reversed_by)


def _fill_entry(message: pb.Transaction, value: Entry) -> None:
    asked, currency = value.input, value.currency
    told = message.input
    told.type = _number_of(asked.type)
    told.symbol = asked.symbol
    if asked.quantity is not None:
        told.quantity.value = plain(asked.quantity)
    if asked.price is not None:
        told.price.value = plain(asked.price)
    if asked.amount is not None:
        told.amount.value = _cash_text(asked.amount, currency)
    if asked.fee is not None:
        told.fee.value = _cash_text(asked.fee, currency)
    if asked.split_ratio is not None:
        told.split_ratio.value = plain(asked.split_ratio)
    told.currency = currency
    told.executed_at.CopyFrom(to_timestamp(asked.executed_at))
    told.note = asked.note
    if asked.side is not None:
        told.side = _number_of(asked.side)
    if asked.lots:
        told.lots.extend(chosen_lots(asked.lots))
    message.cash_effect.amount.value = _cash_text(value.cash_effect, currency)
    message.cash_effect.currency = currency
    if asked.option is not None:
        message.option.CopyFrom(option_terms(asked.option))


def import_outcome(value: ImportOutcome) -> pb.ImportTransactionsResponse:
    return pb.ImportTransactionsResponse(
        dry_run=value.dry_run,
        import_id="" if value.import_id is None else str(value.import_id),
        accepted=[
            entry(row.entry) if row.transaction is None else transaction(row.transaction) for row in value.accepted
        ],
        rejected=[
            pb.RejectedRow(
                line=row.line, field=row.field, reason=row.reason, column=column_of(value.columns, row.field) or 0
            )
            for row in value.rejected
        ],
        duplicates=[pb.DuplicateRow(line=row.line, transaction_id=str(row.transaction_id)) for row in value.duplicates],
    )


def ledger_entry(value: Transaction) -> pb.LedgerEntry:
    asked = value.entry.input
    return pb.LedgerEntry(
        id=str(value.id),
        transaction_id=str(value.id),
        executed_at=to_timestamp(asked.executed_at),
        recorded_at=to_timestamp(value.recorded_at),
        postings=[
            pb.Posting(account=side.account, commodity=side.commodity, amount=_plain(side.amount))
            for side in value.entry.postings
        ],
        description=" ".join(part for part in (asked.type.value, asked.symbol, asked.note) if part),
    )


def position(value: Position) -> pb.Position:
    """Without a price."""
    return pb.Position(
        symbol=value.symbol,
        quantity=_plain(value.quantity),
        average_cost=_plain(value.average_cost),
        currency=value.currency,
        realized_pnl=cash(value.realized_pnl, value.currency),
    )


def marked_position(value: Mark, base_currency: str, lots: Sequence[pb.Lot] = ()) -> pb.Position:
    message = position(value.position)
    message.lots.extend(lots)
    message.stale = value.stale
    if value.price is not None and value.market_value is not None and value.unrealized_pnl is not None:
        message.price.CopyFrom(to_proto(Decimal(plain(value.price))))
        message.market_value.CopyFrom(cash(value.market_value, value.position.currency))
        message.unrealized_pnl.CopyFrom(cash(value.unrealized_pnl, value.position.currency))
    if value.base_value is not None:
        message.base_value.CopyFrom(cash(value.base_value, base_currency))
    if value.priced_at is not None:
        message.priced_at.CopyFrom(to_timestamp(value.priced_at))
    return message


def exchange_rates(rates: Mapping[str, ExchangeRate]) -> list[pb.TranslationRate]:
    return [
        pb.TranslationRate(currency=currency, rate=_plain(rate.rate), date=rate.day.isoformat(), stale=rate.stale)
        for currency, rate in sorted(rates.items())
    ]


def account_event(value: AccountEvent) -> pb.AccountEvent:
    message = pb.AccountEvent()
    fill_account_event(message, value)
    return message


def fill_account_event(message: pb.AccountEvent, value: AccountEvent) -> None:
    message.seq = value.seq
    message.portfolio_id = id_text(value.portfolio_id)
    message.type = value.type
    message.time.CopyFrom(to_timestamp(value.time))
    message.recorded_at.CopyFrom(to_timestamp(value.recorded_at))
    message.data_json = value.data


def number(message: Message, field: str) -> Decimal | None:
    return from_proto(getattr(message, field), field) if message.HasField(field) else None


def money(amount: Decimal, currency: str) -> common_pb2.Money:
    return common_pb2.Money(amount=cash(amount, currency), currency=currency)


def cash(value: Decimal, currency: str) -> common_pb2.Decimal:
    return common_pb2.Decimal(value=_cash_text(value, currency))


def _cash_text(value: Decimal, currency: str) -> str:
    return to_text(display_cash(value, currency))


def _plain(value: Decimal | None) -> common_pb2.Decimal | None:
    return None if value is None else common_pb2.Decimal(value=plain(value))


def _number_of(name: StrEnum) -> Any:
    return _NUMBERS[type(name), name]


def recorded(done: Recorded) -> dict[str, Any]:
    """The fields that every answer about one recorded transaction has."""
    return {
        "transaction": transaction(done.transaction),
        "position": None if done.position is None else position(done.position),
        "cash": money(done.cash, done.transaction.entry.currency),
    }
