"""From a transaction to its balanced journal entry.

Signs: an asset's amount is positive when there is more of it. A trade exchanges one commodity for another through
`trading:<symbol>`, so that each commodity sums to zero by itself (Selinger, Tutorial on Multiple Currency Accounting).
A trade's fee is an expense of its own; it is in neither the cost of a lot nor its realised gain.
"""

from decimal import Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.currency import DECIMAL_PLACES, round_cash
from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.model import Entry, PositionSide, Posting, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import LIMIT, QUANTITY_LIMIT, ZERO, exactly, plain, to_stored
from quantmesh.portfolio.core.option_terms import OptionTerms, Settlement

CASH = "assets:cash"
SECURITIES = "assets:securities"
ASSETS = frozenset({CASH, SECURITIES})
CONTRIBUTIONS = "equity:contributions"
DIVIDENDS = "income:dividends"
INTEREST = "income:interest"
DIVIDENDS_PAID = "expenses:dividends"
FEES = "expenses:fees"


def trading(symbol: str) -> str:
    return f"trading:{symbol}"


# The account that faces cash, and the sign of the effect on cash.
_CASH_RULES = {
    TransactionType.DEPOSIT: (CONTRIBUTIONS, 1),
    TransactionType.WITHDRAWAL: (CONTRIBUTIONS, -1),
    TransactionType.DIVIDEND: (DIVIDENDS, 1),
    TransactionType.INTEREST: (INTEREST, 1),
    TransactionType.FEE: (FEES, -1),
}


@exactly
def entry_of(asked: TransactionInput, currency: str, held: Decimal = ZERO, carried: Decimal = ZERO) -> Entry:
    """The entry by the type's rule, cash rounded half to even to the currency's smallest unit.

    `currency` is the transaction's (a split has its instrument's); `held` is what a split multiplies, and what an
    option's close and expiry end, which are a sale where it is positive. `carried` is the cost, negative on the short
    side, that goes from an option to what it delivers.
    Raises InvalidTransaction where the cash would round to nothing or be too large to keep.
    """
    match asked.type:
        case TransactionType.BUY | TransactionType.SELL | TransactionType.OPTION_OPEN | TransactionType.OPTION_CLOSE:
            return _trade(asked, currency, -1 if _sells(asked, held) else 1)
        case TransactionType.OPTION_EXPIRY:
            return _expiry(asked, currency, held)
        case TransactionType.OPTION_EXERCISE | TransactionType.OPTION_ASSIGNMENT:
            return _exercise(asked, currency, carried)
        case TransactionType.SPLIT:
            return _split(asked, currency, held)
        case _:
            return _cash(asked, currency)


@exactly
def gross_of(quantity: Decimal, price: Decimal, option: OptionTerms | None) -> Decimal:
    """What units cost at a price, not rounded; an option's price is for one unit of its underlying."""
    return quantity * price * (Decimal(1) if option is None else option.multiplier)


def delivers(asked: TransactionInput) -> bool:
    """Whether units of an option's underlying change hands."""
    exercised = asked.type in {TransactionType.OPTION_EXERCISE, TransactionType.OPTION_ASSIGNMENT}
    return exercised and asked.option is not None and asked.option.settlement is Settlement.PHYSICAL


def _sells(asked: TransactionInput, held: Decimal) -> bool:
    if asked.type is TransactionType.OPTION_CLOSE:
        return held > ZERO
    return asked.type is TransactionType.SELL or asked.side is PositionSide.SHORT


def _cash(asked: TransactionInput, currency: str) -> Entry:
    account, sign = _CASH_RULES[asked.type]
    if asked.side is PositionSide.SHORT:
        account, sign = DIVIDENDS_PAID, -1
    amount = sign * _payable("amount", asked.amount or ZERO, currency)
    postings = (Posting(CASH, currency, amount), Posting(account, currency, -amount))
    return Entry(asked, currency, amount, postings)


def _trade(asked: TransactionInput, currency: str, sign: int) -> Entry:
    quantity = sign * (asked.quantity or ZERO)
    gross = gross_of(asked.quantity or ZERO, asked.price or ZERO, asked.option)
    return _exchange(asked, currency, quantity, sign * _payable("quantity", gross, currency))


def _exchange(asked: TransactionInput, currency: str, quantity: Decimal, paid: Decimal) -> Entry:
    """`quantity` units for `paid` cash, both signed as what is got and what is given."""
    fee = round_cash(asked.fee or ZERO, currency)
    cash_effect = -paid - fee
    counter = trading(asked.symbol)
    postings = [
        Posting(SECURITIES, asked.symbol, quantity),
        Posting(counter, asked.symbol, -quantity),
        Posting(counter, currency, paid),
        Posting(CASH, currency, cash_effect),
    ]
    if fee:
        postings.append(Posting(FEES, currency, fee))
    return Entry(asked, currency, cash_effect, tuple(postings))


def _expiry(asked: TransactionInput, currency: str, held: Decimal) -> Entry:
    """At zero: what was paid for it is lost, what was got for it is kept; the lots say how much."""
    ended = (asked.quantity or ZERO).copy_sign(held)
    postings = (Posting(SECURITIES, asked.symbol, -ended), Posting(trading(asked.symbol), asked.symbol, ended))
    return Entry(asked, currency, round_cash(ZERO, currency), postings)


def _exercise(asked: TransactionInput, currency: str, carried: Decimal) -> Entry:
    """The holder's side is exercised, the writer's assigned: the same exchange with the signs turned.

    Settled by delivery, the underlying changes hands at the strike, and the option's cost goes with it: into the cost
    of what is bought, out of the proceeds of what is sold (IRS Publication 550, "Options": puts and calls exercised).
    """
    option = asked.option
    if option is None:
        raise InvalidTransaction([Violation("symbol", f"{asked.symbol} is not an option")])
    holder = 1 if asked.type is TransactionType.OPTION_EXERCISE else -1
    contracts = asked.quantity or ZERO
    if option.settlement is Settlement.CASH:
        worth = gross_of(contracts, option.intrinsic(asked.price or ZERO), option)
        return _exchange(asked, currency, -holder * contracts, -holder * _payable("price", worth, currency))
    units = holder * option.direction * contracts * option.multiplier
    paid = _payable("quantity", abs(units) * option.strike, currency).copy_sign(units)
    fee = round_cash(asked.fee or ZERO, currency)
    postings = [
        Posting(SECURITIES, asked.symbol, -holder * contracts),
        Posting(trading(asked.symbol), asked.symbol, holder * contracts),
        Posting(SECURITIES, option.underlying, units),
        Posting(trading(option.underlying), option.underlying, -units),
        Posting(trading(option.underlying), currency, paid + carried),
        Posting(CASH, currency, -paid - fee),
    ]
    if carried:
        postings.append(Posting(trading(asked.symbol), currency, -carried))
    if fee:
        postings.append(Posting(FEES, currency, fee))
    return Entry(asked, currency, -paid - fee, tuple(postings))


def _split(asked: TransactionInput, currency: str, held: Decimal) -> Entry:
    gained = to_stored(held * (asked.split_ratio or ZERO)) - held
    if not held + gained:
        raise InvalidTransaction([Violation("split_ratio", f"would leave nothing of the {plain(held)} that are held")])
    if abs(held + gained) >= QUANTITY_LIMIT:
        raise InvalidTransaction([Violation("split_ratio", f"would make {plain(held + gained)} of it")])
    postings = (Posting(SECURITIES, asked.symbol, gained), Posting(trading(asked.symbol), asked.symbol, -gained))
    return Entry(asked, currency, round_cash(ZERO, currency), postings)


def _payable(field: str, amount: Decimal, currency: str) -> Decimal:
    rounded = round_cash(amount, currency)
    if rounded == 0:
        smallest = plain(Decimal(1).scaleb(-DECIMAL_PLACES[currency]))
        raise InvalidTransaction(
            [Violation(field, f"comes to {plain(amount)} {currency}, which rounds to less than {smallest}")]
        )
    if rounded >= LIMIT:
        raise InvalidTransaction(
            [Violation(field, f"comes to {plain(rounded)} {currency}; it must be less than {plain(LIMIT)}")]
        )
    return rounded
