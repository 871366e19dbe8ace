"""What the broker lets nobody publish is said where it was tried: who published hears nothing."""

import sys
from pathlib import Path

from structlog.testing import capture_logs

from quantmesh.chassis.events import EventBus
from quantmesh.local.child import ChildProcess
from quantmesh.local.network import LOOPBACK, free_port

from .events import until

_CONFIGURATION = """
listen: "{address}"
authorization {{ users = [{{user: ledger, password: secret, permissions: {{publish: {{deny: "qm.>"}}}}}}] }}
"""


async def test_a_publication_that_the_broker_refuses_is_a_warning(tmp_path: Path) -> None:
    address, configuration = f"{LOOPBACK}:{free_port()}", tmp_path / "nats.conf"
    configuration.write_text(_CONFIGURATION.format(address=address))
    command = [str(Path(sys.executable).parent / "nats-server"), "--config", str(configuration)]
    server = ChildProcess("nats", command, tmp_path / "nats.log")
    server.start()
    bus = EventBus(f"nats://ledger:secret@{address}", "ledger")
    try:
        await bus.connect(patience_seconds=20)
        with capture_logs() as logged:
            await bus.publish("qm.market.bars.ingested.0", b"")
            await until(lambda: bool(logged))
        assert [(entry["log_level"], "qm.market" in entry["error"]) for entry in logged] == [("warning", True)]
        assert bus.is_connected
    finally:
        await bus.close()
        server.stop()
