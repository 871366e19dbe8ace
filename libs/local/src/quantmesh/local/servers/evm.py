"""An EVM node, anvil, from npm's `@foundry-rs/anvil`."""

import json
import shutil
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.errors import ToolMissing
from quantmesh.local.network import LOOPBACK, http_status

# Past states, for reorganisations; without a bound each block would take 100 kB of memory. Blocks and receipts stay.
_STATES_KEPT = 64


@dataclass(frozen=True)
class EvmNode:
    """A block a second, its state on disk after each; the last one may be lost with the process."""

    folder: Path
    port: int
    workspace: Path
    block_seconds: int = 1
    name: str = "evm"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Keep a copy of the state that is known to be whole: anvil writes in place, a kill can leave half a file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state, whole = self._state, self.folder / "state.whole.json"
        if _is_json(state):
            shutil.copyfile(state, whole)
        elif _is_json(whole):
            shutil.copyfile(whole, state)
        else:
            state.unlink(missing_ok=True)

    def child(self, log: Path) -> ChildProcess:
        programs = sorted((self.workspace / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
        if not programs:
            raise ToolMissing("anvil", "run `make setup` to install the packages of package-lock.json")
        command = [
            str(programs[0]),
            *("--host", LOOPBACK, "--port", str(self.port), "--quiet"),
            *("--block-time", str(self.block_seconds)),
            *("--state", str(self._state), "--state-interval", "1"),
            *("--prune-history", str(_STATES_KEPT)),
        ]
        return ChildProcess(self.name, command, log)

    def is_ready(self) -> bool:
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        return http_status(self.port, "/", method="POST", body=json.dumps(request)) == HTTPStatus.OK

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True
