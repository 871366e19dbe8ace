"""Where commands print. Names, notes and reasons are shown as they were written: brackets in them are no markup."""

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, markup=False, emoji=False)
