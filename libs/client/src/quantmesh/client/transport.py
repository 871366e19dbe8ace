"""One HTTP connection pool with what every call needs: identity, retries where they are safe, problems as errors."""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, Protocol, TypedDict, TypeVar, Unpack

import httpx
from pydantic import BaseModel, ValidationError

from quantmesh.client.encoding import encoded, parameters
from quantmesh.client.errors import Overloaded, StillRunning, Unreachable, Unreadable, Unsendable, problem_of
from quantmesh.client.models.accounts import Tokens
from quantmesh.client.models.base import Page

ModelT = TypeVar("ModelT", bound=BaseModel)
ItemT = TypeVar("ItemT")
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
# What is None is left out.
Query = Mapping[str, object]

# A service that was killed is back within five seconds.
RETRY_SECONDS = 10.0
_REFRESH_BEFORE_SECONDS = 15.0
# What the list of one's sessions names a login by.
_AGENT = f"quantmesh-client/{version('quantmesh-client')}"


class Options(TypedDict, total=False):
    """`idempotent` sends an Idempotency-Key, one for all attempts, so that a repeat has no second effect.

    `if_match` is the version that the caller saw; None: any.
    """

    json: Mapping[str, Any] | None
    query: Query | None
    content: bytes
    content_type: str
    idempotent: bool
    if_match: int | None


@dataclass
class Session:
    """The tokens of one login; `expires_at` on the monotonic clock of this process."""

    tokens: Tokens
    expires_at: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.expires_at - _REFRESH_BEFORE_SECONDS


class Kept(Protocol):
    """Where a login is kept that several processes use. Whoever renews it says so at once: the token before, if used
    again, would end the session of all."""

    def read(self) -> Session | None: ...

    def write(self, session: Session) -> None: ...


class Transport:
    def __init__(self, address: str, *, api_key: str | None = None, http: httpx.Client | None = None) -> None:
        self.address = address.rstrip("/")
        self._http = http or httpx.Client(timeout=httpx.Timeout(30.0, connect=5.0), headers={"User-Agent": _AGENT})
        self._api_key = api_key
        self.session: Session | None = None
        self.kept: Kept | None = None

    def close(self) -> None:
        self._http.close()

    def sign_in(self, tokens: Tokens) -> None:
        self.session = Session(tokens, time.monotonic() + tokens.expires_in)
        if self.kept is not None:
            self.kept.write(self.session)

    def sign_out(self) -> None:
        self.session = None

    @property
    def has_api_key(self) -> bool:
        return self._api_key is not None

    def credential(self) -> str | None:
        """What says who calls where there are no headers: the API key, or the token."""
        return self._api_key or self.access_token()

    def access_token(self) -> str | None:
        """The current one, renewed where it is about to expire."""
        session = self.session
        if session is None:
            return None
        if not session.fresh and self.kept is not None:
            self.session = session = self.kept.read() or session
        if session.fresh:
            return session.tokens.access_token
        refresh = {"refresh_token": session.tokens.refresh_token}
        tokens = Tokens.model_validate_json(self._exchange("POST", "/auth/refresh", {}, {"json": refresh}).content)
        self.sign_in(tokens)
        return tokens.access_token

    def call(self, method: Method, path: str, answer: type[ModelT], **options: Unpack[Options]) -> ModelT:
        """Raises Problem for every answer from 400 on."""
        return self.read(answer, self.send(method, path, **options).content)

    def read(self, answer: type[ModelT], content: bytes | Mapping[str, object] | None) -> ModelT:
        """What was answered, or a job came to. Raises Unreadable where it is no such answer."""
        try:
            if isinstance(content, bytes):
                return answer.model_validate_json(content)
            return answer.model_validate(content)
        except ValidationError as error:
            raise Unreadable(self.address, answer.__name__) from error

    def pages(self, path: str, answer: type[Page[ItemT]], query: Query | None = None) -> Iterator[ItemT]:
        """Everything that a list has, page by page."""
        cursor: str | None = None
        while True:
            page = self.call("GET", path, answer, query={**(query or {}), "cursor": cursor})
            yield from page.data
            cursor = page.next_cursor
            if cursor is None:
                return

    def send(self, method: Method, path: str, **options: Unpack[Options]) -> httpx.Response:
        """As `call`, for answers that are no JSON."""
        content, content_type = options.get("content"), options.get("content_type")
        if (json := options.get("json")) is not None:
            content, content_type = encoded(json), "application/json"
        headers = {} if content_type is None else {"Content-Type": content_type}
        if (seen := options.get("if_match")) is not None:
            headers["If-Match"] = f'"{seen}"'
        idempotent = options.get("idempotent", False)
        if idempotent:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        body = {"content": content, "params": parameters(options.get("query") or {})}
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                return self._exchange(method, path, {**headers, **self._identity()}, body)
            except (Overloaded, StillRunning, Unreachable) as error:
                wait = error.retry_after_seconds
                if not (idempotent or method == "GET") or time.monotonic() + wait > deadline:
                    raise
                time.sleep(wait)

    def _exchange(
        self, method: Method, path: str, headers: Mapping[str, str], content: Mapping[str, Any]
    ) -> httpx.Response:
        """One attempt; `content` holds httpx's own arguments."""
        try:
            response = self._http.request(method, f"{self.address}/api/v2{path}", headers=headers, **content)
        except (ValueError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Unsendable(str(error).rstrip(".")) from error
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
