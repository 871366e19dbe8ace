"""The bare peers of the gateway's benchmarks: the least code that makes the same hops.

`echo PORT`: grpc.aio, one message or a stream of them back as they came.
`http PORT ECHO_PORT`: a FastAPI handler that makes one echo call, and a raw one that streams its body through the echo.
`broadcast PORT`: a WebSocket to each of whose clients every body posted to it is sent.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

_PIECE_BYTES = 1024 * 1024
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Contract(BaseModel):
    model: str
    style: str
    option_type: str
    spot: float
    strike: float
    time_to_expiry: float
    rate: float
    dividend_yield: float
    volatility: float
    greeks: bool


async def serve_echo(port: int) -> None:
    async def echo(request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return request

    async def echo_stream(
        requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    server = grpc.aio.server(options=_OPTIONS)
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "EchoStream": grpc.stream_stream_rpc_method_handler(echo_stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", methods),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def serve_http(port: int, echo_port: int) -> None:
    app = FastAPI()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}", options=_OPTIONS)
    echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/bench.Echo/Echo")
    echo_stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/bench.Echo/EchoStream")

    @app.post("/price")
    async def price(body: Contract) -> dict[str, str]:
        answer = await echo(body.model_dump_json().encode())
        return {"answer": answer.decode()}

    async def batch(receive: Receive, send: Send) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            held, more = bytearray(), True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                held += message.get("body", b"")
                while len(held) >= _PIECE_BYTES or (held and not more):
                    yield bytes(held[:_PIECE_BYTES])
                    del held[:_PIECE_BYTES]

        # The client sends all before it reads.
        answer = [piece async for piece in echo_stream(pieces())]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in answer:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/batch":
            await batch(receive, send)
        else:
            await app(scope, receive, send)

    await _serve(both, port)


async def serve_broadcast(port: int) -> None:
    clients: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            clients.append(send)
            while (await receive())["type"] != "websocket.disconnect":
                pass
            clients.remove(send)
            return
        text = (await receive())["body"].decode()
        for client in tuple(clients):
            await client({"type": "websocket.send", "text": text})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    await _serve(app, port)


async def _serve(app: Any, port: int) -> None:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        loop="none",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        backlog=2048,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    kind, port, *peers = sys.argv[1:]
    if kind == "echo":
        uvloop.run(serve_echo(int(port)))
    elif kind == "http":
        uvloop.run(serve_http(int(port), int(peers[0])))
    else:
        uvloop.run(serve_broadcast(int(port)))
