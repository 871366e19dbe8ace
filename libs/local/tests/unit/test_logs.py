"""The end of a log is shown in whole lines."""

from pathlib import Path

import pytest

from quantmesh.local.logs import tail


@pytest.mark.parametrize("length", [10, 3_000])
def test_the_last_lines_are_whole_however_long(tmp_path: Path, length: int) -> None:
    written = [f"{number}{'x' * length}" for number in range(20)]
    log = tmp_path / "part.log"
    log.write_text("\n".join(written) + "\n")
    assert tail(log, 5) == written[-5:]
    assert tail(log, 100) == written
