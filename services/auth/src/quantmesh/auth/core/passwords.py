"""Which passwords are accepted (OWASP ASVS 5, 6.2): long enough, not known to be common, not guessable."""

import math

from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE, relevant_l33t_subtable

from quantmesh.auth.core.errors import WeakPassword

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 256
# zxcvbn's scale of 0 to 4; below 2 an online attacker gets there.
_MINIMUM_SCORE = 2
# What is strong in its first characters is strong: so many at most are judged, and so many at least.
_MOST_SCORED, _LEAST_SCORED = 72, 16
# Readings times the square of the length; it takes a tenth of a second, in which nothing else is served.
_SCORED_WORK = 30_000


def check_password(password: str, *, email: str, full_name: str) -> None:
    """Raises WeakPassword with the reason and what would pass."""
    if len(password) < MINIMUM_LENGTH:
        raise WeakPassword(f"it has {len(password)} characters, at least {MINIMUM_LENGTH} are needed.")
    if len(password) > MAXIMUM_LENGTH:
        raise WeakPassword(f"it has {len(password)} characters, at most {MAXIMUM_LENGTH} are accepted.")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in password):
        raise WeakPassword("it contains characters that are not Unicode text.")
    personal = [part for part in (email, email.partition("@")[0], *full_name.split()) if part]
    result = zxcvbn(_beginning(password), user_inputs=personal)
    if result["score"] < _MINIMUM_SCORE:
        feedback = result["feedback"]
        reason = feedback["warning"] or "It is among the first that an attacker would try."
        advice = " ".join(feedback["suggestions"]) or "Four random words make a good one."
        raise WeakPassword(f"{reason} {advice}")


def _beginning(password: str) -> str:
    """What is judged of it: zxcvbn reads `4` and `@` as an `a` and so on, every reading in quadratic time.

    Of 72 such signs it would take ten seconds.
    """
    beginning = password[:_MOST_SCORED]
    readings = math.prod(len(signs) for signs in relevant_l33t_subtable(beginning, L33T_TABLE).values())
    return beginning[: max(_LEAST_SCORED, math.isqrt(_SCORED_WORK // readings))]
