"""The servers that the mesh runs on, from the package registries, as plain child processes."""

from quantmesh.local.servers.base import EmbeddedServer, start_and_wait
from quantmesh.local.servers.evm import EvmNode
from quantmesh.local.servers.nats import NatsServer
from quantmesh.local.servers.postgres import PostgresServer
from quantmesh.local.servers.redis import RedisServer

__all__ = ["EmbeddedServer", "EvmNode", "NatsServer", "PostgresServer", "RedisServer", "start_and_wait"]
