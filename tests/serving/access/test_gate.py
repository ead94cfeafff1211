"""Who gets through the gate, and above all who does not."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from access_service import HERE, PASSWORD, ROOT, THERE, Make, client, one_database, signed_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recbole_llmfb.errors import DataError, UsageError
from recbole_llmfb.serving.access import Access, AccessSettings, Principal, check_bind
from recbole_llmfb.serving.access.principal import SCOPES

# -- principals


@given(st.sampled_from(SCOPES), st.sampled_from(SCOPES), st.sampled_from(SCOPES))
def test_scopes_are_ordered(one: str, two: str, three: str) -> None:
    first, second = (Principal("p", scope, "u" if scope == "user" else None) for scope in (one, two))
    assert first.may(one) and first.may("user")
    assert first.may(two) or second.may(one)
    assert not (first.may(two) and second.may(three)) or first.may(three)


@given(st.text(), st.text())
def test_a_user_reaches_itself_alone_and_operators_reach_all(mine: str, other: str) -> None:
    assert Principal("p", "user", mine).reaches(other) == (mine == other)
    assert Principal("p", "operator").reaches(other) and Principal("p", "admin").reaches(other)


@pytest.mark.parametrize(("scope", "user"), [("user", None), ("operator", "u"), ("admin", "u"), ("root", None)])
def test_a_principal_that_contradicts_itself_cannot_be(scope: str, user: str | None) -> None:
    with pytest.raises(UsageError, match=scope):
        Principal("p", scope, user)  # type: ignore[arg-type]


# -- loopback, before anything is configured


@one_database
@pytest.mark.parametrize("base", [HERE, "http://localhost:8000", "http://[::1]:8000", "http://127.9.9.9", "https://localhost"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_open_as_operator_until_something_is_configured(access: Access, base: str, peer: str) -> None:
    me = client(access, base, peer=peer).get("/v1/me")
    assert (me.status_code, me.json()) == (200, {"name": "loopback", "scope": "operator", "user": None})


@one_database
@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Forwarded": "for=10.0.0.1"}, "proxy"),
        ({"X-Forwarded-For": "127.0.0.1"}, "proxy"),
        ({"X-Forwarded-Proto": "https"}, "proxy"),
        ({"X-Forwarded-Anything": "1"}, "proxy"),
        ({"X-Real-IP": "127.0.0.1"}, "proxy"),
        ({"X-Client-IP": "127.0.0.1"}, "proxy"),
        ({"X-Cluster-Client-IP": "127.0.0.1"}, "proxy"),
        ({"True-Client-IP": "127.0.0.1"}, "proxy"),
        ({"X-Original-Forwarded-For": "127.0.0.1"}, "proxy"),
        ({"CF-Ray": "8f"}, "proxy"),
        ({"X-Envoy-External-Address": "127.0.0.1"}, "proxy"),
        ({"X-Amzn-Trace-Id": "Root=1"}, "proxy"),
        ({"Via": "1.1 proxy"}, "proxy"),
        ({"Host": "attacker.example"}, "Host"),
        ({"Host": "attacker.example:8000"}, "Host"),
        ({"Host": "127.0.0.1.attacker.example"}, "Host"),
        ({"Host": "localhost.attacker.example"}, "Host"),
        ({"Host": "127.0.0.1@attacker.example"}, "Host"),
        ({"Host": "localhost:8000/attacker"}, "Host"),
        ({"Host": "0.0.0.0:8000"}, "Host"),
        ({"Host": "192.168.0.2"}, "Host"),
        ({"Host": ""}, "Host"),
        ({"Origin": "https://attacker.example"}, "Origin"),
        ({"Origin": "null"}, "Origin"),
        ({"Origin": ""}, "Origin"),
        ({"Origin": "http://127.0.0.1:3000"}, "Origin"),
        ({"Origin": "http://localhost:8000"}, "Origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
        ({"Sec-Fetch-Site": "same-site"}, "Sec-Fetch-Site"),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://attacker.example"}, "Origin"),
    ],
)
def test_loopback_is_closed_to_whatever_may_come_from_elsewhere(access: Access, headers: dict[str, str], why: str) -> None:
    for method in ("GET", "POST"):
        answer = client(access).request(method, "/v1/words?user=u", headers=headers)
        assert answer.status_code == 403
        assert why in answer.json()["detail"] and "keys create" in answer.json()["detail"]


@one_database
@pytest.mark.parametrize("peer", ["10.0.0.1", "192.168.0.2", "::ffff:10.0.0.1", "2001:db8::1", "testclient", ""])
def test_another_machine_is_not_loopback_whatever_host_it_names(access: Access, peer: str) -> None:
    assert client(access, peer=peer).get("/v1/me").status_code == 403


@one_database
@pytest.mark.parametrize(
    "headers", [{"Origin": HERE}, {"Sec-Fetch-Site": "same-origin", "Origin": HERE}, {"Sec-Fetch-Site": "none"}]
)
def test_loopback_is_open_to_the_services_own_pages(access: Access, headers: dict[str, str]) -> None:
    assert client(access).post("/v1/words?user=u", headers=headers).status_code == 200


def _with_key(access: Access) -> None:
    access.keys.create(ROOT, "first", "operator")


def _with_account(access: Access) -> None:
    access.accounts.create(ROOT, "ada", PASSWORD, "operator")


def _with_revoked_key(access: Access) -> None:
    access.keys.revoke(ROOT, access.keys.create(ROOT, "first", "operator").id)


@pytest.mark.parametrize("configure", [_with_key, _with_account, _with_revoked_key])
def test_loopback_closes_for_good_with_the_first_key_or_account(
    access: Access, make_access: Make, configure: Callable[[Access], None]
) -> None:
    assert client(access).get("/v1/me").status_code == 200
    configure(access)
    for process in (access, make_access()):
        answer = client(process).get("/v1/me")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@one_database
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "", "console.example", "::ffff:10.0.0.1", "127.0.0.1.example"])
def test_no_other_address_is_served_before_a_key_is_configured(access: Access, host: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(host)) + ".*recbole-llmfb keys create"):
        check_bind(host, access.first_start)
    _with_key(access)
    check_bind(host, access.first_start)


@one_database
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback_needs_no_key(access: Access, host: str) -> None:
    check_bind(host, access.first_start)


# -- keys


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1"])
def test_a_key_opens_from_anywhere_in_both_headers(access: Access, peer: str) -> None:
    made = access.keys.create(ROOT, "program", "operator")
    for headers in ({"Authorization": f"Bearer {made.key}"}, {"authorization": f"bearer  {made.key}"}, {"X-API-Key": made.key}):
        answer = client(access, THERE, peer=peer, Via="1.1 proxy", Origin="https://other.example").get("/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["name"], answer.json()["scope"]) == (200, f"key:{made.id}", "operator")


def test_a_key_of_a_user_reaches_that_user_alone(access: Access) -> None:
    mine, other = (client(access, X_API_Key=access.keys.create(ROOT, user, "user", user).key) for user in ("u1", "u2"))
    assert [mine.post(f"/v1/words?user={user}").status_code for user in ("u1", "u2")] == [200, 403]
    assert [other.post(f"/v1/words?user={user}").status_code for user in ("u1", "u2")] == [403, 200]
    assert mine.get("/v1/me").json()["user"] == "u1"


@one_database
def test_a_key_is_for_a_user_whom_the_service_can_name(access: Access) -> None:
    """Its requests take ids of at most 256 characters, so that a key of a longer one would reach nobody."""
    assert access.keys.create(ROOT, "k", "user", "u" * 256).user
    with pytest.raises(ValidationError, match="256"):
        access.keys.create(ROOT, "k", "user", "u" * 257)


def test_a_revoked_key_is_refused_from_the_next_request_on_in_every_process(access: Access, make_access: Make) -> None:
    made = access.keys.create(ROOT, "program", "admin")
    programs = [client(process, X_API_Key=made.key) for process in (access, make_access())]
    assert [program.get("/v1/me").status_code for program in programs] == [200, 200]
    access.keys.revoke(ROOT, made.id)
    assert [program.get("/v1/me").status_code for program in programs] == [401, 401]


def test_the_secret_of_one_key_does_not_open_with_the_id_of_another(access: Access) -> None:
    one, other = (access.keys.create(ROOT, name, "admin") for name in ("one", "other"))
    forged = f"llmfb_{one.id}_{other.key.split('_', 2)[2]}"
    assert client(access, X_API_Key=forged).get("/v1/me").status_code == 401


@one_database
@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "llmfb_"},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWRhOnBhc3N3b3Jk"},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."},
    ],
)
def test_a_wrong_proof_is_refused_where_none_at_all_would_be_let_in(access: Access, headers: dict[str, str]) -> None:
    assert client(access).get("/v1/me").status_code == 200
    answer = client(access).get("/v1/me", headers=headers)
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")


@one_database
def test_two_proofs_are_one_too_many(access: Access) -> None:
    key = access.keys.create(ROOT, "program", "admin").key
    assert client(access, X_API_Key=key, Authorization=f"Bearer {key}").get("/v1/me").status_code == 401
    twice = client(access).get("/v1/me", headers=[("X-API-Key", key), ("X-API-Key", key)])
    assert twice.status_code == 401


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_change_of_a_key_is_let_in(access: Access, data: st.DataObject) -> None:
    key = access.keys.create(ROOT, "program", "admin").key
    place = data.draw(st.integers(0, len(key) - 1))
    alphabet = st.characters(codec="latin-1") | st.sampled_from("_-0aA")
    changed = key[:place] + data.draw(st.text(alphabet, max_size=2)) + key[place + 1 :]
    found = access.keys.principal(changed)
    assert (found is not None) == (changed == key)


# -- settings


def test_a_wrong_setting_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    for text, names in [
        ('[rates]\nuser = "often"', "rates.user.*300/minute"),
        ('origins = ["console.example"]', "origins.*https://console.example"),
        ("[session]\nidle_minutes = 0", "session.idle_minutes"),
        ('proxies = ["proxy.example"]', "proxies.0"),
        ("loopback = true", "loopback"),
        ("[", "no TOML"),
    ]:
        file.write_text(text)
        with pytest.raises(DataError, match=f"access.toml.*{names}"):
            AccessSettings.read(file)
    file.write_text('origins = ["https://console.example"]\n[rates]\nuser = "5/second"')
    assert AccessSettings.read(file).rates.user == "5/second"
    with pytest.raises(DataError, match="absent.toml"):
        AccessSettings.read(file.with_name("absent.toml"))


def test_a_session_does_not_open_where_a_wrong_key_is_given_beside_it(access: Access) -> None:
    browser = signed_in(access)
    assert browser.get("/v1/me").status_code == 200
    assert browser.get("/v1/me", headers={"X-API-Key": "llmfb_wrong"}).status_code == 401
