"""The peer of the batch benchmark: the same bytes over the same two hops, and nothing done with them.

python benchmarks/pricing_echo.py echo PORT             a grpc.aio stream that answers each piece with itself
python benchmarks/pricing_echo.py http PORT ECHO_PORT   a bare FastAPI handler that passes a body through it
"""

import sys
from collections.abc import AsyncIterator

import grpc
import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

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
    app = FastAPI()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}", options=_LIMIT)
    echo: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/bench.Echo/Echo")

    @app.post("/echo")
    async def pass_through(request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            held: list[bytes] = []
            size = 0
            async for chunk in request.stream():
                held.append(chunk)
                size += len(chunk)
                if size >= _PIECE_BYTES:
                    yield b"".join(held)
                    held.clear()
                    size = 0
            if size:
                yield b"".join(held)

        return StreamingResponse(echo(pieces()))

    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, loop="none", http="httptools", access_log=False, log_level="warning"
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    kind, *ports = sys.argv[1:]
    serving = serve_echo(*map(int, ports)) if kind == "echo" else serve_http(*map(int, ports))
    uvloop.run(serving)
