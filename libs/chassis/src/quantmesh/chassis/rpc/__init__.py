"""gRPC in and out: one options module for both ends, errors with rich details, identity on every call."""

from quantmesh.chassis.rpc.channel import open_channel
from quantmesh.chassis.rpc.peer import Peer
from quantmesh.chassis.rpc.server import RpcServer

__all__ = ["Peer", "RpcServer", "open_channel"]
