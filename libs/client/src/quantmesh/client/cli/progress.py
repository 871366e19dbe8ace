"""A bar that shows how a job stands."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from quantmesh.client.api.jobs import OnProgress
from quantmesh.client.models.jobs import Job


@contextmanager
def progress_bar(console: Console) -> Iterator[OnProgress]:
    """What it gives shows a job; nothing is drawn before its first call."""
    bar = (BarColumn(bar_width=24), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn())
    with Progress(*bar, TextColumn("{task.description}", markup=False), console=console) as progress:
        task = progress.add_task("queued", total=1.0, visible=False)

        def show(job: Job) -> None:
            progress.update(task, completed=job.progress, description=job.message or job.status, visible=True)

        yield show
