"""What to offer for a transaction's gas (EIP-1559), in wei per unit of gas."""

from dataclasses import dataclass

# Nodes take a replacement only where both fees are at least 10 % higher; 12.5 % keeps clear of their rounding.
_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 9, 8


@dataclass(frozen=True, slots=True)
class Fees:
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


def opening_fees(base_fee_per_gas: int, suggested_priority_fee: int, ceiling: int) -> Fees:
    """Room for the base fee to double, which takes six full blocks; never above `ceiling`."""
    max_fee = min(2 * base_fee_per_gas + suggested_priority_fee, ceiling)
    return Fees(max_fee, min(suggested_priority_fee, max_fee))


def replacement_fees(previous: Fees, fresh: Fees, ceiling: int) -> Fees | None:
    """At least an eighth more than `previous` and no less than `fresh`; None where the ceiling does not allow it."""
    fees = Fees(
        max(_bumped(previous.max_fee_per_gas), fresh.max_fee_per_gas),
        max(_bumped(previous.max_priority_fee_per_gas), fresh.max_priority_fee_per_gas),
    )
    return fees if max(fees.max_fee_per_gas, fees.max_priority_fee_per_gas) <= ceiling else None


def _bumped(fee: int) -> int:
    return -(-fee * _BUMP_NUMERATOR // _BUMP_DENOMINATOR) + 1
