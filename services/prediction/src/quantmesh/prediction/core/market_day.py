"""Whether the last close behind a forecast is the newest that there can be, by the market's clock."""

from dataclasses import dataclass, replace
from datetime import date

from quantmesh.prediction.core.model import AssetClass, Forecast


@dataclass(frozen=True, slots=True)
class MarketDay:
    """Changes whenever another close can have become known: on exchanges, and at midnight UTC.

    `last_session` is the last one that closed; None before the first.
    """

    last_session: date | None
    today: date

    def holds_newest(self, forecast: Forecast, asset_class: AssetClass) -> bool:
        """Whether no session has closed after the forecast's last close, which is not one that is yet to come."""
        return forecast.as_of.date() == self._newest(asset_class)

    def dated(self, forecast: Forecast, asset_class: AssetClass) -> Forecast:
        """With a word in its note where sessions have closed since its last close.

        Not for the record: as it was published it may have been of the newest close, and it grows older.
        """
        newest, known = self._newest(asset_class), forecast.as_of.date()
        if newest is None or known >= newest:
            return forecast
        days = (self.today - known).days
        age = (
            f"The last close of {forecast.symbol} that is known is of {known}, {days} {'day' if days == 1 else 'days'}"
            f" before the market's date, {self.today}: this looks ahead from then, and not from now."
        )
        return replace(forecast, note=f"{forecast.note} {age}".lstrip())

    def _newest(self, asset_class: AssetClass) -> date | None:
        """The date, in UTC, of the newest close that there can be: a day of crypto closes at the midnight after it."""
        return self.today if asset_class is AssetClass.CRYPTO else self.last_session
