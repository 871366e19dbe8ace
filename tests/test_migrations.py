"""Migrations only add: while a release comes, or goes back, the code before it runs on the schema after it."""

import ast
import re
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from quantmesh.chassis.schema import migrations_folder, newest_revision

SERVICES = Path(__file__).resolve().parent.parent / "services"
NAMES = sorted(path.parents[1].name for path in SERVICES.glob("*/src/quantmesh/*/migrations/env.py"))
# Older ones come with the first release, before which no code ran.
FIRST_RELEASE = {
    "auth": "0003",
    "blockchain": "0001",
    "market": "0002",
    "portfolio": "0012",
    "prediction": "0001",
    "pricing": "0003",
    "risk": "0001",
}
# Columns with a default that no row comes without, by their revision: the code before names the columns that it fills.
FILLED_BY_NAME = {("blockchain", "0002"): "ADD COLUMN traceparent text NOT NULL"}
LATER = [
    path
    for name in NAMES
    for path in sorted(migrations_folder(name).glob("versions/[0-9]*_*.py"))
    if path.name.partition("_")[0] > FIRST_RELEASE.get(name, "")
]

# What takes away, or asks for more than the code before gives.
_TAKES_AWAY = re.compile(
    r"\bDROP\s+(?:TABLE|COLUMN|SCHEMA|VIEW|TYPE|FUNCTION|DEFAULT)\b"
    r"|\bRENAME\b"
    r"|\bSET\s+NOT\s+NULL\b"
    r"|\bALTER\s+COLUMN\s+\w+\s+(?:SET\s+DATA\s+)?TYPE\b"
    r"|\bADD\s+(?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN)\b"
    # Also with a default: a row that is written whole gives NULL for a column that its writer does not know.
    r"|\bADD\s+COLUMN\b(?:[^,;()]|\((?:[^()]|\([^()]*\))*\))*\bNOT\s+NULL\b"
    r"|\bREVOKE\b(?![^;]*\bFROM\s+PUBLIC\b)",
    re.IGNORECASE,
)
# By this comment a revision tells since which release no code needs what it takes away.
_MARKER = re.compile(r"# takes away what nothing uses since \S+")


def takes_away(source: str) -> list[str]:
    """What of a revision's statements the code before it would miss."""
    if _MARKER.search(source):
        return []
    module = ast.parse(source)
    described = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    texts = [_text(node) for node in ast.walk(module) if id(node) not in described]
    return [found.group() for text in texts if (found := _TAKES_AWAY.search(text))]


def _text(node: ast.AST) -> str:
    """Of a string, also one that is put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "name" for part in node.values)
    return ""


@pytest.mark.parametrize("path", LATER, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_the_code_of_the_release_before_runs_on_the_schema(path: Path) -> None:
    allowed = FILLED_BY_NAME.get((path.parents[2].name, path.name.partition("_")[0]))
    found = [each for each in takes_away(path.read_text()) if each != allowed]
    assert found == [], "add now, and take away a release later: docs/operations.md"


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE bar DROP COLUMN source",
        "ALTER TABLE bar ALTER COLUMN recorded_at DROP DEFAULT",
        "ALTER TABLE bar RENAME COLUMN source TO feed",
        "ALTER TABLE bar ALTER source SET NOT NULL",
        "ALTER TABLE bar ADD COLUMN source text NOT NULL",
        "ALTER TABLE bar ADD COLUMN source text NOT NULL DEFAULT ''",
        "ALTER TABLE bar ADD COLUMN volume numeric(38, 18) DEFAULT coalesce(0, length('')) NOT NULL",
        "ALTER TABLE bar ADD COLUMN a text, ADD COLUMN b text NOT NULL CHECK (b > '')",
        "ALTER TABLE bar ALTER COLUMN volume TYPE bigint",
        "ALTER TABLE bar ADD CONSTRAINT positive CHECK (volume > 0)",
        "drop table bar",
        "REVOKE UPDATE ON bar FROM quantmesh_market",
    ],
)
def test_what_the_code_before_would_miss_is_found(statement: str) -> None:
    assert takes_away(f'def upgrade() -> None:\n    op.execute(f"{statement}")\n')
    marked = f'# takes away what nothing uses since 1.4\ndef upgrade() -> None:\n    op.execute("{statement}")\n'
    assert not takes_away(marked)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE bar (id uuid NOT NULL, CHECK (id IS NOT NULL))",
        "ALTER TABLE bar ADD COLUMN source text",
        "ALTER TABLE bar ADD COLUMN source text DEFAULT ''",
        "ALTER TABLE bar ADD COLUMN a numeric(38, 18), ALTER COLUMN b DROP NOT NULL",
        "DROP INDEX bar_by_day",
        "ALTER TABLE bar DROP CONSTRAINT bar_check",
        "REVOKE ALL ON FUNCTION drop_bars FROM PUBLIC",
    ],
)
def test_what_only_adds_or_permits_is_left_alone(statement: str) -> None:
    assert not takes_away(f'"""No more DROP TABLE."""\n\n\ndef upgrade() -> None:\n    op.execute("{statement}")\n')


@pytest.mark.parametrize("name", NAMES)
def test_revisions_are_numbered_by_their_files_in_one_line(name: str) -> None:
    """By which a service knows its own newest one without loading Alembic."""
    folder = migrations_folder(name)
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert newest_revision(folder) == script.get_current_head()
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert revisions == [f"{number:04}" for number in range(len(revisions), 0, -1)]
