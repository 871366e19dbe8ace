"""The servers that the mesh runs on, and those that watch it, as plain child processes."""

from quantmesh.local.servers.base import EmbeddedServer, start_and_wait
from quantmesh.local.servers.evm import EvmNode
from quantmesh.local.servers.nats import NatsServer
from quantmesh.local.servers.postgres import PostgresServer
from quantmesh.local.servers.prometheus import PrometheusServer
from quantmesh.local.servers.redis import RedisServer

__all__ = [
    "EmbeddedServer",
    "EvmNode",
    "NatsServer",
    "PostgresServer",
    "PrometheusServer",
    "RedisServer",
    "start_and_wait",
]
