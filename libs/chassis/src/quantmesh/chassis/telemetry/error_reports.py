"""Errors to Sentry: each line of level error or above, with its exception, request and trace.

The service sends them itself: the collector's exporter turns spans and logs into Sentry's, but none into an issue.
"""

from typing import TYPE_CHECKING, Literal

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration

from quantmesh.chassis.context import current_call
from quantmesh.chassis.telemetry.logs import Fields, Forward
from quantmesh.chassis.telemetry.wording import chain, wording

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_LEVELS: dict[str, Literal["error", "fatal"]] = {"error": "error", "critical": "fatal"}
_SHUTDOWN_SECONDS = 1.0


def report_errors(program: str, *, dsn: str, environment: str, revision: str) -> Forward:
    # Nothing is read from the process by itself: local variables and request bodies may hold secrets.
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=revision,
        default_integrations=False,
        integrations=[AtexitIntegration(_say_nothing), DedupeIntegration(), ExcepthookIntegration()],
        include_local_variables=False,
        before_send=_without_values,
        send_default_pii=False,
        auto_session_tracking=False,
        max_breadcrumbs=0,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )

    def report(fields: Fields, exception: BaseException | None) -> None:
        level = _LEVELS.get(str(fields.get("level", "")))
        if level is None:
            return
        with sentry_sdk.new_scope() as scope:
            scope.set_level(level)
            scope.set_tag("program", program)
            for name in ("logger", "request_id"):
                if name in fields:
                    scope.set_tag(name, str(fields[name]))
            if traceparent := current_call().traceparent:
                _, trace_id, span_id, _ = traceparent.split("-")
                scope.set_context("trace", {"trace_id": trace_id, "span_id": span_id})
            scope.set_context("log", {name: str(value) for name, value in fields.items()})
            if exception is None:
                scope.capture_message(str(fields.get("event", "")))
            else:
                scope.capture_exception(exception)

    return report


def _without_values(event: "Event", hint: "Hint") -> "Event":
    _, error, _ = hint.get("exc_info", (None, None, None))
    words = {str(each): wording(each) for each in chain(error)} if error else {}
    for shown in event.get("exception", {}).get("values", []):
        shown["value"] = words.get(shown["value"], shown["value"])
    return event


def _say_nothing(_pending: int, _timeout: float) -> None:
    """In place of the SDK's notice on standard error, which holds JSON lines alone."""
