"""From a transaction to its balanced journal entry.

Signs: an asset's amount is positive when there is more of it. A trade exchanges one commodity for another through
`trading:<symbol>`, so that each commodity sums to zero by itself (Selinger, Tutorial on Multiple Currency Accounting).
A trade's fee is an expense of its own; it is in neither the cost of a lot nor its realised gain.
"""

from decimal import Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.currency import DECIMAL_PLACES, round_cash
from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.model import Entry, Posting, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import LIMIT, QUANTITY_LIMIT, ZERO, exactly, plain, to_stored

CASH = "assets:cash"
SECURITIES = "assets:securities"
CONTRIBUTIONS = "equity:contributions"
DIVIDENDS = "income:dividends"
INTEREST = "income:interest"
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
def entry_of(asked: TransactionInput, currency: str, held: Decimal = ZERO) -> Entry:
    """The entry by the type's rule, cash rounded half to even to the currency's smallest unit.

    `currency` is the transaction's (a split has its instrument's); `held` is what a split multiplies.
    Raises InvalidTransaction where the cash would round to nothing or be too large to keep.
    """
    match asked.type:
        case TransactionType.BUY:
            return _trade(asked, currency, sign=1)
        case TransactionType.SELL:
            return _trade(asked, currency, sign=-1)
        case TransactionType.SPLIT:
            return _split(asked, currency, held)
        case _:
            return _cash(asked, currency)


def _cash(asked: TransactionInput, currency: str) -> Entry:
    account, sign = _CASH_RULES[asked.type]
    amount = sign * _payable("amount", asked.amount or ZERO, currency)
    postings = (Posting(CASH, currency, amount), Posting(account, currency, -amount))
    return Entry(asked, currency, amount, postings)


def _trade(asked: TransactionInput, currency: str, sign: int) -> Entry:
    quantity = sign * (asked.quantity or ZERO)
    gross = sign * _payable("quantity", (asked.quantity or ZERO) * (asked.price or ZERO), currency)
    fee = round_cash(asked.fee or ZERO, currency)
    cash_effect = -gross - fee
    counter = trading(asked.symbol)
    postings = [
        Posting(SECURITIES, asked.symbol, quantity),
        Posting(counter, asked.symbol, -quantity),
        Posting(counter, currency, gross),
        Posting(CASH, currency, cash_effect),
    ]
    if fee:
        postings.append(Posting(FEES, currency, fee))
    return Entry(asked, currency, cash_effect, tuple(postings))


def _split(asked: TransactionInput, currency: str, held: Decimal) -> Entry:
    gained = to_stored(held * (asked.split_ratio or ZERO)) - held
    if held + gained >= QUANTITY_LIMIT:
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
