"""How values stand in a request: digits without an exponent, times as RFC 3339 has them."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from quantmesh.client.errors import Unsendable


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None: where one is absent, the API has its own default."""
    return {name: value for name, value in values.items() if value is not None}


def encoded(body: Mapping[str, Any]) -> bytes:
    """As JSON. Raises Unsendable for a number that JSON does not have."""
    try:
        return json.dumps(body, default=_written, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as error:
        raise Unsendable(str(error)) from error


def parameters(query: Mapping[str, Any]) -> dict[str, Any]:
    """Of an address, without those that are None."""
    return {name: _written(value) if isinstance(value, date) else value for name, value in given(**query).items()}


def _written(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, BaseModel | Mapping):
        return dict(value)
    msg = f"{type(value).__name__} has no place in a request"
    raise TypeError(msg)
