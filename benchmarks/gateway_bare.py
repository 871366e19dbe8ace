"""The peer of the gateway's benchmark: a bare FastAPI handler that makes one grpc.aio echo call, and the echo."""

import sys

import grpc
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel

_ECHO = "/bench.Echo/Echo"


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

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("bench.Echo", {"Echo": grpc.unary_unary_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def serve_http(port: int, echo_port: int) -> None:
    app = FastAPI()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}")
    echo = channel.unary_unary(_ECHO)

    @app.post("/price")
    async def price(body: Contract) -> dict[str, str]:
        answer = await echo(body.model_dump_json().encode())
        return {"answer": answer.decode()}

    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, loop="none", http="httptools", access_log=False, log_level="warning"
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    kind, *ports = sys.argv[1:]
    serving = serve_echo(*map(int, ports)) if kind == "echo" else serve_http(*map(int, ports))
    uvloop.run(serving)
