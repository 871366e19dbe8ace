"""ISO 4217: the active currencies and the number of decimal places in which each is paid (list one, 2024)."""

from decimal import Decimal

from quantmesh.portfolio.core.numbers import EXACT

_TWO_PLACES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_CODES_BY_PLACES = {
    2: _TWO_PLACES,
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMAL_PLACES: dict[str, int] = {code: places for places, codes in _CODES_BY_PLACES.items() for code in codes.split()}
_SMALLEST_UNITS = {code: Decimal(1).scaleb(-places) for code, places in DECIMAL_PLACES.items()}


def round_cash(amount: Decimal, currency: str, rounding: str | None = None) -> Decimal:
    """To the smallest unit in which `currency` is paid; half to even unless `rounding` is one of decimal's others."""
    return amount.quantize(_SMALLEST_UNITS[currency], rounding, EXACT)


def display_cash(amount: Decimal, currency: str) -> Decimal:
    """With the places of `currency`, so that cents stay cents; with more where the amount has more."""
    rounded = round_cash(amount, currency)
    return rounded if rounded == amount else amount.normalize(EXACT)
