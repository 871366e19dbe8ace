"""Declares the operations below one path prefix, with every status that each can answer."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from quantmesh.gateway.http.call import DEFAULT_BODY_BYTES
from quantmesh.gateway.http.route import Endpoint, Operation, Policy

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body answer the first response again, with Idempotent-Replayed: true. A key is"
    " its user's, and counts for one operation: for another one it is another key.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "example": "deposit-2020-01-02",
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETags that the client has, or *; 304 where one of them still holds.",
    "schema": {"type": "string"},
    "example": 'W/"5f2b0c1d9e10"',
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the client saw, or several, or *; 412 where the resource has changed since.",
    "schema": {"type": "string", "pattern": r'^((W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*|\*)$'},
    "example": '"3"',
}
_LOCATION = {"Location": {"description": "Where the job is followed.", "schema": {"type": "string"}}}
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"api_key": []}]


class Operations:
    """Collects the routes of one resource."""

    def __init__(self, prefix: str, tag: str) -> None:
        self._prefix = prefix
        self._tag = tag
        self.routes: list[Operation] = []

    def add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        summary: str,
        scope: str | None,
        answer: type[BaseModel] | None = None,
        status: int = 200,
        statuses: tuple[int, ...] = (),
        idempotency: str = "",
        conditional: str = "",
        deadline_seconds: float = 5.0,
        body_limit_bytes: int = DEFAULT_BODY_BYTES,
        takes_body: bool = False,
        raw: Mapping[str, Endpoint] | None = None,
        field_root: str = "#",
        extra: Mapping[str, Any] | None = None,
        job: type[BaseModel] | None = None,
        rehearsal: type[BaseModel] | None = None,
    ) -> None:
        """`scope`: what the credential must have, for this service and for those that are asked with it, several
        separated by a space; "": any credential; None: public.

        `statuses` are those beyond what the policy itself implies; `conditional` is "none-match", "match" or, where
        the client has to say what it saw, "match-required".

        `job`: what is answered, with 202, where the work takes longer than a request should; `rehearsal`: with 200,
        where nothing was to be done.
        """
        policy = Policy(
            scope=scope,
            idempotency=idempotency,
            deadline_seconds=deadline_seconds,
            body_limit_bytes=body_limit_bytes,
            raw=dict(raw or {}),
            field_root=field_root if takes_body else "query",
        )
        full_path = self._prefix + path
        answers = {400, 422, 429, 503, *statuses}
        if scope is not None:
            answers |= {401, 403}
        if "{" in path:
            answers.add(404)
        if takes_body:
            answers |= {408, 413, 415}
        if idempotency:
            answers.add(409)
        if conditional.startswith("match"):
            answers.add(412)
        if conditional == "match-required":
            answers.add(428)
        description: dict[int | str, Any] = {code: _problem(code) for code in sorted(answers)}
        if job is not None:
            description[202] = {"model": job, "description": HTTPStatus.ACCEPTED.phrase, "headers": _LOCATION}
        if rehearsal is not None:
            description[200] = {"model": rehearsal, "description": "What it would do"}
        if conditional == "none-match":
            description[304] = {"description": "Not modified"}
        parameters = []
        if idempotency:
            parameters.append({**_IDEMPOTENCY_KEY, "required": idempotency == "required"})
        if conditional:
            header = _IF_NONE_MATCH if conditional == "none-match" else _IF_MATCH
            parameters.append({**header, "required": conditional == "match-required"})
        self.routes.append(
            Operation(
                full_path,
                endpoint,
                policy,
                methods=[method],
                response_model=answer,
                status_code=status,
                responses=description,
                response_description=HTTPStatus(status).phrase,
                summary=summary,
                tags=[self._tag],
                name=endpoint.__name__,
                operation_id=f"{self._tag}_{endpoint.__name__}",
                openapi_extra={
                    **(extra or {}),
                    "parameters": parameters,
                    "security": [] if scope is None else _SECURITY,
                    **({"x-required-scope": scope} if scope else {}),
                },
            )
        )


def _problem(status: int) -> dict[str, Any]:
    headers = {}
    if status in (425, 429, 503):
        headers["Retry-After"] = {
            "description": "Seconds after which the same call may succeed.",
            "schema": {"type": "string", "pattern": "^[1-9][0-9]*$"},
        }
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        **({"headers": headers} if headers else {}),
    }
