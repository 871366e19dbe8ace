"""Who may trade, by what auth says of who they are."""

import pytest

from quantmesh.portfolio.adapters.kyc import barring


@pytest.mark.parametrize(
    ("approval_is_required", "statuses"),
    [
        (False, {"rejected", "suspended"}),
        (True, {"unverified", "pending", "rejected", "suspended"}),
    ],
)
def test_a_status_bars_from_trading(approval_is_required: bool, statuses: set[str]) -> None:
    assert {*barring(approval_is_required=approval_is_required)} == statuses
