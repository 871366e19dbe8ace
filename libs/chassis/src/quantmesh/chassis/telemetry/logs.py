"""Structured logs: one JSON object a line on standard output, with the request and trace they belong to."""

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import structlog

from quantmesh.chassis.context import current_call

Fields = MutableMapping[str, Any]
# Takes what a line says, with the exception that it tells of, somewhere else as well.
Forward = Callable[[Fields, BaseException | None], None]


def configure_logs(service: str, level: str, forwards: Sequence[Forward] = ()) -> None:
    """Send structlog's and the standard library's records through one JSON renderer, and to `forwards`."""

    def add_context(_: object, __: str, event: Fields) -> Fields:
        event["service"] = service
        call = current_call()
        if call.request_id:
            event["request_id"] = call.request_id
        if call.trace_id:
            event["trace_id"] = call.trace_id
        return event

    def forward(_: object, __: str, event: Fields) -> Fields:
        if forwards:
            exception = _exception_of(event.get("exc_info"))
            fields = {name: value for name, value in event.items() if name != "exc_info"}
            for each in forwards:
                each(fields, exception)
        return event

    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_context,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                forward,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "grpc", "alembic.runtime.migration"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _exception_of(given: object) -> BaseException | None:
    """Whatever logging takes as `exc_info`: an exception, what sys.exc_info() answers, or a truth."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        found: BaseException | None = given[1]
        return found
    return sys.exc_info()[1] if given else None
