"""Whoever may trade no more has no orders resting."""

from quantmesh.api.auth.v1.compliance_pb2 import KYC_STATUS_APPROVED, Kyc, KycStatus
from quantmesh.api.auth.v1.events_pb2 import KycDecided
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.sql import text
from quantmesh.local.testing import RunningServer
from quantmesh.portfolio.adapters.kyc import kyc_decisions, remember_told

from .broker import envelope, hear
from .fakes import Service, User
from .pre_trade_peers import checked, trade
from .venues import venue_service

KEPT = text("SELECT version, status FROM owner_kyc")
RESTING, FILLED, CANCELLED = pb.ORDER_STATUS_ACCEPTED, pb.ORDER_STATUS_FILLED, pb.ORDER_STATUS_CANCELLED


async def decide(service: Service, user: User, status: str, version: int) -> None:
    user_id = str(user.owner_id)
    decided = KycDecided(user_id=user_id, status=KycStatus.Value(f"KYC_STATUS_{status.upper()}"))
    await hear(service, kyc_decisions(), envelope(service, user.owner_id, user_id, decided, version))


async def test_resting_orders_of_a_suspended_owner_are_cancelled(service: Service, nats_server: RunningServer) -> None:
    async with venue_service(service, nats_server.url) as venue:
        user, portfolio = await venue.account()
        other, others = await venue.account()
        waiting = [await user.order(portfolio, "1", limit=price, tif="gtc") for price in ("90", "91")]
        kept = await other.order(others, "1", limit="92", tif="gtc")
        async with venue.runner(nats_server.url):
            await decide(service, user, "suspended", 2)
            for order in waiting:
                ended = await venue.until(user, order, CANCELLED)
                assert ended.reason == "the verification (KYC) of its owner does not let them trade any more"
            # Accepted by who had not heard of it yet.
            behind = await user.order(portfolio, "1", limit="93", tif="gtc")
            await venue.until(user, behind, CANCELLED)
            assert (await venue.seen(other, kept)).status == RESTING
            await decide(service, user, "approved", 3)
            again = await user.order(portfolio, "1", limit="94", tif="gtc")
            await venue.until(user, again, FILLED, "93")
            await venue.until(other, kept, FILLED, "91")


async def kept(service: Service) -> list[tuple[int, str]]:
    async with service.database.system_transaction() as session:
        return [(row.version, row.status) for row in await session.execute(KEPT)]


async def test_what_auth_answers_before_an_order_counts_before_its_event_comes(service: Service) -> None:
    async with checked(service) as checks:
        portfolio = await checks.user.create()
        await checks.check(trade(portfolio.id))
        assert await kept(service) == []
        await decide(service, checks.user, "suspended", 1)
        checks.compliance.status, checks.compliance.version = KYC_STATUS_APPROVED, 2
        assert (await checks.check(trade(portfolio.id))).denial is None
        assert await kept(service) == [(2, "approved")]


async def test_an_older_answer_changes_nothing(service: Service) -> None:
    user = service.user()
    await decide(service, user, "suspended", 2)
    await remember_told(service.database, user.owner_id, Kyc(status=KYC_STATUS_APPROVED, version=1))
    assert await kept(service) == [(2, "suspended")]


async def test_a_new_leader_cancels_what_rests_of_owners_barred_long_ago(
    service: Service, nats_server: RunningServer
) -> None:
    async with venue_service(service, nats_server.url) as venue:
        user, portfolio = await venue.account()
        order = await user.order(portfolio, "1", limit="90", tif="gtc")
        await decide(service, user, "suspended", 1)
        async with service.database.transaction(user.owner_id) as session:
            await session.execute(text("UPDATE owner_kyc SET heard_at = now() - interval '1 day'"))
        async with venue.runner(nats_server.url):
            await venue.until(user, order, CANCELLED)
