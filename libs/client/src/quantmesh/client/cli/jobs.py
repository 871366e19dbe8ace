"""Commands about long work."""

from typing import Annotated

import typer

from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.models.jobs import Job

console = plain_console()
jobs = typer.Typer(help="Long work: followed, cancelled.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, as an interrupted command tells it.")]


@jobs.command()
def show(job: JobId) -> None:
    """How it stands."""
    with signed_in() as client:
        _print(client.jobs.get(job))


@jobs.command()
def wait(job: JobId) -> None:
    """Until it has ended; ends with 1 where that is without a result."""
    with signed_in() as client, progress_bar(console) as shown:
        _print(client.jobs.wait(client.jobs.get(job), shown))


@jobs.command()
def cancel(job: JobId) -> None:
    """Stop it."""
    with signed_in() as client:
        _print(client.jobs.cancel(job))


def _print(job: Job) -> None:
    reason = (job.problem or {}).get("detail") or job.message
    console.print(f"{job.kind} {job.status}, {job.progress:.0%}{f': {reason}' if reason else ''}", highlight=False)


def add_to(app: typer.Typer) -> None:
    app.add_typer(jobs, name="jobs")
