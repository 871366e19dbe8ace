"""Halts: messages to JSON."""

from typing import Any

from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.gateway.translation.common import instant, inverse

KINDS = {
    "breaker": pb.HALT_KIND_BREAKER,
    "operator": pb.HALT_KIND_OPERATOR,
    "kill_switch": pb.HALT_KIND_KILL_SWITCH,
}
_KIND_NAMES = inverse(KINDS)


def halt(message: pb.Halt) -> dict[str, Any]:
    return {
        "id": message.id,
        "kind": _KIND_NAMES[message.kind],
        "symbol": message.symbol or None,
        "cause": message.cause,
        "level": message.level or None,
        "imposed_by": message.imposed_by,
        "imposed_at": instant(message, "imposed_at"),
        "market_time": instant(message, "market_time"),
        "lifts_at": instant(message, "lifts_at"),
        "lifted_at": instant(message, "lifted_at"),
        "lifted_by": message.lifted_by or None,
    }
