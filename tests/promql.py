"""What a PromQL expression asks for, as far as ours go: series, the labels matched, the labels kept."""

import re
from collections.abc import Iterator

TARGET_LABELS = frozenset({"job", "instance"})
_SERIES = re.compile(
    r"\b((?:[a-z_]+:)[a-z0-9_:]+|(?:quantmesh|process|kubelet|jetstream|cnpg|barman_cloud)_\w+|up)(\{[^}]*\})?"
)
_QUOTED = re.compile(r'"[^"]*"')
_MATCHED = re.compile(r"(\w+)\s*(?:=|!=|=~|!~)\"")
_GROUPING = re.compile(r"\bby \(([^)]*)\)")


def selections(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each series of an expression, with the labels that it is selected by."""
    for match in _SERIES.finditer(_QUOTED.sub('""', expression)):
        yield match[1], frozenset(_MATCHED.findall(match[2] or ""))


def grouping(expression: str) -> frozenset[str]:
    """The labels of what comes out, `le` aside, which a quantile uses up."""
    return frozenset(
        label.strip() for listed in _GROUPING.findall(expression) for label in listed.split(",") if label.strip()
    ) - {"le"}
