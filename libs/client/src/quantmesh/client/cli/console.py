"""Where commands print. Names, notes and reasons are shown as they were written: brackets in them are no markup, and
what is wider than the terminal is wrapped by it and not cut off."""

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, markup=False, emoji=False, soft_wrap=True)
