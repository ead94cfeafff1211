"""Accounts, their passwords, and how signing in is slowed down for those who guess."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from access_service import HERE, PASSWORD, ROOT, THERE, Make, actions, client, one_database, signed_in
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pwdlib import PasswordHash
from pydantic import ValidationError
from sqlalchemy import text

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access import Access
from recbole_llmfb.serving.access.accounts import Accounts
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.store import Database

WRONG = "wrong horse battery"


def login(access: Access, name: str = "ada", password: str = PASSWORD, peer: str = "127.0.0.1") -> Response:
    return client(access, peer=peer).post("/login", json={"name": name, "password": password})


@pytest.fixture
def ada(access: Access) -> Access:
    access.accounts.create(ROOT, "ada", PASSWORD, "operator")
    return access


# -- passwords


def test_passwords_are_hashed_with_argon2id_and_a_salt(database: Database) -> None:
    accounts = Accounts(database, Audit())
    for name in ("ada", "bob"):
        accounts.create(ROOT, name, PASSWORD, "operator")
    with database.engine.connect() as connection:
        one, other = connection.execute(text("SELECT password_hash FROM account")).scalars().all()
    assert one != other and one.startswith("$argon2id$") and PASSWORD not in one
    assert PasswordHash.recommended().verify(PASSWORD, one)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=12, max_size=40), st.text(max_size=40))
def test_a_password_opens_its_account_and_no_other_does(access: Access, password: str, other: str) -> None:
    name = access.accounts.create(ROOT, f"ada-{len(access.accounts.all())}", password, "operator").name
    assert access.accounts.check(name, password)[1]
    assert not access.accounts.check(name, password + other + "x")[1]


@one_database
def test_a_password_is_the_same_however_a_keyboard_writes_it(access: Access) -> None:
    access.accounts.create(ROOT, "zoe", "a caf\u00e9 at noon", "operator")
    assert login(access, "zoe", "a cafe\u0301 at noon").status_code == 200


@one_database
@pytest.mark.parametrize("password", ["", "short", "eleven char", "x" * 1001])
def test_a_password_that_is_too_short_or_too_long_is_refused(access: Access, password: str) -> None:
    with pytest.raises(ValidationError, match="characters"):
        access.accounts.create(ROOT, "ada", password, "operator")
    assert access.accounts.all() == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "\x7f", "x" * 101])
def test_a_name_that_cannot_be_printed_is_refused(access: Access, name: str) -> None:
    with pytest.raises(ValidationError):
        access.accounts.create(ROOT, name, PASSWORD, "operator")
    assert login(access, name).status_code in (401, 422)


def test_a_name_is_taken_once(ada: Access, make_access: Make) -> None:
    for process in (ada, make_access()):
        with pytest.raises(AccessError, match="'ada' already"):
            process.accounts.create(ROOT, "ada", PASSWORD, "admin")
    assert [account.role for account in ada.accounts.all()] == ["operator"]


def test_a_name_that_several_take_at_once_is_given_to_one(access: Access) -> None:
    def create(_: int) -> bool:
        try:
            return bool(access.accounts.create(ROOT, "ada", PASSWORD, "operator"))
        except AccessError:
            return False

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(create, range(4))) == 1
    assert len(access.accounts.all()) == 1


# -- signing in


@pytest.mark.parametrize(
    ("name", "password"), [("ada", WRONG), ("ada", ""), ("Ada", PASSWORD), ("bob", PASSWORD), ("ada'--", PASSWORD)]
)
def test_the_answer_does_not_tell_what_was_wrong(ada: Access, name: str, password: str) -> None:
    refused = login(ada, name, password)
    assert (refused.status_code, refused.json()) == (401, {"detail": "no account has this name and password"})
    assert "set-cookie" not in refused.headers


@one_database
@pytest.mark.parametrize("name", ["ada", "nobody", "off"])
def test_a_password_is_hashed_whether_there_is_an_account_or_not(ada: Access, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ada.accounts.create(ROOT, "off", PASSWORD, "operator")
    ada.accounts.change(ROOT, "off", disabled=True)
    costs: list[str] = []
    verify: Callable[..., bool] = PasswordHash.verify

    def counted(self: PasswordHash, password: str, stored: str) -> bool:
        costs.append(stored.rsplit("$", 2)[0])
        return verify(self, password, stored)

    monkeypatch.setattr(PasswordHash, "verify", counted)
    login(ada, name, WRONG)
    assert costs == ["$argon2id$v=19$m=8,t=1,p=1"]


def test_guessing_with_one_name_from_one_address_is_stopped_even_when_the_guess_is_right(ada: Access) -> None:
    assert [login(ada, password=WRONG).status_code for _ in range(10)] == [401] * 10
    refused = login(ada)
    assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 300
    assert login(ada, peer="10.0.0.9").status_code == 200, "the owner, from elsewhere, is not locked out"


@one_database
def test_guessing_names_from_one_address_is_stopped(ada: Access) -> None:
    assert {login(ada, f"name-{number}").status_code for number in range(50)} == {401}
    assert login(ada).status_code == 429


@one_database
def test_guessing_from_many_addresses_is_stopped(make_access: Make) -> None:
    access = make_access(logins={"name": "5/minute"})
    assert [login(access, peer=f"10.0.0.{number}").status_code for number in range(6)] == [401] * 5 + [429]


@one_database
def test_behind_a_proxy_who_is_behind_it_counts_and_not_the_proxy(make_access: Make) -> None:
    """Otherwise a stranger's guesses would lock out everybody who signs in through the same proxy."""
    access = make_access(logins={"address": "2/minute"}, proxies=["10.0.0.0/8"])
    access.accounts.create(ROOT, "ada", PASSWORD, "operator")

    def tried(forwarded: str, name: str = "nobody", peer: str = "10.0.0.1") -> int:
        asking = client(access, THERE, peer=peer, X_Forwarded_For=forwarded)
        return asking.post("/login", json={"name": name, "password": PASSWORD}).status_code

    assert [tried("203.0.113.9") for _ in range(3)] == [401, 401, 429]
    assert tried("203.0.113.9, 10.0.0.2") == 429, "two proxies, one behind the other"
    assert tried("198.51.100.7, 203.0.113.9") == 429, "what somebody wrote there before the proxy did is not believed"
    assert tried("198.51.100.7", "ada") == 200
    assert [tried(f"203.0.113.{number}", peer="192.0.2.1") for number in range(3)] == [401, 401, 429], "nobody's proxy"
    assert [tried(forwarded, peer="10.0.0.3") for forwarded in ("", "unknown", "x" * 300)] == [401, 401, 429]
    with access.database.reading() as session:
        assert access.audit.page(session, limit=50, action="login").entries[0].detail == {"address": "198.51.100.7"}


@one_database
def test_addresses_of_one_ipv6_network_count_as_one(make_access: Make) -> None:
    access = make_access(logins={"address": "2/minute"})
    peers = ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:8000::", "2001:db8:0:1::1"]
    assert [login(access, f"n{n}", peer=peer).status_code for n, peer in enumerate(peers)] == [401, 401, 429, 401]


def test_a_right_password_forgets_the_wrong_ones(ada: Access) -> None:
    for _ in range(3):
        assert {login(ada, password=WRONG).status_code for _ in range(9)} == {401}
        assert login(ada).status_code == 200


def test_failed_attempts_are_in_the_audit_without_what_was_typed(ada: Access) -> None:
    login(ada, "ada", WRONG)
    login(ada, "my secret passphrase", PASSWORD)
    login(ada)
    assert list(actions(ada))[1:] == [
        ("unknown", "login.failed", "ada"),
        ("unknown", "login.failed", "unknown"),
        ("account:ada", "login", "ada"),
    ]
    with ada.database.engine.connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM audit")).all())
    assert "passphrase" not in stored and WRONG not in stored and PASSWORD not in stored


# -- changing


def test_an_operator_changes_the_own_password_with_the_current_one_and_nothing_else(access: Access) -> None:
    access.accounts.create(ROOT, "bob", PASSWORD, "operator")
    browser = signed_in(access, "ada", role="operator")
    new = {"name": "ada", "password": "another long password"}
    assert browser.patch("/v1/accounts", json=new).status_code == 401
    assert browser.patch("/v1/accounts", json={**new, "current_password": WRONG}).status_code == 401
    for more in ({"name": "bob"}, {"role": "admin"}, {"disabled": False}):
        assert browser.patch("/v1/accounts", json={**new, "current_password": PASSWORD, **more}).status_code == 403
    assert browser.patch("/v1/accounts", json={**new, "current_password": PASSWORD}).status_code == 200
    assert login(access, password="another long password").json()["scope"] == "operator"


def test_an_admin_changes_accounts_of_others(access: Access) -> None:
    browser = signed_in(access)
    made = browser.post("/v1/accounts", json={"name": "bob", "password": PASSWORD, "role": "operator"})
    assert made.status_code == 201 and "password" not in made.text
    assert browser.patch("/v1/accounts", json={"name": "bob", "role": "admin"}).json()["role"] == "admin"
    assert browser.patch("/v1/accounts", json={"name": "bob", "disabled": True}).json()["disabled"]
    assert browser.patch("/v1/accounts", json={"name": "carol", "disabled": True}).status_code == 404
    assert [account["name"] for account in browser.get("/v1/accounts").json()] == ["ada", "bob"]
    assert [action for _, action, subject in actions(access) if subject == "bob"] == [
        "account.create",
        "account.role",
        "account.disable",
    ]


@one_database
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"name": "k", "scope": "admin"}),
        ("DELETE", "/v1/keys?id=0", None),
        ("GET", "/v1/accounts", None),
        ("POST", "/v1/accounts", {"name": "eve", "password": PASSWORD, "role": "admin"}),
        ("GET", "/v1/audit", None),
    ],
)
def test_only_an_admin_decides_who_is_let_in(access: Access, method: str, path: str, body: object) -> None:
    keys = [access.keys.create(ROOT, "k", "operator").key, access.keys.create(ROOT, "k", "user", "u").key]
    for program in (client(access, X_API_Key=key) for key in keys):
        assert program.request(method, path, json=body).status_code == 403
    assert client(access).request(method, path, json=body).status_code == 401
    assert signed_in(access, role="operator").request(method, path, json=body).status_code == 403
    assert len(access.accounts.all()) == 1 and len(access.keys.all()) == 2


def test_half_a_surrogate_pair_is_no_password_and_no_name(ada: Access) -> None:
    for body in (r'{"name": "ada", "password": "\ud800"}', r'{"name": "\ud800", "password": "x"}'):
        answer = client(ada, HERE).post("/login", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()) == (422, {"detail": ["string_unicode"]})
