"""Tokens of an identity provider: only those that it made, for this service, and that have not expired."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from access_service import ROOT, Make, client, one_database
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recbole_llmfb.errors import AccessError, DataError, MissingExtraError
from recbole_llmfb.serving.access import Access, check_bind
from recbole_llmfb.serving.access.settings import TokenSettings
from recbole_llmfb.serving.access.tokens import Tokens

SECRET = "a secret of the provider, 32 bytes at least"
PUBLIC = {"algorithms": ["RS256"], "key_file": None, "jwks_url": "https://id.example/jwks"}


def settings(folder: Path, **changes: object) -> dict[str, object]:
    file = folder / "token.key"
    file.write_text(f"{SECRET}\n")
    fixed = {"issuer": "https://id.example/", "audience": "recbole-llmfb", "algorithms": ["HS256"], "key_file": str(file)}
    return {**fixed, **changes}


def claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    fixed = {"iss": "https://id.example/", "aud": "recbole-llmfb", "sub": "ada", "exp": now + 600, "scope": "openid operator"}
    return {name: value for name, value in {**fixed, **changes}.items() if value is not None}


def token(algorithm: str = "HS256", secret: str = SECRET, headers: dict[str, Any] | None = None, **changes: object) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm, headers=headers)


def unsigned(algorithm: object, signature: str = "") -> str:
    """A token whose header says anything."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": algorithm}, claims())]
    return ".".join([*parts, signature])


@pytest.fixture
def behind(make_access: Make, tmp_path: Path) -> Access:
    """Access with an identity provider."""
    return make_access(tokens=settings(tmp_path))


def status(access: Access, given: str) -> int:
    return client(access, Authorization=f"Bearer {given}").get("/v1/me").status_code


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(TokenSettings.model_validate(settings(tmp_path)))


@one_database
def test_a_token_lets_in_who_it_names_from_anywhere(behind: Access) -> None:
    answer = client(behind, "https://console.example", peer="10.0.0.1", Authorization=f"Bearer {token()}").get("/v1/me")
    assert answer.json() == {"name": "token:ada", "scope": "operator", "user": None}


@one_database
def test_an_identity_provider_closes_loopback_and_opens_other_addresses(behind: Access) -> None:
    assert client(behind).get("/v1/me").status_code == 401
    check_bind("0.0.0.0", behind.first_start)


@one_database
def test_keys_open_beside_tokens(behind: Access) -> None:
    assert status(behind, behind.keys.create(ROOT, "program", "admin").key) == 200


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("operator", "operator"),
        ("openid user admin operator", "admin"),
        (["user"], "user"),
        (["email", "admin"], "admin"),
        (["operator", 7, None], "operator"),
    ],
)
def test_the_widest_scope_of_the_claim_counts(tokens: Tokens, scope: object, found: str) -> None:
    principal = tokens.principal(token(scope=scope))
    assert (principal.scope, principal.user) == (found, "ada" if found == "user" else None)


@pytest.mark.parametrize("scope", [None, "", "openid", "administrator", "Admin", [], {}, {"admin": True}, 7, True])
def test_a_token_without_a_scope_of_this_service_may_nothing(tokens: Tokens, scope: object) -> None:
    with pytest.raises(AccessError, match="names none of user, operator, admin") as refused:
        tokens.principal(token(scope=scope))
    assert refused.value.status == 403


def test_claims_have_the_names_that_the_settings_give(tmp_path: Path) -> None:
    named = settings(tmp_path, scope_claim="roles", scope_prefix="llmfb:", user_claim="customer")
    tokens = Tokens(TokenSettings.model_validate(named))
    assert tokens.principal(token(roles=["llmfb:user", "admin"], customer="u1")).reaches("u1")
    with pytest.raises(AccessError, match="llmfb:user, llmfb:operator"):
        tokens.principal(token(roles=["admin"], scope="admin"))
    with pytest.raises(AccessError, match="names nobody"):
        tokens.principal(token(roles=["llmfb:user"]))


FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg NONE with a signature": lambda: unsigned("NONE", "AAAA"),
    "no alg": lambda: unsigned(None),
    "alg of a list": lambda: unsigned(["HS256"]),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "another signature": lambda: token().rpartition(".")[0] + "." + token(sub="eve").rpartition(".")[2],
    "another algorithm": lambda: token("HS512", SECRET * 2),
    "another algorithm of the family": lambda: token("HS384", SECRET * 2),
    "another key": lambda: token(secret="b" * 32),
    "another issuer": lambda: token(iss="https://attacker.example/"),
    "an issuer that begins alike": lambda: token(iss="https://id.example"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="another-service"),
    "audiences without this": lambda: token(aud=["a", "b"]),
    "no audience": lambda: token(aud=None),
    "expired": lambda: token(exp=int(time.time()) - 60),
    "no expiry": lambda: token(exp=None),
    "an expiry that is none": lambda: token(exp="never"),
    "not yet valid": lambda: token(nbf=int(time.time()) + 120),
    "made in the future": lambda: token(iat=int(time.time()) + 120),
    "nobody's": lambda: token(sub=None),
    "with half a surrogate pair": lambda: token(sub="\ud800"),
    "with a NUL": lambda: token(sub="a\0b"),
    "with a line": lambda: token(sub="a\nb"),
    "with a number for a name": lambda: jwt.api_jws.encode(json.dumps(claims(sub=7)).encode(), SECRET, algorithm="HS256"),
    "with a critical extension": lambda: token(headers={"crit": ["exp"], "exp": 1}),
    "with a key of its own": lambda: token(secret="c" * 32, headers={"jwk": {"kty": "oct", "k": "Y2NjYw"}, "kid": "../../etc"}),
    "no JSON": lambda: "a.b.c",
    "nothing": lambda: "..",
    "one word": lambda: "token",
    "very long": lambda: "a" * 8000,
}


@pytest.mark.parametrize("name", FORGED)
def test_what_the_provider_did_not_make_for_this_service_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(AccessError) as refused:
        tokens.principal(FORGED[name]())
    assert (refused.value.status, refused.value.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


@one_database
def test_a_refused_token_is_refused_at_the_gate(behind: Access) -> None:
    assert [status(behind, FORGED[name]()) for name in ("alg none", "another issuer", "expired")] == [401] * 3


def test_clocks_may_differ_by_the_leeway(tokens: Tokens) -> None:
    assert tokens.principal(token(exp=int(time.time()) - 10)).name == "token:ada"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_no_text_is_a_token(tokens: Tokens, given: str) -> None:
    with pytest.raises(AccessError) as refused:
        tokens.principal(given)
    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["HS256", "RS256"]}, "mix"),
        ({"key_file": None}, "either key_file or jwks_url"),
        ({"jwks_url": "https://id.example/jwks"}, "either key_file or jwks_url"),
        ({"key_file": None, "jwks_url": "https://id.example/jwks"}, "HS algorithms need key_file"),
        ({**PUBLIC, "jwks_url": "http://id.example/jwks"}, "must be https"),
        ({**PUBLIC, "jwks_url": "file:///etc/passwd"}, "must be https"),
        ({**PUBLIC, "jwks_url": "file://localhost/etc/passwd"}, "must be https"),
        ({"leeway_seconds": 3600}, "leeway_seconds"),
        ({"issuer": ""}, "issuer"),
        ({"verify": False}, "verify"),
    ],
)
def test_settings_that_would_believe_too_much_are_refused(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TokenSettings.model_validate(settings(tmp_path, **changes))


def test_a_key_that_is_missing_or_too_short_is_refused(tmp_path: Path) -> None:
    given = settings(tmp_path)
    (tmp_path / "token.key").write_text("short")
    for algorithms in (["HS256"], ["HS256", "HS512"]):
        with pytest.raises(DataError, match="no key for HS256.*5 bytes"):
            Tokens(TokenSettings.model_validate({**given, "algorithms": algorithms}))
    (tmp_path / "token.key").write_text(SECRET)
    with pytest.raises(DataError, match="no key for HS512.*43 bytes"):
        Tokens(TokenSettings.model_validate({**given, "algorithms": ["HS256", "HS512"]}))
    (tmp_path / "token.key").write_text("")
    with pytest.raises(DataError, match="no key for HS256"):
        Tokens(TokenSettings.model_validate(given))
    with pytest.raises(DataError, match="absent"):
        Tokens(TokenSettings.model_validate({**given, "key_file": str(tmp_path / "absent")}))


def test_public_keys_without_their_library_are_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recbole_llmfb.serving.access.tokens.has_crypto", False)
    with pytest.raises(MissingExtraError, match="RS256 needs cryptography"):
        Tokens(TokenSettings.model_validate(settings(tmp_path, **PUBLIC)))
