"""Between protobuf and the core: halts."""

from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.core.halts.model import Halt, HaltKind

HALT_KINDS = {
    pb.HALT_KIND_BREAKER: HaltKind.BREAKER,
    pb.HALT_KIND_OPERATOR: HaltKind.OPERATOR,
    pb.HALT_KIND_KILL_SWITCH: HaltKind.KILL_SWITCH,
}
_NUMBERS = {kind: number for number, kind in HALT_KINDS.items()}


def halt_to(halt: Halt) -> pb.Halt:
    return pb.Halt(
        id=str(halt.id),
        kind=_NUMBERS[halt.kind],
        symbol=halt.symbol,
        cause=halt.cause,
        imposed_by=halt.imposed_by,
        imposed_at=to_timestamp(halt.imposed_at),
        market_time=None if halt.market_time is None else to_timestamp(halt.market_time),
        lifts_at=None if halt.lifts_at is None else to_timestamp(halt.lifts_at),
        level=halt.level,
        lifted_at=None if halt.lifted_at is None else to_timestamp(halt.lifted_at),
        lifted_by=halt.lifted_by,
        version=halt.version,
    )
