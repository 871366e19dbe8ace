"""The peer of the batch benchmark: the same bytes over the same two hops, and nothing done with them.

python benchmarks/pricing_echo.py echo PORT             a grpc.aio stream that answers each piece with itself
python benchmarks/pricing_echo.py http PORT ECHO_PORT   a bare ASGI application that passes a body through it
"""

import sys
from collections.abc import AsyncIterator

import grpc
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

_PIECE_BYTES = 1024 * 1024
_LIMIT = [("grpc.max_receive_message_length", 4 * 1024 * 1024)]


async def serve_echo(port: int) -> None:
    async def echo(pieces: AsyncIterator[bytes], _: "grpc.aio.ServicerContext[bytes, bytes]") -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece

    server = grpc.aio.server(options=_LIMIT)
    handler = grpc.method_handlers_generic_handler("bench.Echo", {"Echo": grpc.stream_stream_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def serve_http(port: int, echo_port: int) -> None:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}", options=_LIMIT)
    echo: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/bench.Echo/Echo")

    async def application(_: Scope, receive: Receive, send: Send) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            held: list[bytes] = []
            size, more = 0, True
            while more:
                message = await receive()
                chunk, more = message.get("body", b""), message.get("more_body", False)
                held.append(chunk)
                size += len(chunk)
                if size >= _PIECE_BYTES or not more:
                    yield b"".join(held)
                    held.clear()
                    size = 0

        # Clients read once they have sent everything: an answer before that would wait for them, and they for it.
        answer = [piece async for piece in echo(pieces())]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in answer:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        loop="none",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    kind, *ports = sys.argv[1:]
    serving = serve_echo(*map(int, ports)) if kind == "echo" else serve_http(*map(int, ports))
    uvloop.run(serving)
