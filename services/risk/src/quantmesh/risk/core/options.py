"""Options, and the contracts that the market lists as options on their underlyings at one instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from quantmesh.risk.core.errors import NotMeasurable, listed

OptionType = Literal["call", "put"]
Style = Literal["european", "american"]

# Closes and volatilities of further back than a long weekend.
STALE_AFTER = timedelta(days=5)
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Option:
    """`multiplier` is how many units of the underlying one contract stands for; the time is in years (Act/365F)."""

    option_type: OptionType
    style: Style
    strike: float
    time_to_expiry: float
    volatility: float
    multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class Contract:
    """As the market lists it; `expiry` is an instant of market time."""

    underlying: str
    option_type: OptionType
    style: Style
    strike: float
    expiry: datetime
    multiplier: float


@dataclass(frozen=True, slots=True)
class Chain:
    """The implied volatilities of an underlying's contracts at `time`, by symbol."""

    time: datetime
    volatilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Listed:
    """A contract as it is measured; `stale`: its volatility is of long before."""

    underlying: str
    option: Option
    stale: bool


def listed_at(contracts: Mapping[str, Contract], chains: Mapping[str, Chain], at: datetime) -> dict[str, Listed]:
    """By symbol, as they are `at` that market time, under the volatilities of the chains on their underlyings.

    Raises NotMeasurable for contracts that had expired, and for those whose volatility nobody knows.
    """
    expired = [symbol for symbol, contract in contracts.items() if contract.expiry <= at]
    if expired:
        raise NotMeasurable(f"{listed(expired)} had expired by {at:%Y-%m-%dT%H:%M:%SZ}")
    unknown = [
        symbol
        for symbol, contract in contracts.items()
        if contract.underlying not in chains or symbol not in chains[contract.underlying].volatilities
    ]
    if unknown:
        raise NotMeasurable(f"no option chain tells the implied volatility of {listed(unknown)}")
    return {symbol: _at(contract, symbol, chains[contract.underlying], at) for symbol, contract in contracts.items()}


def _at(contract: Contract, symbol: str, chain: Chain, at: datetime) -> Listed:
    option = Option(
        option_type=contract.option_type,
        style=contract.style,
        strike=contract.strike,
        time_to_expiry=(contract.expiry - at) / _YEAR,
        volatility=chain.volatilities[symbol],
        multiplier=contract.multiplier,
    )
    return Listed(contract.underlying, option, at - chain.time > STALE_AFTER)
