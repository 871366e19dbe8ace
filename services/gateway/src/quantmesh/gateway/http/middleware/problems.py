"""Every error becomes a problem; what is no error of ours is a bug, logged in full and told as a bare 500."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.http.edge import Edge, edge_of
from quantmesh.gateway.http.problems import problem_answer, status_of

log = get_logger(__name__)


class Problems:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        edge = edge_of(scope)
        try:
            await self._app(scope, receive, send)
        except QuantmeshError as error:
            failure = error
            if status_of(error) == 500:
                log.error("a peer failed", request_id=edge.request_id, route=edge.route, error=error.detail)
        except ClientDisconnect:
            return
        except Exception as error:
            log.error("bug", request_id=edge.request_id, route=edge.route, exc_info=error)
            failure = QuantmeshError("internal")
        else:
            return
        if edge.has_begun:
            # The status is out; cutting the connection is the only way left to say that the body is not whole.
            log.warning("answer broken off", request_id=edge.request_id, route=edge.route, error=str(failure))
            msg = "the answer was broken off"
            raise ConnectionAbortedError(msg) from failure
        await _tell(failure, edge, scope, send)


async def _tell(error: QuantmeshError, edge: Edge, scope: Scope, send: Send) -> None:
    answer = problem_answer(error, instance=scope["path"], request_id=edge.request_id, field_root=edge.field_root)
    if scope["type"] == "http":
        await answer.send_to(scope, send)
        return

    async def send_refusal(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await answer.send_to({**scope, "method": "GET"}, send_refusal)
