"""/auth: what is asked of the service for what the client asked."""

import httpx

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.api.common.v1.common_pb2 import PageInfo
from quantmesh.gateway.http.models.auth import SessionsShown

from .edges import Edge
from .samples import NOW


async def test_sessions_come_in_pages(edge: Edge) -> None:
    session = auth_pb2.Session(id="s1", created_at=NOW, current=True)
    answer = auth_pb2.ListSessionsResponse(sessions=[session], page=PageInfo(next_cursor="abc"))
    edge.peers["auth"].answers["ListSessions"] = answer
    response = await edge.http.get("/api/v2/auth/sessions?limit=7&cursor=xyz")
    asked = edge.peers["auth"].last("ListSessions")
    assert (asked.page.limit, asked.page.cursor) == (7, "xyz")
    assert SessionsShown.model_validate(response.json()).next_cursor == "abc"


async def test_a_login_tells_its_address_and_what_failures_are_counted_by(edge: Edge) -> None:
    edge.peers["auth"].answers["Login"] = auth_pb2.LoginResponse()
    body = {"email": "ada@example.com", "password": "violet-anchor-mosaic-7"}
    for address, network in (("2001:db8::7:1", "2001:db8::/64"), ("192.0.2.1", "192.0.2.1")):
        transport = httpx.ASGITransport(edge.app, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            assert (await client.post("/api/v2/auth/login", json=body)).status_code == 200
        asked = edge.peers["auth"].last("Login")
        assert (asked.ip_address, asked.network) == (address, network)
