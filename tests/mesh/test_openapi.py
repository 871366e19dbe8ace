"""The API is as its document says: schemathesis asks it all kinds of things and finds no 500, nothing undocumented."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from quantmesh.local.testing.mesh import Mesh

SCOPES = [
    "account:manage", "market:read", "portfolio:read", "portfolio:write", "orders:write", "pricing:use", "risk:use",
    "predictions:read", "blockchain:read",
]  # fmt: skip
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
]  # fmt: skip
# 428 tells of an If-Match that is missing (RFC 6585); the tool knows the others.
CONFIGURATION = """
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 415, 422, 428]
"""
# These would end the session or the key that the run itself uses.
SELF_DESTRUCTIVE = "auth/(logout|sessions/|api-keys/)"


@pytest.mark.timeout(900)
def test_the_api_is_as_its_document_says(mesh: Mesh, user: httpx.Client, tmp_path: Path) -> None:
    made = user.post("/api/v2/auth/api-keys", json={"name": "schemathesis", "scopes": SCOPES})
    made.raise_for_status()
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run",
            f"{mesh.url}/openapi.json", "-H", f"X-Api-Key: {made.json()['key']}", "--checks", ",".join(CHECKS),
            "--exclude-path-regex", SELF_DESTRUCTIVE, "--phases", "examples,coverage,fuzzing", "--max-examples", "5",
            "--request-timeout", "20", "--no-color", "--seed", "1",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"},
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
