"""AuthService over gRPC: what people and what programs log in with."""

from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceServicer
from quantmesh.auth.adapters.rpc_keys import KeyRpc
from quantmesh.auth.adapters.rpc_sessions import SessionRpc


class AuthRpc(SessionRpc, KeyRpc, AuthServiceServicer):
    """One servicer for the whole proto, made of `AuthParts`."""
