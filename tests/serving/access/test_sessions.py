"""The console's sessions: when one begins, what its cookie is, and how it ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from access_service import HERE, PASSWORD, ROOT, THERE, Clock, Make, actions, client, one_database, signed_in
from httpx import Response
from sqlalchemy import text

from recbole_llmfb.errors import AccessError, UsageError
from recbole_llmfb.serving.access import Access

OWN = {"Sec-Fetch-Site": "same-origin"}


def login(access: Access, name: str = "ada", password: str = PASSWORD, base: str = HERE, **headers: str) -> Response:
    return client(access, base, **headers).post("/login", json={"name": name, "password": password})


@pytest.fixture
def ada(access: Access) -> Access:
    access.accounts.create(ROOT, "ada", PASSWORD, "admin")
    return access


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_off_this_machine_from_plain_http(ada: Access) -> None:
    here, there = (login(ada, base=base).headers["set-cookie"] for base in (HERE, THERE))
    for cookie in (here, there):
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie and "Domain" not in cookie
    assert here.startswith("llmfb_session=") and "Secure" not in here
    assert there.startswith("__Host-llmfb_session=") and "Secure" in there


@one_database
def test_the_cookie_is_secure_behind_a_proxy_that_took_https_off(ada: Access) -> None:
    assert "Secure" in login(ada, base="http://console.example").headers["set-cookie"]


def test_a_session_is_its_accounts(access: Access) -> None:
    assert signed_in(access, "ada").get("/v1/me").json() == {"name": "account:ada", "scope": "admin", "user": None}
    assert signed_in(access, "bob", role="operator").get("/v1/me").json()["scope"] == "operator"


def test_the_token_is_in_no_table(access: Access) -> None:
    token = signed_in(access).cookies["llmfb_session"]
    with access.database.engine.connect() as connection:
        for table in ("session", "account", "audit"):
            assert token not in str(connection.execute(text(f"SELECT * FROM {table}")).all())


@one_database
@pytest.mark.parametrize("forged", ["", "x", "A" * 43, "../../etc", "é"])
def test_a_forged_cookie_is_refused_and_taken_away(ada: Access, forged: str) -> None:
    answer = client(ada).get("/v1/me", headers=[(b"cookie", f"llmfb_session={forged}".encode("latin-1"))])  # type: ignore[list-item]
    assert answer.status_code == 401
    assert 'llmfb_session=""' in answer.headers["set-cookie"] and "Max-Age=0" in answer.headers["set-cookie"]


def test_the_stored_hash_is_no_cookie(access: Access) -> None:
    browser = signed_in(access)
    with access.database.engine.connect() as connection:
        stored = connection.execute(text("SELECT id FROM session")).scalar_one()
    browser.cookies.clear()
    assert browser.get("/v1/me", headers={"Cookie": f"llmfb_session={stored}"}).status_code == 401


def test_the_cookie_of_this_machine_is_none_elsewhere(access: Access) -> None:
    token = signed_in(access).cookies["llmfb_session"]
    elsewhere = client(access, THERE)
    assert elsewhere.get("/v1/me", headers={"Cookie": f"llmfb_session={token}"}).status_code == 401
    assert elsewhere.get("/v1/me", headers={"Cookie": f"__Host-llmfb_session={token}"}).status_code == 200


def test_a_session_ends_after_a_time_without_requests(access: Access, clock: Clock) -> None:
    browser = signed_in(access)
    for _ in range(4):
        clock.forward(minutes=110)
        assert browser.get("/v1/me").status_code == 200
    clock.forward(minutes=121)
    assert browser.get("/v1/me").status_code == 401


def test_a_session_ends_in_any_case(access: Access, clock: Clock) -> None:
    browser = signed_in(access)
    for _ in range(7):
        clock.forward(minutes=100)
        assert browser.get("/v1/me").status_code == 200
    clock.forward(minutes=21)
    assert browser.get("/v1/me").status_code == 401


def test_a_clock_that_goes_back_ends_no_session(access: Access, clock: Clock) -> None:
    browser = signed_in(access)
    clock.forward(hours=-2)
    assert browser.get("/v1/me").status_code == 200


def test_sessions_that_are_over_are_swept_out(access: Access, clock: Clock) -> None:
    signed_in(access)
    clock.forward(hours=13)
    login(access)
    with access.database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM session")).scalar_one() == 1


def test_logout_ends_the_session_and_not_only_the_cookie(access: Access) -> None:
    browser = signed_in(access)
    token = browser.cookies["llmfb_session"]
    assert browser.post("/logout").status_code == 204
    assert "llmfb_session" not in browser.cookies
    assert client(access).get("/v1/me", headers={"Cookie": f"llmfb_session={token}"}).status_code == 401


def test_a_disabled_account_is_signed_out_and_cannot_sign_in(access: Access, make_access: Make) -> None:
    browser = signed_in(access)
    make_access().accounts.change(ROOT, "ada", disabled=True)
    assert browser.get("/v1/me").status_code == 401
    assert login(access).status_code == 401
    access.accounts.change(ROOT, "ada", disabled=False)
    assert browser.get("/v1/me").status_code == 401, "what was ended stays so"
    assert login(access).status_code == 200


def test_a_changed_password_ends_every_session_of_the_account_and_no_other(access: Access) -> None:
    ada, bob = signed_in(access, "ada"), signed_in(access, "bob")
    access.accounts.change(ROOT, "ada", password="another long password")
    assert (ada.get("/v1/me").status_code, bob.get("/v1/me").status_code) == (401, 200)
    assert login(access).status_code == 401
    assert login(access, password="another long password").status_code == 200


def test_a_changed_role_counts_from_the_next_request_on(access: Access) -> None:
    browser = signed_in(access)
    access.accounts.change(ROOT, "ada", role="operator")
    assert browser.get("/v1/keys").status_code == 403


def test_signing_in_again_gives_another_token_and_ends_the_session_before(access: Access) -> None:
    browser = signed_in(access)
    before = browser.cookies["llmfb_session"]
    assert browser.post("/login", json={"name": "ada", "password": PASSWORD}).status_code == 200
    assert browser.cookies["llmfb_session"] != before
    assert client(access).get("/v1/me", headers={"Cookie": f"llmfb_session={before}"}).status_code == 401


# -- pages of other sites


@one_database
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://console.example"},
        {"Origin": "https://console.example:8443"},
        {"Origin": "https://console.example.attacker.example"},
        {"Origin": "https://console.example/"},
        {"Origin": "https://ada@console.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": THERE},
    ],
)
def test_a_cookie_changes_nothing_on_behalf_of_another_page(access: Access, headers: dict[str, str]) -> None:
    browser = signed_in(access, base=THERE)
    del browser.headers["origin"]
    assert browser.get("/v1/words?user=u", headers=headers).status_code == 200
    assert browser.post("/v1/words?user=u", headers=headers).status_code == 403
    assert browser.delete("/v1/keys?id=x", headers=headers).status_code == 403
    assert browser.post("/logout", headers=headers).status_code == 403


@one_database
@pytest.mark.parametrize("headers", [{"Origin": THERE}, {"Origin": f"{THERE}:443"}, OWN, {**OWN, "Origin": THERE}])
def test_a_cookie_changes_things_on_behalf_of_the_services_page(access: Access, headers: dict[str, str]) -> None:
    browser = signed_in(access, base=THERE)
    del browser.headers["origin"]
    assert browser.post("/v1/words?user=u", headers=headers).status_code == 200


@one_database
def test_a_page_of_another_site_cannot_sign_anybody_in(ada: Access) -> None:
    assert login(ada, Origin="https://attacker.example").status_code == 403
    assert login(ada, Sec_Fetch_Site="cross-site").status_code == 403
    assert login(ada).status_code == 200, "a program says nothing of pages"


@one_database
def test_a_proxy_that_changes_the_host_is_named_in_the_settings(make_access: Make) -> None:
    behind = make_access(origins=["https://public.example"])
    browser = signed_in(behind, base=THERE)
    del browser.headers["origin"]
    assert browser.post("/v1/words?user=u", headers={"Origin": "https://public.example"}).status_code == 200
    assert browser.post("/v1/words?user=u", headers={"Origin": "https://other.example"}).status_code == 403


@one_database
def test_a_web_socket_opens_to_the_services_page_alone(access: Access) -> None:
    browser = signed_in(access)
    for origin, answer in [(HERE, "account:ada"), ("https://attacker.example", "403"), ("http://127.0.0.1:3000", "403")]:
        with browser.websocket_connect("ws://127.0.0.1:8000/stream", headers={"Origin": origin}) as socket:
            assert socket.receive_text() == answer


# -- the link of the first start


def test_the_link_of_the_first_start_opens_the_console_once(access: Access) -> None:
    link, browser = access.first_start.new_link(), client(access, Origin=HERE)
    answer = browser.get("/login/link", params={"token": link})
    assert (answer.status_code, answer.headers["location"], answer.headers["cache-control"]) == (303, "/", "no-store")
    assert browser.get("/v1/me").json() == {"name": "first-start", "scope": "admin", "user": None}
    assert client(access).get("/login/link", params={"token": link}).status_code == 403
    made = browser.post("/v1/accounts", json={"name": "ada", "password": PASSWORD, "role": "admin"})
    assert made.status_code == 201
    assert list(actions(access)) == [
        ("first-start", "link.create", "first-start"),
        ("first-start", "login", "first-start"),
        ("first-start", "account.create", "ada"),
    ]


def test_a_link_that_several_follow_at_once_opens_for_one(access: Access) -> None:
    link = access.first_start.new_link()

    def follow(_: int) -> bool:
        try:
            return bool(access.first_start.follow(link))
        except AccessError:
            return False

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(follow, range(4))) == 1


def test_the_link_opens_on_this_machine_alone(access: Access) -> None:
    link = access.first_start.new_link()
    for stranger in (client(access, peer="10.0.0.1"), client(access, THERE), client(access, X_Forwarded_For="10.0.0.1")):
        assert stranger.get("/login/link", params={"token": link}).status_code == 403
    assert client(access).get("/login/link", params={"token": link}).status_code == 303


def test_the_link_ends_after_an_hour_with_a_newer_one_and_with_the_first_account(access: Access, clock: Clock) -> None:
    old, new = access.first_start.new_link(), access.first_start.new_link()
    with pytest.raises(AccessError, match="too old"):
        access.first_start.follow(old)
    clock.forward(minutes=61)
    with pytest.raises(AccessError, match="too old"):
        access.first_start.follow(new)
    last = access.first_start.new_link()
    access.accounts.create(ROOT, "ada", PASSWORD, "admin")
    with pytest.raises(AccessError):
        access.first_start.follow(last)
    with pytest.raises(UsageError, match="first start is over"):
        access.first_start.new_link()
