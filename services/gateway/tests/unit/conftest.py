import pytest

from .edges import Edge, make_edge


@pytest.fixture
def edge() -> Edge:
    return make_edge()
