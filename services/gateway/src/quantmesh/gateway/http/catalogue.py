"""The types of problems, read from the page that documents them: one source for both."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class ProblemType:
    slug: str
    statuses: str
    title: str
    meaning: str
    remedy: str


@cache
def catalogue() -> dict[str, ProblemType]:
    """By slug, in the page's order."""
    page = files("quantmesh.gateway.http").joinpath("problem_types.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    return {slug.strip("`"): ProblemType(slug.strip("`"), *rest) for slug, *rest in rows}


def title(slug: str) -> str:
    known = catalogue().get(slug)
    return known.title if known is not None else slug.replace("-", " ").capitalize()
