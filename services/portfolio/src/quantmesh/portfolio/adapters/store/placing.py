"""What placing an order reads, all of it known before any of it is answered; so it is asked at once."""

from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Asked
from quantmesh.portfolio.adapters.store.halts import IN_FORCE
from quantmesh.portfolio.adapters.store.journal import books_question
from quantmesh.portfolio.adapters.store.liquidity import ahead_question, size_question
from quantmesh.portfolio.adapters.store.orders import taken_question
from quantmesh.portfolio.adapters.store.portfolios import lock_question
from quantmesh.portfolio.core.execution import Venue, trades_now
from quantmesh.portfolio.core.liquidity import offered
from quantmesh.portfolio.core.order_work import balances_of
from quantmesh.portfolio.core.orders import Order


def questions(claim: Claim, order: Order, venue: Venue) -> list[Asked]:
    """The locks in the order in which everybody takes them, and behind them what they guard."""
    request, portfolio_id, quote = order.request, order.portfolio_id, venue.tradable_quote
    asked = [*claim.questions, lock_question(portfolio_id)]
    if order.is_named:
        asked.append(taken_question(portfolio_id, request.client_order_id))
    asked += [(IN_FORCE, {}), books_question(portfolio_id, balances_of(order), venue.time)]
    if quote is not None and offered(quote, request.side) is not None and trades_now(request, venue):
        asked += [size_question(quote), ahead_question(quote, request.side, order.id)]
    return asked
