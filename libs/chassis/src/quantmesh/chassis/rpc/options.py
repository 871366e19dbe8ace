"""Channel and server options, in one place: pings below the other end's floor would kill every connection."""

import json

# An import of 16 MiB, the edge's limit, travels in one message; columns go in pieces.
MESSAGE_LIMIT_BYTES = 20 * 1024 * 1024
_KEEPALIVE_MS = 20_000
# A connection that is to go waits this long for its calls: the longest deadline at the edge.
LONGEST_CALL_SECONDS = 60.0

_BOTH: list[tuple[str, int]] = [
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
]


def server_options(connection_age_seconds: float) -> list[tuple[str, int]]:
    """Options of a server whose connections end after about `connection_age_seconds`, when their calls have."""
    return [
        *_BOTH,
        ("grpc.http2.min_ping_interval_without_data_ms", _KEEPALIVE_MS // 2),
        # A second process on a taken port would silently take half of the calls.
        ("grpc.so_reuseport", 0),
        # A client looks its peer's name up again when a connection goes: that is how it finds new replicas.
        ("grpc.max_connection_age_ms", int(connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", int(LONGEST_CALL_SECONDS * 1000)),
    ]


def channel_options(retryable: list[tuple[str, str]]) -> list[tuple[str, int | str]]:
    """Options of a channel on which the (service, method) pairs of `retryable` may be sent again.

    Two more attempts with back-off on UNAVAILABLE alone, within a budget of a tenth of the traffic, so that
    retries never become the load.
    """
    method_config: list[dict[str, object]] = []
    if retryable:
        method_config.append(
            {
                "name": [{"service": service, "method": method} for service, method in retryable],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.4s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        )
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        # A replica that is about to end says so, and is passed over before it closes its connections.
        "healthCheckConfig": {"serviceName": ""},
        "methodConfig": method_config,
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
    return [
        *_BOTH,
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
        # A connection of its own: shared with another channel, it would fail at once while that one waits to try again.
        ("grpc.use_local_subchannel_pool", 1),
        # A restarted peer is found again within a second, well under the promised five.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # By default 30 s, in which a rolling restart replaces every replica that a client knows.
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ]
