"""`python -m quantmesh.local up | down | status | logs | clean`, which `make` calls; `supervise` is its own child."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from quantmesh.local.alter import alter as falsify
from quantmesh.local.environment import Environment
from quantmesh.local.errors import LocalError, StartFailed
from quantmesh.local.lock import SupervisorLock
from quantmesh.local.logs import follow, tail
from quantmesh.local.plans import local_environment
from quantmesh.local.screen import Progress, show_addresses, show_status
from quantmesh.local.secrets import Secrets
from quantmesh.local.settings import LocalSettings
from quantmesh.local.state import MeshReport, Phase, end_leftovers, read_report
from quantmesh.local.supervisor import make_folders, supervise
from quantmesh.local.workspace import Workspace

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
_DOWN_PATIENCE_SECONDS = 40.0
_POLL_SECONDS = 0.05


@app.command()
def up() -> None:
    """Start the mesh in the background and return once every part is ready."""
    settings = _settings()
    make_folders(settings)
    if _holder(settings) is not None:
        report = _report(settings)
        if report is not None and report.phase is Phase.READY:
            console.print("The mesh is already up.")
            show_addresses(console, settings, report)
            return
    else:
        _leave_no_report(settings)
        _start_supervisor(settings)
    show_addresses(console, settings, _wait_until_ready(settings))


@app.command()
def down() -> None:
    """Stop every part; the data stays."""
    settings = _settings()
    holder = _holder(settings)
    if holder is None:
        _leave_no_report(settings)
        console.print("The mesh is down.")
        return
    with suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_PATIENCE_SECONDS
    while _holder(settings) is not None:
        if time.monotonic() > deadline:
            raise LocalError(f"Supervisor {holder} still stops after {_DOWN_PATIENCE_SECONDS:.0f} s; see its log.")
        time.sleep(_POLL_SECONDS)
    console.print("The mesh is down; its data is kept. `make clean` removes it.")


@app.command()
def status() -> None:
    """Each part: whether it answers now, its address, memory and restarts. Ends with 1 unless all are ready."""
    settings = _settings()
    report = _report(settings) if _holder(settings) is not None else None
    if report is None:
        console.print("The mesh is down. `make up` starts it.")
        raise typer.Exit(1)
    if not show_status(console, report):
        raise typer.Exit(1)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="A service or server; nothing shows the end of each.")] = "",
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 100,
    following: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what is appended.")] = False,
) -> None:
    """The last lines of a part's log."""
    settings = _settings()
    known = {log.stem: log for log in sorted(settings.logs.glob("*.log"))}
    if part and part not in known:
        raise LocalError(f"There is no log of {part!r}; there are {', '.join(known) or 'none yet'}.")
    chosen = {part: known[part]} if part else known
    for name, log in chosen.items():
        prefix = "" if part else f"{name}: "
        for line in tail(log, lines if part else 5):
            typer.echo(f"{prefix}{line}")
    if part and following:
        for line in follow(known[part]):
            typer.echo(line)


@app.command()
def clean() -> None:
    """Stop the mesh and delete its data, logs and secrets."""
    settings = _settings()
    if settings.state_folder.exists():
        down()
        shutil.rmtree(settings.state_folder)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Such as market.")],
    command: Annotated[str, typer.Argument(help="Such as rewind, for `python -m quantmesh.market rewind`.")],
) -> None:
    """Run a service's command, with what follows it, in the environment that the supervisor gives it."""
    settings = _settings()
    declaration = next((each for each in settings.workspace.services if each.name == service), None)
    if declaration is None:
        names = ", ".join(each.name for each in settings.workspace.services)
        raise LocalError(f"There is no service {service!r}; there are {names}.")
    environment = _environment(settings).of_service(declaration)
    program = [sys.executable, "-m", f"quantmesh.{service}", command, *context.args]
    raise typer.Exit(subprocess.run(program, env=environment, check=False).returncode)  # noqa: S603 - our own command


@app.command(context_settings={"ignore_unknown_options": True})
def alter(
    transaction: Annotated[UUID, typer.Argument(help="The transaction's id.")],
    difference: Annotated[str, typer.Argument(help="What is added to its amount, such as 1 or -1.")],
) -> None:
    """Falsify a recorded amount in the database itself; its proof no longer holds then."""
    settings = _settings()
    try:
        added = Decimal(difference)
    except InvalidOperation:
        raise typer.BadParameter(f"{difference!r} is not a decimal number", param_hint="DIFFERENCE") from None
    falsify(_environment(settings).admin_url, transaction, added)


@app.command(hidden=True)
def supervisor() -> None:
    """The process in the background."""
    raise typer.Exit(supervise(_settings()))


def _settings() -> LocalSettings:
    return LocalSettings(Workspace.read(Path.cwd()), os.environ)


def _environment(settings: LocalSettings) -> Environment:
    if not settings.secrets_file.exists():
        raise LocalError("There is no mesh here. `make up` starts one.")
    return local_environment(settings, Secrets(settings.secrets_file))


def _holder(settings: LocalSettings) -> int | None:
    return SupervisorLock(settings.state_folder / "supervisor.lock").holder()


def _report(settings: LocalSettings) -> MeshReport | None:
    return read_report(settings.state_folder / "state.json")


def _leave_no_report(settings: LocalSettings) -> None:
    """Of a supervisor that is gone; whatever it left running is ended first."""
    report = _report(settings)
    if report is not None:
        for name in end_leftovers(report):
            console.print(f"Ended {name}, left over by a supervisor that was killed.")
        (settings.state_folder / "state.json").unlink()


def _start_supervisor(settings: LocalSettings) -> None:
    with (settings.logs / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "quantmesh.local", "supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=settings.workspace.root,
            start_new_session=True,
        )


def _wait_until_ready(settings: LocalSettings) -> MeshReport:
    """Show each part as it becomes ready; a mesh that failed to start has already taken itself down."""
    log = settings.logs / "supervisor.log"
    deadline = time.monotonic() + 10.0
    with Progress(console) as progress:
        while True:
            report = _report(settings)
            if report is not None:
                progress.update(report)
                if report.phase is Phase.READY:
                    return report
                if report.phase is Phase.FAILED and _holder(settings) is None:
                    raise LocalError(report.problem or f"The mesh did not start; see {log}.")
            if _holder(settings) is not None:
                deadline = time.monotonic() + 10.0
            elif time.monotonic() > deadline:
                raise StartFailed("The supervisor", "it ended before it could say why", log)
            time.sleep(_POLL_SECONDS)


def main() -> None:
    try:
        app()
    except (LocalError, OSError) as error:
        Console(stderr=True).print(f"[red]{error}[/red]", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
