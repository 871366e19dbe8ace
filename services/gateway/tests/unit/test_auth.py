"""/auth: what is asked of the service for what the client asked."""

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
