"""What the steps of the demo share, and how they announce themselves."""

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.rule import Rule

from quantmesh.client.client import Client


@dataclass
class Stage:
    """Each step reads what it needs and leaves what the next ones need."""

    console: Console
    investor: Client
    portfolio_id: str = ""
    transaction_ids: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def step(self, number: int, title: str) -> None:
        self.console.print()
        self.console.print(Rule(f"[bold]{number}. {title}[/bold]", align="left"))

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False)

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self.began
