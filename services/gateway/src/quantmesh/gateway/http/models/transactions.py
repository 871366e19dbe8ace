"""Transactions, their reversals and their imports: bodies, queries and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import (
    Body,
    CurrencyCode,
    DecimalText,
    Id,
    Instant,
    MoneyShown,
    Note,
    PageQuery,
    PositiveDecimal,
    Query,
    Shown,
    ShownInstant,
    Symbol,
)
from quantmesh.gateway.http.models.portfolios import PositionShown

AskedType = Literal[
    "deposit",
    "withdrawal",
    "buy",
    "sell",
    "dividend",
    "interest",
    "fee",
    "split",
    "option_open",
    "option_close",
    "option_exercise",
    "option_assignment",
    "option_expiry",
]
TransactionType = AskedType | Literal["reversal"]
PositionSide = Literal["long", "short"]


class LotChoiceBody(Body):
    """So many units of the lot that a transaction opened."""

    transaction_id: Id
    quantity: PositiveDecimal


class TransactionBody(Body):
    """Which fields are needed depends on the type; a violation says so."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "deposit",
                    "amount": "100000.00",
                    "currency": "USD",
                    "executed_at": "2020-01-02T15:00:00Z",
                },
                {
                    "type": "buy",
                    "symbol": "AAPL",
                    "quantity": "10",
                    "price": "73.35",
                    "currency": "USD",
                    "fee": "1.00",
                    "executed_at": "2020-01-02T21:00:00Z",
                },
            ]
        }
    )

    type: AskedType
    symbol: Symbol | None = None
    quantity: PositiveDecimal | None = None
    price: PositiveDecimal | None = None
    amount: PositiveDecimal | None = None
    fee: DecimalText | None = None
    currency: Annotated[
        CurrencyCode | None,
        Field(description="Where absent: the instrument's, or without one the portfolio's base currency."),
    ] = None
    executed_at: Instant
    note: Note = ""
    split_ratio: Annotated[
        PositiveDecimal | None,
        Field(
            description="New shares for one old share. A split cancels the open orders of its instrument that were"
            " accepted, or replaced by other than less, before `executed_at`."
        ),
    ] = None
    side: Annotated[
        PositionSide | None,
        Field(description="Which side of an option is opened, or whether a dividend was paid on borrowed shares."),
    ] = None
    lots: Annotated[
        list[LotChoiceBody],
        Field(
            default_factory=list,
            max_length=1_000,
            description="Which lots a sale takes, where the portfolio's lot method is specific.",
        ),
    ]


class ImportQuery(Query):
    dry_run: bool = False


class TransactionsQuery(PageQuery):
    import_id: Annotated[Id | None, Field(description="Those of this import alone.")] = None


class ReverseBody(Body):
    note: Note = ""


class LotChoiceShown(Shown):
    transaction_id: str
    quantity: DecimalText


class OptionTermsShown(Shown):
    underlying: str
    option_type: Literal["call", "put"]
    strike: DecimalText
    expiry: ShownInstant
    multiplier: DecimalText
    exercise: Literal["american", "european"]
    settlement: Literal["physical", "cash"]


class TransactionShown(Shown):
    id: str | None
    portfolio_id: str
    type: TransactionType
    symbol: str | None
    quantity: DecimalText | None
    price: DecimalText | None
    amount: DecimalText | None
    fee: DecimalText | None
    currency: str
    split_ratio: DecimalText | None
    note: str | None
    side: PositionSide | None
    lots: list[LotChoiceShown]
    option: Annotated[OptionTermsShown | None, Field(description="The terms under which it was posted.")]
    executed_at: ShownInstant
    recorded_at: ShownInstant | None
    cash_effect: MoneyShown | None
    order_id: str | None
    import_id: str | None
    reverses: Annotated[str | None, Field(description="The transaction that this one takes back.")]
    reversed_by: str | None


class RecordedTransactionShown(TransactionShown):
    position: PositionShown | None
    cash: MoneyShown | None


class TransactionsShown(Shown):
    data: list[TransactionShown]
    next_cursor: str | None


class RejectedRowShown(Shown):
    """`column` counts from 1; null for the row as a whole and for a column that the file lacks."""

    line: int
    column: int | None
    field: str | None
    reason: str


class DuplicateRowShown(Shown):
    """A row that an earlier import recorded as `transaction_id`."""

    line: int
    transaction_id: str


class ImportShown(Shown):
    """Also the result of the job that a long file is.

    That lists at most 1,000 accepted and duplicate rows each (all of an import are at `/transactions?import_id=`) and
    10,000 rejections; the counts are of all.
    """

    dry_run: bool
    import_id: Annotated[
        str | None, Field(description="By which it can be taken back; null where nothing was recorded.")
    ]
    accepted_rows: int
    rejected_rows: int
    duplicate_rows: int
    accepted: list[TransactionShown]
    rejected: list[RejectedRowShown]
    duplicates: list[DuplicateRowShown]


class ReversedImportShown(Shown):
    """The reversals have the log's numbers from `first_seq` to `last_seq`."""

    import_id: str
    reversed_rows: int
    first_seq: int
    last_seq: int


CSV = "text/csv"
CSV_BODY = {
    "required": True,
    "content": {
        CSV: {
            "schema": {
                "type": "string",
                "description": "A header, then a transaction per row. `type` (any that may be recorded alone) and"
                " `executed_at` are required; the other columns are symbol, quantity, price, amount, fee, currency,"
                " note, split_ratio and side, in any order. Rows count in order of execution, those of one instant"
                " in the file's order, from its end where it comes newest first throughout: an option's exercise or"
                " assignment takes the lots that are open then, those of the same file too.",
            },
            "example": "type,symbol,quantity,price,amount,fee,currency,executed_at\n"
            "deposit,,,,100000.00,,USD,2020-01-02T15:00:00Z\n"
            "buy,AAPL,10,73.35,,1.00,USD,2020-01-02T21:00:00Z\n",
        }
    },
}
