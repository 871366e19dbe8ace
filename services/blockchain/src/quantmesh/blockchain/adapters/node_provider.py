"""HTTP for web3, over one aiohttp session.

web3's own provider opens a connection per request, and guards its sessions by a thread lock common to all of them: a
request that is cancelled while it waits leaves the lock taken, and every later request of the process hangs.
"""

from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

_HEADERS = {"Content-Type": "application/json"}


class NodeProvider(AsyncJSONBaseProvider):
    """Raises what aiohttp raises, and ValueError for an answer that is not JSON."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        super().__init__()
        self._url = url
        self._timeout = ClientTimeout(total=timeout_seconds)
        self._session: ClientSession | None = None

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        body = self.encode_rpc_request(method, params)
        try:
            return await self._post(body)
        except ClientConnectionError:
            # A kept connection may have died with a node that is back by now. Every request may be repeated: a signed
            # transaction is the same transaction the second time.
            return await self._post(body)

    async def disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes) -> RPCResponse:
        if self._session is None:
            self._session = ClientSession(timeout=self._timeout, headers=_HEADERS, raise_for_status=True)
        async with self._session.post(self._url, data=body) as response:
            return self.decode_rpc_response(await response.read())
