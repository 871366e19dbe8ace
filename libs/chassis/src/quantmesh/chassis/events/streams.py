"""The JetStream streams: one per publishing service, and one for dead letters. Whoever comes first creates them."""

from nats.js.api import RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

SUBJECT_ROOT = "qm"
DEAD_LETTERS = "dead"
_DAY_SECONDS = 86_400.0
KEPT_SECONDS = 7 * _DAY_SECONDS
_DEAD_LETTERS_KEPT_SECONDS = 30 * _DAY_SECONDS
DUPLICATE_WINDOW_SECONDS = 600.0


def stream_name(publisher: str) -> str:
    return f"{SUBJECT_ROOT}-{publisher}"


def publisher_of(subject: str) -> str:
    """The service that publishes `qm.<service>...`."""
    root, _, rest = subject.partition(".")
    publisher = rest.partition(".")[0]
    if root != SUBJECT_ROOT or not publisher or publisher in {"*", ">"}:
        msg = f"{subject!r} names no publishing service; subjects of events begin with {SUBJECT_ROOT}.<service>."
        raise ValueError(msg)
    return publisher


async def ensure_stream(jetstream: JetStreamContext, publisher: str, replicas: int = 1) -> StreamInfo:
    """The stream of `publisher`, created or brought to these settings where it is not so; each node of a cluster of
    brokers may have one of its `replicas`."""
    config = StreamConfig(
        name=stream_name(publisher),
        subjects=[f"{SUBJECT_ROOT}.{publisher}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=_DEAD_LETTERS_KEPT_SECONDS if publisher == DEAD_LETTERS else KEPT_SECONDS,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        allow_direct=True,
        num_replicas=replicas,
    )
    try:
        found = await jetstream.stream_info(stream_name(publisher))
    except NotFoundError:
        return await jetstream.add_stream(config)
    same = (
        found.config.subjects == config.subjects
        and found.config.max_age == config.max_age
        and found.config.duplicate_window == config.duplicate_window
        and found.config.num_replicas == config.num_replicas
    )
    return found if same else await jetstream.update_stream(config)
