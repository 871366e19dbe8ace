"""The rules of identity, with no server."""

import string
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from quantmesh.auth.core import api_keys, login, register
from quantmesh.auth.core.errors import (
    InvalidEmail,
    InvalidExpiry,
    InvalidName,
    InvalidRefreshToken,
    InvalidScope,
    NoScopes,
    WeakPassword,
    WrongCredentials,
)
from quantmesh.auth.core.model import (
    SCOPES_BY_ROLE,
    ApiKey,
    Credentials,
    RefreshToken,
    Session,
    User,
    api_key_grant,
    scopes_of,
    user_grant,
)
from quantmesh.auth.core.passwords import check_password
from quantmesh.auth.core.refresh import Verdict, judge
from quantmesh.auth.core.secrets import hash_of, new_api_key, new_refresh_token, successor_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USER = User(uuid.uuid4(), "ada@example.com", "Ada", frozenset({"investor"}), "free", NOW)


def link(used_seconds_ago: float | None = None, *, successor_used: bool = False, revoked: bool = False) -> RefreshToken:
    session = Session(uuid.uuid4(), USER.id, "", "", NOW, NOW, NOW + timedelta(days=1))
    used_at = None if used_seconds_ago is None else NOW - timedelta(seconds=used_seconds_ago)
    return RefreshToken(session, revoked, used_at, successor_used)


@pytest.mark.parametrize(
    "password", ["short", "password123", "aaaaaaaaaaaa", "qwertyuiop", "ada@example.com", "x" * 257]
)
def test_a_weak_password_is_refused_with_a_reason(password: str) -> None:
    with pytest.raises(WeakPassword) as caught:
        check_password(password, email="ada@example.com", full_name="Ada Lovelace")
    assert caught.value.violations[0].field == "password"
    assert len(caught.value.violations[0].description) > 10


def test_a_password_that_is_no_text_is_refused() -> None:
    with pytest.raises(WeakPassword):
        check_password("violet-\ud800-anchor-mosaic", email="a@example.com", full_name="A")


@pytest.mark.parametrize("signs", ["4@8({[<369&#!1/|0$5+7%2", "4@([{<$5", "3141592653589", string.printable[:94]])
def test_no_password_keeps_others_waiting_for_long(signs: str) -> None:
    """Judging one is all that the service does meanwhile; it took ten seconds."""
    begun = time.process_time()
    check_password((signs * 8)[:72], email="ada@example.com", full_name="Ada Lovelace")
    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize("password", ["correct horse battery staple", "Tr1cky-Otter-Lantern", "ünïcödé wörds çount"])
def test_a_strong_password_passes(password: str) -> None:
    check_password(password, email="ada@example.com", full_name="Ada Lovelace")


def test_an_email_is_found_again_whatever_its_case() -> None:
    assert register.normalized_email("Ada@Example.COM") == login.login_name("ada@example.com") == "ada@example.com"


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "a b@example.com", "a" * 250 + "@example.com"])
def test_what_is_no_email_is_refused_at_registration_and_unknown_at_login(email: str) -> None:
    with pytest.raises(InvalidEmail):
        register.normalized_email(email)
    assert login.login_name(email) == ""


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 201])
def test_a_name_must_be_printable_and_bounded(name: str) -> None:
    with pytest.raises(InvalidName):
        register.checked_name("full_name", name)


def test_an_unused_token_rotates() -> None:
    assert judge(link(), NOW) is Verdict.ROTATE


def test_two_racing_tabs_get_the_same_successor() -> None:
    assert judge(link(9.0), NOW) is Verdict.SAME_SUCCESSOR


def test_reuse_after_the_grace_or_after_the_successor_was_used_is_theft() -> None:
    assert judge(link(11.0), NOW) is Verdict.REUSED
    assert judge(link(1.0, successor_used=True), NOW) is Verdict.REUSED


def test_a_token_of_an_ended_session_is_worth_nothing() -> None:
    with pytest.raises(InvalidRefreshToken):
        judge(link(revoked=True), NOW)
    with pytest.raises(InvalidRefreshToken):
        judge(link(), NOW + timedelta(days=2))


def test_a_successor_is_a_function_of_token_and_key_alone() -> None:
    token = new_refresh_token()
    assert successor_of(token, b"k" * 32) == successor_of(token, b"k" * 32)
    assert successor_of(token, b"k" * 32) != successor_of(token, b"l" * 32)
    assert hash_of(token) != hash_of(successor_of(token, b"k" * 32))


async def test_an_unknown_account_costs_the_same_check_as_a_wrong_password() -> None:
    class CountingHasher:
        def __init__(self) -> None:
            self.checked: list[str] = []

        async def hash(self, password: str) -> str:
            return password

        async def verify(self, password_hash: str, password: str) -> bool:
            self.checked.append(password_hash)
            return password_hash == password

        def is_outdated(self, password_hash: str) -> bool:
            return False

    hasher = CountingHasher()
    for found in (None, Credentials(USER, "right")):
        with pytest.raises(WrongCredentials) as caught:
            await login.check_credentials(found, "wrong", hasher, "decoy")
        assert caught.value.detail == WrongCredentials().detail
    assert hasher.checked == ["decoy", "right"]
    # A decoy that matched by chance would still let nobody in.
    with pytest.raises(WrongCredentials):
        await login.check_credentials(None, "decoy", hasher, "decoy")


def test_an_unknown_role_allows_nothing_and_no_role_lets_an_investor_write_market_data() -> None:
    assert scopes_of(frozenset({"root"})) == frozenset()
    assert "market:write" not in scopes_of(frozenset({"investor", "trader", "analyst", "compliance"}))
    assert "predictions:train" in SCOPES_BY_ROLE["analyst"]


def test_a_key_cannot_have_a_scope_that_its_maker_lacks() -> None:
    with pytest.raises(InvalidScope, match="market:write"):
        api_keys.new_key(uuid.uuid4(), USER.id, "bot", "qmk_", ["market:write"], scopes_of(USER.roles), None, NOW)


def test_a_key_loses_what_its_owner_loses() -> None:
    key = ApiKey(uuid.uuid4(), USER.id, "bot", "qmk_", frozenset({"market:write", "market:read"}), NOW, None, None)
    assert api_key_grant(key, USER, NOW).scopes == {"market:read"}


def test_no_token_outlives_what_it_was_given_for() -> None:
    """Neither a key, nor a session, is good for a minute more than its owner was told."""
    for left, of_key, of_session in ((4.5, 4.5, 4.5), (90, 60, 90), (9000, 60, 300)):
        end = NOW + timedelta(seconds=left)
        key = ApiKey(uuid.uuid4(), USER.id, "bot", "qmk_", frozenset({"market:read"}), NOW, None, end)
        assert api_key_grant(key, USER, NOW).lifetime == timedelta(seconds=of_key)
        session = Session(uuid.uuid4(), USER.id, "", "", NOW, NOW, end)
        assert user_grant(USER, session, NOW).lifetime == timedelta(seconds=of_session)


def test_a_key_with_all_scopes_cannot_manage_the_account_and_cannot_expire_in_the_past() -> None:
    own = scopes_of(USER.roles)
    key = api_keys.new_key(uuid.uuid4(), USER.id, "bot", "qmk_", None, own, None, NOW)
    assert key.scopes == own - {"account:manage"}
    with pytest.raises(InvalidExpiry):
        api_keys.new_key(uuid.uuid4(), USER.id, "bot", "qmk_", None, own, NOW, NOW)


def test_a_key_with_no_scope_is_refused() -> None:
    """Also where all of them would be none: its maker is a key that manages the account and no more."""
    for scopes, own in (([], scopes_of(USER.roles)), (None, frozenset({"account:manage"}))):
        with pytest.raises(NoScopes):
            api_keys.new_key(uuid.uuid4(), USER.id, "bot", "qmk_", scopes, own, None, NOW)


def test_keys_differ_and_show_their_prefix() -> None:
    (first, prefix), (second, _) = new_api_key(), new_api_key()
    assert first != second
    assert first.startswith(prefix)
    assert len(prefix) == 12
