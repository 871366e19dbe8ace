"""What a call ended with is told also where it never left, or nobody waited for its end."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from quantmesh.api.auth.v1.auth_pb2 import GetJwksRequest
from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceStub
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.rpc import Peer, open_channel


class Tokens:
    """Of an auth that is away, or that is silent."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent

    async def token(self) -> str:
        if self._is_silent:
            await asyncio.Event().wait()
        raise Unavailable("auth did not answer")


@pytest.mark.parametrize(
    ("is_silent", "raised", "code"),
    [(False, Unavailable, "UNAVAILABLE"), (True, TimeoutError, "CANCELLED")],
    ids=["auth is away", "its caller left"],
)
async def test_a_call_that_never_left_is_none_that_went_well(
    is_silent: bool, raised: type[Exception], code: str
) -> None:
    peer = Peer("nobody", open_channel("127.0.0.1:1", []), tokens=Tokens(is_silent=is_silent))

    def ended(with_code: str) -> float:
        labels = {"peer": "nobody", "method": "GetJwks", "code": with_code}
        return REGISTRY.get_sample_value("quantmesh_peer_seconds_count", labels) or 0.0

    before = ended(code)
    seconds = 0.1 if is_silent else 30.0
    with pytest.raises(raised):
        await asyncio.wait_for(peer.call(AuthServiceStub(peer.channel).GetJwks, GetJwksRequest()), seconds)
    await peer.close()
    assert (ended("OK"), ended(code)) == (0, before + 1)
