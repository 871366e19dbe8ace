"""The catalogue of problems is whole: each type that can be answered is documented, in one wording."""

import re
from pathlib import Path

import pytest

from quantmesh.gateway.http.catalogue import catalogue

from .edges import Edge

_DECLARED = re.compile(r'^    problem(?:: ClassVar\[str\])? = "([a-z0-9-]+)"', re.MULTILINE)


def declared(root: Path) -> set[str]:
    sources = [*root.glob("services/*/src/**/*.py"), *root.glob("libs/chassis/src/**/*.py")]
    return {slug for source in sources for slug in _DECLARED.findall(source.read_text())}


def test_every_problem_that_a_service_declares_is_documented(pytestconfig: pytest.Config) -> None:
    found = declared(pytestconfig.rootpath)
    assert "insufficient-cash" in found
    assert found - set(catalogue()) == set()


def test_the_page_in_the_documentation_is_the_one_that_is_served(pytestconfig: pytest.Config) -> None:
    served = pytestconfig.rootpath / "services/gateway/src/quantmesh/gateway/http/problem_types.md"
    assert (pytestconfig.rootpath / "docs/problems.md").read_text() == served.read_text()


async def test_each_type_is_a_page_at_its_own_address(edge: Edge) -> None:
    http = edge.client()
    for slug, item in catalogue().items():
        page = await http.get(f"/problems/{slug}")
        assert page.status_code == 200
        assert item.title.replace("'", "&#x27;") in page.text
    assert (await http.get("/problems/nonsense")).status_code == 404
    assert "/problems/insufficient-cash" in (await http.get("/problems")).text
