"""What risk notices enters the account's own log, once and with the next number."""

import json
from uuid import uuid4

from quantmesh.api.common.v1.common_pb2 import Decimal, EventEnvelope
from quantmesh.api.portfolio.v1.events_pb2 import AlertRaised
from quantmesh.api.risk.v1 import limits_pb2
from quantmesh.api.risk.v1.events_pb2 import LimitBreached, LimitCleared
from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.risk_alerts import RiskAlerts

from .broker import envelope, hear
from .fakes import Service

ALERTS = text("SELECT aggregate_version, payload FROM outbox WHERE subject = 'portfolio.alert.raised'")


def breach(portfolio_id: str) -> LimitBreached:
    limit = limits_pb2.Limit(rule=limits_pb2.LimitRule.values()[1], limit=Decimal(value="100000"))
    measured = limits_pb2.LimitUtilisation(
        limit=limit, value=Decimal(value="120000"), utilisation=1.2, state=limits_pb2.LIMIT_STATE_BREACHED
    )
    return LimitBreached(portfolio_id=portfolio_id, utilisation=measured, definition_version=3)


async def hear_of_risk(service: Service, told: EventEnvelope) -> None:
    breaches, clearances = RiskAlerts(service.clock).consumers()
    await hear(service, breaches if told.type == LimitBreached.DESCRIPTOR.full_name else clearances, told)


async def test_a_breach_takes_the_next_number_of_the_log_once(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    told = envelope(service, user.owner_id, portfolio.id, breach(portfolio.id))
    for _ in range(2):
        await hear_of_risk(service, told)
    await user.deposit(portfolio.id)
    events = (await user.events(portfolio.id)).events
    assert [(event.seq, event.type) for event in events] == [
        (1, "transaction.recorded"),
        (2, "risk.limit_breached"),
        (3, "transaction.recorded"),
    ]
    data = json.loads(events[1].data_json)
    assert (data["limit"], data["value"], data["state"]) == ("100000", "120000", "breached")
    async with service.database.system_transaction() as session:
        ((version, payload),) = (await session.execute(ALERTS)).all()
    assert version == 2
    assert AlertRaised.FromString(bytes(payload)).event == events[1]


async def test_an_alert_of_an_account_that_was_closed_is_dropped(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    closed = str(uuid4())
    await hear_of_risk(service, envelope(service, user.owner_id, closed, LimitCleared(portfolio_id=closed)))
    assert (await user.events(portfolio.id)).last_seq == 0
