"""What placing an order reads, all of it known before any of it is answered; so it is asked in one or two messages."""

from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Asked
from quantmesh.portfolio.adapters.store.halts import IN_FORCE
from quantmesh.portfolio.adapters.store.journal import books_question
from quantmesh.portfolio.adapters.store.liquidity import ahead_question, limit_question, size_question
from quantmesh.portfolio.adapters.store.orders import taken_question
from quantmesh.portfolio.adapters.store.portfolios import lock_question
from quantmesh.portfolio.core.execution import Venue, trades_now
from quantmesh.portfolio.core.liquidity import offered
from quantmesh.portfolio.core.order_work import balances_of
from quantmesh.portfolio.core.orders import Order


def account_questions(claim: Claim, order: Order, venue: Venue) -> list[Asked]:
    """The locks that are the account's own, in the order in which everybody takes them, and what they guard."""
    asked = [*claim.questions, lock_question(order.portfolio_id)]
    if order.is_named:
        asked.append(taken_question(order.portfolio_id, order.request.client_order_id))
    return [*asked, books_question(order.portfolio_id, balances_of(order), venue.time)]


def market_questions(order: Order, venue: Venue) -> list[Asked]:
    """Behind them: the lock of what all accounts share, a quote's size; and halts as they are once it is had."""
    request, quote = order.request, venue.tradable_quote
    asked: list[Asked] = []
    if quote is not None and trades_now(request, venue):
        if offered(quote, request.side) is None:
            asked.append(limit_question(quote.symbol))
        else:
            asked += [size_question(quote), ahead_question(quote, request.side, order.id)]
    return [*asked, (IN_FORCE, {})]
