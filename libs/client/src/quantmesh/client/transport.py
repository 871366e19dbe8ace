"""One HTTP connection pool with what every call needs: identity, retries where they are safe, problems as errors."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx
from pydantic import BaseModel

from quantmesh.client.errors import Overloaded, Unreachable, problem_of
from quantmesh.client.models.accounts import Tokens

ModelT = TypeVar("ModelT", bound=BaseModel)
Method = Literal["GET", "POST", "PATCH", "DELETE"]
Query = Mapping[str, str | int | bool | None]

# A service that was killed is back within five seconds.
RETRY_SECONDS = 10.0
_REFRESH_BEFORE_SECONDS = 15.0


@dataclass
class Session:
    """The tokens of one login; `expires_at` on the monotonic clock of this process."""

    tokens: Tokens
    expires_at: float


class Transport:
    def __init__(self, address: str, *, api_key: str | None = None, http: httpx.Client | None = None) -> None:
        self.address = address.rstrip("/")
        self._http = http or httpx.Client(timeout=httpx.Timeout(30.0, connect=5.0))
        self._api_key = api_key
        self.session: Session | None = None

    def close(self) -> None:
        self._http.close()

    def sign_in(self, tokens: Tokens) -> None:
        self.session = Session(tokens, time.monotonic() + tokens.expires_in)

    def sign_out(self) -> None:
        self.session = None

    def access_token(self) -> str | None:
        """The current one, renewed where it is about to expire."""
        session = self.session
        if session is None:
            return None
        if time.monotonic() < session.expires_at - _REFRESH_BEFORE_SECONDS:
            return session.tokens.access_token
        self.sign_out()  # the refresh itself carries no token
        tokens = self.call("POST", "/auth/refresh", Tokens, json={"refresh_token": session.tokens.refresh_token})
        self.sign_in(tokens)
        return tokens.access_token

    def call(
        self,
        method: Method,
        path: str,
        answer: type[ModelT],
        *,
        json: Mapping[str, Any] | None = None,
        query: Query | None = None,
        content: bytes | None = None,
        content_type: str | None = None,
        idempotent: bool = False,
    ) -> ModelT:
        """`idempotent` sends an Idempotency-Key, one for all attempts, so that a repeat has no second effect."""
        response = self.send(
            method,
            path,
            json=json,
            query=query,
            content=content,
            content_type=content_type,
            idempotent=idempotent,
        )
        return answer.model_validate_json(response.content)

    def send(
        self,
        method: Method,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        query: Query | None = None,
        content: bytes | None = None,
        content_type: str | None = None,
        idempotent: bool = False,
    ) -> httpx.Response:
        """Raises Problem for every answer from 400 on."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if idempotent else {}
        if content_type is not None:
            headers["Content-Type"] = content_type
        given = {name: value for name, value in (query or {}).items() if value is not None}
        repeatable = idempotent or method == "GET"
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                return self._send_once(method, path, headers=headers, json=json, params=given, content=content)
            except (Overloaded, Unreachable) as error:
                wait = error.retry_after_seconds
                if not repeatable or time.monotonic() + wait > deadline:
                    raise
                time.sleep(wait)

    def _send_once(
        self,
        method: Method,
        path: str,
        *,
        headers: Mapping[str, str],
        json: Mapping[str, Any] | None,
        params: Mapping[str, Any],
        content: bytes | None,
    ) -> httpx.Response:
        try:
            response = self._http.request(
                method,
                f"{self.address}/api/v2{path}",
                headers={**headers, **self._identity()},
                json=json,
                params=params,
                content=content,
            )
        except httpx.TransportError as error:
            raise Unreachable(self.address, str(error) or type(error).__name__) from error
        if response.is_success:
            return response
        raise problem_of(response)

    def _identity(self) -> dict[str, str]:
        if self._api_key is not None:
            return {"X-Api-Key": self._api_key}
        token = self.access_token()
        return {"Authorization": f"Bearer {token}"} if token else {}
