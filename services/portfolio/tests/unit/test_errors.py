"""The error tree: each leaf has a kind that the edge knows, and a slug of its own."""

import inspect

from quantmesh.chassis.errors import KINDS, QuantmeshError, kind_of
from quantmesh.portfolio.core import errors, ledger_errors, order_errors


def leaves() -> list[type[QuantmeshError]]:
    return [
        member
        for module in (errors, ledger_errors, order_errors)
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, QuantmeshError) and member.__module__ == module.__name__ and member.__name__[0] != "_"
    ]


def test_each_error_is_of_a_kind_that_the_edge_translates() -> None:
    assert len(leaves()) >= 20
    for leaf in leaves():
        assert kind_of(leaf.__new__(leaf)) in KINDS


def test_each_error_has_a_slug_of_its_own() -> None:
    slugs = [leaf.problem for leaf in leaves()]
    assert len(set(slugs)) == len(slugs)
    assert not set(slugs) & {kind.problem for kind in KINDS}


def test_each_error_is_drawn_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for leaf in leaves():
        assert leaf.__name__ in tree
