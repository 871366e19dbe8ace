"""Read the option chains out of stochvolmodels' source text, since importing it would need all that it depends on.

Each chain is a function whose body assigns literals (`forwards = array([...])`); nothing of it is executed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

NOTE = (
    "Upstream counts time to expiry to midnight in days of 360 a year: from 2022-07-15 16:22:57 in Zurich, that leads"
    " to the listed expiry date of every maturity to the second, and SPY's forward then fits its price at 10:23 in New"
    " York."
    " For BTC, days of 360 lead back from the four expiries at 08:00 UTC to one moment, 2021-10-20 21:24:34 UTC."
    " `ttm_360` is upstream's number; `time` and `expiry` are the instants in UTC"
)
_ARRAYS = ("ttms", "forwards", "discfactors")
_ARRAYS_PER_EXPIRY = ("strikes_ttms", "optiontypes_ttms", "bid_ivs", "ask_ivs")
_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True)
class _Listing:
    """When upstream looked (on its own clock and in UTC), what hour it counts to, and when the options truly expire."""

    function: str
    looked_at: datetime
    counted_to: time
    zone: str
    expires_at: time
    zone_of_expiry: str


def _american(function: str, expires_at: time = time(16)) -> _Listing:
    return _Listing(
        function,
        datetime.fromisoformat("2022-07-15T16:22:57"),
        time(0),
        "Europe/Zurich",
        expires_at,
        "America/New_York",
    )


_LISTINGS = {
    "SPY": _american("get_spy_test_chain_data"),
    "SQQQ": _american("get_sqqq_test_chain_data"),
    "GLD": _american("get_gld_test_chain_data"),
    # Settled on the opening of that morning.
    "VIX": _american("get_vix_test_chain_data", time(9, 30)),
    "BTC-USD": _Listing(
        "get_btc_test_chain_data",
        datetime.fromisoformat("2021-10-20T21:24:34"),
        time(8),
        "UTC",
        time(8),
        "UTC",
    ),
}


def extract(source: str) -> dict[str, object]:
    """{underlying: {label, time, expiries: [...]}}; see `_chain` for the fields."""
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    return {underlying: _chain(functions[of.function], of) for underlying, of in _LISTINGS.items()}


def _chain(function: ast.FunctionDef, listing: _Listing) -> dict[str, object]:
    names = {*_ARRAYS, *_ARRAYS_PER_EXPIRY}
    values = {name: _literal(node) for name, node in _assignments(function) if name in names}
    return {
        "label": (ast.get_docstring(function) or "").strip(),
        "time": _utc(listing.looked_at, listing.zone),
        "expiries": [
            {
                "expiry": _expiry(ttm, listing),
                "ttm_360": ttm,
                "forward": forward,
                "discount_factor": discount_factor,
                "strikes": strikes,
                "types": "".join(types),
                "bid": bid,
                "ask": ask,
            }
            for ttm, forward, discount_factor, strikes, types, bid, ask in zip(
                *(values[name] for name in (*_ARRAYS, *_ARRAYS_PER_EXPIRY)), strict=True
            )
        ],
    }


def _expiry(ttm_360: float, listing: _Listing) -> str:
    counted = listing.looked_at + timedelta(days=ttm_360 * 360)
    day = (counted + _TOLERANCE).date()
    if abs(counted - datetime.combine(day, listing.counted_to)) > _TOLERANCE:
        msg = f"{listing.function}: {ttm_360} years of 360 days lead to {counted}, which is no expiry"
        raise ValueError(msg)
    return _utc(datetime.combine(day, listing.expires_at), listing.zone_of_expiry)


def _utc(local: datetime, zone: str) -> str:
    return f"{local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _assignments(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    for node in function.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _literal(node: ast.expr) -> list[object]:
    """`array([...])` as its list, and a tuple of them as a list of lists."""
    if isinstance(node, ast.Tuple):
        return [_literal(element) for element in node.elts]
    if isinstance(node, ast.Call):
        return list(ast.literal_eval(node.args[0]))
    msg = f"line {node.lineno}: neither array([...]) nor a tuple of them"
    raise ValueError(msg)
