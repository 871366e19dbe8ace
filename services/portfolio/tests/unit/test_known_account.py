"""What is known of an account tells the same as its books would, or says that it does not know."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.adapters.rpc.known_accounts import KnownAccounts
from quantmesh.portfolio.core.admission import admit, touched
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.known_account import KnownAccount, KnownBalance, NotKnown
from quantmesh.portfolio.core.model import LotMethod, Portfolio, Transaction, TransactionInput, TransactionType
from quantmesh.portfolio.core.posting_rules import CASH
from quantmesh.portfolio.core.record_transactions import changed

START = datetime(2020, 1, 1, tzinfo=UTC)
USD = (CASH, "USD")
PORTFOLIO = Portfolio(uuid4(), "Growth", "USD", LotMethod.AVERAGE, START, version=1, seq=0)
NOTHING = KnownAccount(PORTFOLIO, START, {USD: KnownBalance(Decimal(0), Decimal(0), START)})


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def deposited(account: KnownAccount, amount: int, at: datetime) -> KnownAccount:
    """As record_transaction would."""
    asked = TransactionInput(type=TransactionType.DEPOSIT, executed_at=at, currency="USD", amount=Decimal(amount))
    books = account.books(touched(asked, "USD"), at)
    entry = admit(asked, "USD", books)
    seq = account.portfolio.seq + 1
    transaction = Transaction(uuid4(), PORTFOLIO.id, seq, entry, account.recorded_at + timedelta(seconds=1))
    return account.recorded(transaction, changed(books, [entry]))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 100)), min_size=1, max_size=8), st.integers(1, 30))
def test_headroom_is_that_of_the_whole_history_wherever_it_is_known(deposits: list[tuple[int, int]], at: int) -> None:
    account = NOTHING
    recorded: list[tuple[int, int]] = []
    for number, amount in deposits:
        try:
            account = deposited(account, amount, day(number))
        except NotKnown:
            assert number < max(earlier for earlier, _ in recorded)
            continue
        recorded.append((number, amount))
    assert account.portfolio.seq == len(recorded)
    total = Decimal(sum(amount for _, amount in recorded))
    later = sorted((day(number), Decimal(amount)) for number, amount in recorded if number > at)
    try:
        books = account.books([USD], day(at))
    except NotKnown:
        assert any(number > at for number, _ in recorded)
        return
    whole = BalanceHistory(total, later)
    assert books.balance(USD).headroom(day(at)) == whole.headroom(day(at))


def test_what_is_dated_later_lessens_what_may_be_taken_now() -> None:
    later = ((day(3), Decimal(-80)), (day(5), Decimal(50)))
    account = KnownAccount(PORTFOLIO, START, {USD: KnownBalance(Decimal(70), Decimal(0), START, later)})
    assert account.books([USD], day(2)).balance(USD).headroom(day(2)).amount == Decimal(20)
    assert account.books([USD], day(4)).balance(USD).headroom(day(4)).amount == Decimal(20)
    assert account.books([USD], day(6)).balance(USD).headroom(day(6)).amount == Decimal(70)


@pytest.mark.parametrize(("holding", "since"), [((CASH, "EUR"), day(1)), (USD, START - timedelta(microseconds=1))])
def test_what_was_never_read_is_not_known(holding: tuple[str, str], since: datetime) -> None:
    assert not NOTHING.knows([USD, holding], since)
    with pytest.raises(NotKnown):
        NOTHING.books([USD, holding], since)


def test_an_account_of_another_number_or_version_or_time_is_another() -> None:
    assert NOTHING.is_at(KnownAccount(replace(PORTFOLIO), START))
    assert not NOTHING.is_at(KnownAccount(PORTFOLIO, day(1)))
    assert not NOTHING.is_at(KnownAccount(replace(PORTFOLIO, version=2), START))
    assert not NOTHING.is_at(deposited(NOTHING, 1, day(1)))


def test_accounts_are_known_to_their_owner_and_only_until_they_are_taken() -> None:
    known, owner = KnownAccounts(), uuid4()
    known.remember(owner, {PORTFOLIO.id: NOTHING})
    assert known.take(uuid4(), [PORTFOLIO.id]) == {}
    assert known.take(owner, [PORTFOLIO.id, uuid4()]) == {PORTFOLIO.id: NOTHING}
    assert known.take(owner, [PORTFOLIO.id]) == {}


def test_the_least_recently_used_is_forgotten_first() -> None:
    known, owner, ids = KnownAccounts(most=2), uuid4(), [uuid4() for _ in range(3)]
    for portfolio_id in ids[:2]:
        known.remember(owner, {portfolio_id: NOTHING})
    known.remember(owner, known.take(owner, ids[:1]))
    known.remember(owner, {ids[2]: NOTHING})
    assert set(known.take(owner, ids)) == {ids[0], ids[2]}


def test_a_long_history_is_not_kept() -> None:
    known, owner = KnownAccounts(), uuid4()
    later = tuple((day(number), Decimal(1)) for number in range(1000))
    known.remember(
        owner, {PORTFOLIO.id: KnownAccount(PORTFOLIO, START, {USD: KnownBalance(Decimal(0), Decimal(0), START, later)})}
    )
    assert known.take(owner, [PORTFOLIO.id]) == {}
