"""What schemathesis asks of the mesh leaves no long jobs behind: loaded by its command line."""

from typing import Any

import schemathesis

_MOST_PATHS = 256
# What is above it is refused at once, and that is to be seen.
_ALLOWED_PATHS = 2**31


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    body = case.body
    if isinstance(body, dict) and type(paths := body.get("paths")) is int and _MOST_PATHS < paths <= _ALLOWED_PATHS:
        body["paths"] = _MOST_PATHS
