from hypothesis import given
from hypothesis import strategies as st

from quantmesh.blockchain.core.fees import Fees, opening_fees, replacement_fees

WEI = st.integers(0, 10**13)


def test_opening_fees_leave_room_for_the_base_fee_to_double() -> None:
    assert opening_fees(base_fee_per_gas=7, suggested_priority_fee=2, ceiling=100) == Fees(16, 2)


def test_a_priority_fee_never_exceeds_the_whole_fee() -> None:
    assert opening_fees(base_fee_per_gas=7, suggested_priority_fee=90, ceiling=10) == Fees(10, 10)


@given(WEI, WEI, WEI, WEI)
def test_nodes_take_every_replacement(max_fee: int, priority: int, fresh_fee: int, fresh_priority: int) -> None:
    previous, fresh = Fees(max_fee, min(priority, max_fee)), Fees(fresh_fee, min(fresh_priority, fresh_fee))

    fees = replacement_fees(previous, fresh, ceiling=10**14)

    assert fees is not None
    assert fees.max_fee_per_gas * 10 >= previous.max_fee_per_gas * 11
    assert fees.max_priority_fee_per_gas * 10 >= previous.max_priority_fee_per_gas * 11
    assert fees.max_fee_per_gas >= max(fees.max_priority_fee_per_gas, fresh.max_fee_per_gas)


def test_no_replacement_above_the_ceiling() -> None:
    assert replacement_fees(Fees(100, 1), Fees(50, 1), ceiling=114) == Fees(114, 3)
    assert replacement_fees(Fees(100, 1), Fees(50, 1), ceiling=113) is None
