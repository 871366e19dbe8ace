"""A bar that shows how a job stands."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from quantmesh.client.api.jobs import OnProgress
from quantmesh.client.models.jobs import Job


@contextmanager
def progress_bar(console: Console) -> Iterator[OnProgress]:
    """What it gives shows a job; nothing is drawn before its first call. Who waits no longer is told what goes on."""
    bar = (BarColumn(bar_width=24), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn())
    progress = Progress(*bar, TextColumn("{task.description}", markup=False), console=console)
    task = progress.add_task("queued", total=1.0)
    drawn = ExitStack()
    followed = ""

    def show(job: Job) -> None:
        nonlocal followed
        if not followed:
            drawn.enter_context(progress)
        followed = job.id
        progress.update(task, completed=job.progress, description=job.message or job.status)

    try:
        with drawn:
            yield show
    except KeyboardInterrupt:
        if followed:
            console.print(f"It goes on as job {followed}: `quantmesh jobs` waits for it, or cancels it.")
        raise
