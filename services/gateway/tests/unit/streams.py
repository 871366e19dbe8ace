"""A client of the stream without a socket, and what it follows."""

import asyncio
import json
from typing import Any
from uuid import uuid4

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import events_pb2, portfolio_pb2
from quantmesh.chassis.errors import NotFound
from quantmesh.gateway.adapters.account_logs import EARLY

from .edges import ADA, Edge

CHANNEL = f"portfolio.{ADA}"


class StreamClient:
    """`reading` False: the client does not read, so that a send waits for as long."""

    def __init__(self, edge: Edge, **headers: str) -> None:
        self._edge = edge
        self._headers = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reads = asyncio.Event()
        self._reads.set()
        self.closed: dict[str, Any] | None = None
        self.refused: dict[str, Any] | None = None

    async def __aenter__(self) -> "StreamClient":
        scope = {
            "type": "websocket",
            "path": "/api/v2/stream",
            "raw_path": b"/api/v2/stream",
            "headers": self._headers,
            "client": ("127.0.0.1", 5000),
            "query_string": b"",
        }
        self._in.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._edge.app(scope, self._in.get, self._send))
        first = await self._next()
        if first["type"] != "websocket.accept":
            self.refused = first
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reads.set()
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._task, 30)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._reads.wait()
        self._out.put_nowait(message)

    async def _next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._out.get(), 30)

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_again(self) -> None:
        self._reads.set()

    def say(self, **message: Any) -> None:
        self.say_text(json.dumps(message))

    def say_text(self, text: str) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    async def hear(self) -> dict[str, Any]:
        message = await self._next()
        if message["type"] == "websocket.close":
            self.closed = message
            return message
        heard: dict[str, Any] = json.loads(message["text"])
        return heard

    async def ask(self, **message: Any) -> dict[str, Any]:
        self.say(**message)
        return await self.hear()

    @property
    def unheard(self) -> int:
        """Messages that were said and that the gateway has not taken."""
        return self._in.qsize()

    def nothing_waits(self) -> bool:
        return self._out.empty()


def account_event(seq: int) -> portfolio_pb2.AccountEvent:
    event = portfolio_pb2.AccountEvent(
        seq=seq, portfolio_id=str(ADA), type="transaction.recorded", data_json=json.dumps({"amount": f"{seq}.00"})
    )
    event.time.FromJsonString("2020-01-02T15:00:00Z")
    return event


class Account:
    """An account's log, as portfolio keeps it and its events carry it."""

    def __init__(self, edge: Edge, length: int = 0) -> None:
        self._edge = edge
        self.log = [account_event(seq) for seq in range(1, length + 1)]
        edge.peers["portfolio"].answers["ListEvents"] = self._list

    def _list(self, request: portfolio_pb2.ListEventsRequest) -> portfolio_pb2.ListEventsResponse:
        if request.portfolio_id != str(ADA):
            raise NotFound("no such portfolio")
        rest = [event for event in self.log if event.seq > request.after]
        return portfolio_pb2.ListEventsResponse(events=rest[: request.limit], last_seq=len(self.log))

    def record(self) -> portfolio_pb2.AccountEvent:
        self.log.append(account_event(len(self.log) + 1))
        return self.log[-1]

    async def announce(self, event: portfolio_pb2.AccountEvent) -> None:
        await self._edge.logs.handle(_envelope(event))

    async def copy_early(self, *events: portfolio_pb2.AccountEvent) -> None:
        page = portfolio_pb2.ListEventsResponse(events=events)
        await self._edge.logs.handle_early(EARLY, page.SerializeToString())


def _envelope(event: portfolio_pb2.AccountEvent) -> common_pb2.EventEnvelope:
    carried = events_pb2.TransactionRecorded(event=event)
    return common_pb2.EventEnvelope(
        event_id=str(uuid4()), type=carried.DESCRIPTOR.full_name, payload=carried.SerializeToString()
    )


async def tick(edge: Edge, price: str, symbol: str = "AAPL") -> None:
    quote = market_pb2.Quote(symbol=symbol, source="replay", currency="USD")
    quote.price.value = price
    quote.time.FromJsonString("2020-01-02T15:00:00Z")
    await edge.quotes.handle(f"quotes.{symbol}", quote.SerializeToString())
