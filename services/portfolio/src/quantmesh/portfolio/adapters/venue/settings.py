"""The numbers of the breakers."""

from datetime import timedelta
from decimal import Decimal

from pydantic import Field, field_validator

from quantmesh.chassis.settings import ServiceSettings
from quantmesh.portfolio.core.halts.index_fall import IndexRule
from quantmesh.portfolio.core.halts.price_band import BandRule

_PERCENT = Decimal("0.01")


class VenueSettings(ServiceSettings):
    """Minutes and seconds are market time. Without an index no fall halts the whole market."""

    portfolio_band_percent: Decimal = Field(default=Decimal(10), gt=0, lt=100)
    portfolio_band_reference_minutes: float = Field(default=5, gt=0, le=1_440)
    portfolio_band_limit_seconds: float = Field(default=15, ge=0, le=86_400)
    portfolio_band_halt_minutes: float = Field(default=5, gt=0, le=10_080)
    portfolio_index_symbol: str = "SIZE"
    portfolio_index_fall_percents: tuple[Decimal, ...] = (Decimal(7), Decimal(13), Decimal(20))
    portfolio_index_halt_minutes: float = Field(default=15, gt=0, le=10_080)

    @field_validator("portfolio_index_fall_percents")
    @classmethod
    def _levels(cls, percents: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        _index("", percents, 0)
        return percents

    @property
    def band(self) -> BandRule:
        return BandRule(
            width=self.portfolio_band_percent * _PERCENT,
            reference_window=timedelta(minutes=self.portfolio_band_reference_minutes),
            limit_state=timedelta(seconds=self.portfolio_band_limit_seconds),
            halt=timedelta(minutes=self.portfolio_band_halt_minutes),
        )

    @property
    def index(self) -> IndexRule:
        return _index(
            self.portfolio_index_symbol, self.portfolio_index_fall_percents, self.portfolio_index_halt_minutes
        )


def _index(symbol: str, percents: tuple[Decimal, ...], halt_minutes: float) -> IndexRule:
    return IndexRule(symbol, tuple(percent * _PERCENT for percent in percents), timedelta(minutes=halt_minutes))
