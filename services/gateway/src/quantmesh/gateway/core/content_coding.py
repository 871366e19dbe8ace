"""Which content codings a client takes (RFC 9110, 12.5.3)."""

import re

_CODING = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?")


def takes_gzip(accepted: str) -> bool:
    """Whether gzip is taken, and identity not preferred; a quality of 0 refuses. What has no such form says nothing."""
    qualities = {
        found[1].lower(): float(found[2] or 1)
        for coding in accepted.split(",")
        if (found := _CODING.fullmatch(coding)) is not None
    }
    gzip = next((qualities[name] for name in ("gzip", "x-gzip", "*") if name in qualities), 0.0)
    return gzip > 0.0 and gzip >= qualities.get("identity", 0.0)
