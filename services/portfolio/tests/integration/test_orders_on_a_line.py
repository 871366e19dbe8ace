"""Orders that came by a line: each placed under its own key, with its own answer."""

from collections.abc import AsyncIterator, Mapping

from quantmesh.api.common.v1.bundle_pb2 import BundledCall, BundledOutcome
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb

from .fakes import NO_CONTEXT, User
from .messages import order_request
from .order_desk import STATUS, Desk


async def placed(user: User, orders: Mapping[str, pb.PlaceOrderRequest]) -> list[BundledOutcome]:
    """By their keys; in the order of these."""

    async def requests() -> AsyncIterator[pb.StreamOrdersRequest]:
        for place, (key, order) in enumerate(orders.items()):
            yield pb.StreamOrdersRequest(
                calls=[BundledCall(request=order.SerializeToString(), idempotency_key=key, place=place)]
            )

    user.call()
    answers = [each async for each in user.rpc.StreamOrders(requests(), NO_CONTEXT)]
    return sorted((each for answer in answers for each in answer.outcomes), key=lambda each: each.place)


async def test_each_order_is_placed_once_under_its_own_key(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    orders = {key: order_request(portfolio_id, "1") for key in ("a", "b")}
    orders["too many"] = order_request(portfolio_id, "1000", "sell")
    first, again = await placed(user, orders), await placed(user, orders)
    assert [each.WhichOneof("outcome") for each in first] == ["response", "response", "refusal"]
    assert [each.replayed for each in again] == [True, True, False]
    assert [each.response for each in first] == [each.response for each in again]
    shown = [pb.PlaceOrderResponse.FromString(each.response).order for each in first[:2]]
    assert [STATUS[each.status] for each in shown] == ["filled", "filled"]
    assert len({each.id for each in shown}) == 2
