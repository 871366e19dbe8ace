"""What happened in a run."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field


class Violation(Exception):
    """What must never be seen was seen."""


@dataclass
class History:
    """What happened; two runs of one seed have equal histories."""

    lines: list[str] = field(default_factory=list)
    watch: Callable[[str], None] | None = None
    _told: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """What the scheduler decided."""
        self.lines.append(line)
        if self.watch is not None:
            self.watch(line)

    def tell(self, line: str) -> None:
        """What came of a step. Several may tell at once, where one death or one lock was theirs: in no order."""
        self._told.append(line)

    def listen(self) -> None:
        for line in sorted(self._told):
            self.add(line)
        self._told.clear()

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
