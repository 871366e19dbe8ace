"""PromQL as the panels need it, over the metrics of docs/metrics.md."""

# Codes of calls that failed for no fault of the caller.
FAILURES = 'code=~"UNAVAILABLE|INTERNAL|UNKNOWN|DEADLINE_EXCEEDED"'
WINDOW = "$__rate_interval"


def select(metric: str, *matchers: str) -> str:
    """A selector; a matcher is as PromQL writes it (`job="auth"`), an empty one is left out."""
    kept = ", ".join(matcher for matcher in matchers if matcher)
    return f"{metric}{{{kept}}}" if kept else metric


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """Of a counter, a second."""
    return _sum(f"rate({select(metric, *matchers)}[{WINDOW}])", by)


def increase(metric: str, *matchers: str, by: str = "", window: str = "1h") -> str:
    """Of a counter, over a window."""
    return _sum(f"increase({select(metric, *matchers)}[{window}])", by)


def quantile(share: float, histogram: str, *matchers: str, by: str = "") -> str:
    """In the unit of a histogram whose name comes without `_bucket`."""
    labels = ", ".join(filter(None, ["le", by]))
    return (
        f"histogram_quantile({share}, sum by ({labels}) (rate({select(histogram + '_bucket', *matchers)}[{WINDOW}])))"
    )


def share(part: str, whole: str) -> str:
    """Of none at all there is no share; where no part ever was there, it is 0."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def total(gauge: str, *matchers: str, by: str = "") -> str:
    return _sum(select(gauge, *matchers), by)


def greatest(expression: str, by: str = "") -> str:
    """Of what every replica says, or one that leads."""
    return f"max by ({by}) ({expression})" if by else f"max({expression})"


def age(timestamp: str) -> str:
    """Seconds that the latest of a gauge of instants lay back when it was scraped; one that is 0 was never set."""
    return f"min(timestamp({timestamp}) - ({timestamp} > 0))"


def _sum(expression: str, by: str) -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"
