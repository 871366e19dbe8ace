"""What the client's page shows as an example runs as it stands there."""

import time
from pathlib import Path

import pytest

from quantmesh.client import Client
from quantmesh.local.testing.mesh import PASSWORD, Mesh


def test_the_example_of_the_clients_page_shows_its_trade(
    mesh: Mesh, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (workspace / "libs/client/README.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    email = f"ada-{time.time_ns():x}@example.org"
    with Client(mesh.url) as client:
        client.auth.register(email, PASSWORD, "Ada Lovelace")
    here = {"http://127.0.0.1:8080": mesh.url, "ada@example.org": email, "timeout_seconds=10": "timeout_seconds={}"}
    for shown, meant in here.items():
        assert shown in example
        example = example.replace(shown, meant)
    # It is shown at once, but on a machine that stands still for as long.
    for seconds in (3, 30):
        exec(example.replace("{}", str(seconds)), {"password": PASSWORD})  # noqa: S102  our own page
        if "transaction.recorded" in (out := capsys.readouterr().out):
            break
    assert "transaction.recorded" in out
