"""KYC decisions of a release that told nobody of them are told by this one."""

import asyncio
from datetime import UTC, datetime, timedelta

from quantmesh.auth.adapters.kyc_store import KycStore
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_EVERY_SECONDS = 60.0
# For so long a release before may decide beside this one.
_ROLLOUT = timedelta(days=1)


async def tell_untold_decisions(database: Database, clock: Clock) -> None:
    """Until cancelled: all at first, then those of late."""
    since = datetime.min.replace(tzinfo=UTC)
    while True:
        try:
            async with database.system_transaction() as session:
                await KycStore(session).tell_untold(since)
        except Unavailable as error:
            log.warning("untold decisions are not looked for", error=error.detail)
        else:
            since = clock.now() - _ROLLOUT
        await asyncio.sleep(_EVERY_SECONDS)
