"""Which passwords are accepted (OWASP ASVS 5, 6.2): long enough, not known to be common, not guessable."""

from zxcvbn import zxcvbn

from quantmesh.auth.core.errors import WeakPassword

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 256
# zxcvbn's scale of 0 to 4; below 2 an online attacker gets there.
_MINIMUM_SCORE = 2
# zxcvbn's matching is quadratic; what is strong in its first 72 characters is strong.
_SCORED_LENGTH = 72


def check_password(password: str, *, email: str, full_name: str) -> None:
    """Raises WeakPassword with the reason and what would pass."""
    if len(password) < MINIMUM_LENGTH:
        raise WeakPassword(f"it has {len(password)} characters, at least {MINIMUM_LENGTH} are needed.")
    if len(password) > MAXIMUM_LENGTH:
        raise WeakPassword(f"it has {len(password)} characters, at most {MAXIMUM_LENGTH} are accepted.")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in password):
        raise WeakPassword("it contains characters that are not Unicode text.")
    personal = [part for part in (email, email.partition("@")[0], *full_name.split()) if part]
    result = zxcvbn(password[:_SCORED_LENGTH], user_inputs=personal)
    if result["score"] < _MINIMUM_SCORE:
        feedback = result["feedback"]
        reason = feedback["warning"] or "It is among the first that an attacker would try."
        advice = " ".join(feedback["suggestions"]) or "Four random words make a good one."
        raise WeakPassword(f"{reason} {advice}")
