"""The audit: complete, in order, page by page, and without what users say."""

import pytest
from access_service import ROOT, Clock, actions, client, one_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.access import Access, Principal

ADA = Principal("account:ada", "admin")


def record(access: Access, *names: str, by: Principal = ADA, action: str = "user.export") -> None:
    for name in names:
        with access.database.writing() as session:
            access.audit.record(session, by, action, name, {"feedbacks": 3})


def test_an_entry_says_who_did_what_to_what_and_when(access: Access, clock: Clock) -> None:
    record(access, "u1")
    with access.database.reading() as session:
        (entry,) = access.audit.page(session).entries
    assert (entry.actor, entry.action, entry.subject, entry.detail) == ("account:ada", "user.export", "u1", {"feedbacks": 3})
    assert entry.time == clock.now


def test_an_entry_is_stored_with_the_change_or_not_at_all(access: Access) -> None:
    with pytest.raises(ZeroDivisionError), access.database.writing() as session:
        access.audit.record(session, ADA, "bundle.switch", "v1")
        raise ZeroDivisionError
    assert list(actions(access)) == []


@one_database
def test_a_text_is_no_fact(access: Access) -> None:
    with access.database.writing() as session, pytest.raises(UsageError, match="words has 201 characters"):
        access.audit.record(session, ADA, "user.erase", "hash", {"words": "x" * 201})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(st.lists(st.integers(-2, 2), max_size=12), st.integers(1, 5))
def test_pages_hold_every_entry_once_even_when_clocks_go_back(access: Access, clock: Clock, steps: list[int], limit: int) -> None:
    for step in steps:
        clock.forward(microseconds=step)
        record(access, "u")
    with access.database.reading() as session:
        whole = access.audit.page(session, limit=500).entries
        pages, before = [], None
        while True:
            page = access.audit.page(session, limit=limit, before=before)
            pages += page.entries
            before = page.before
            if before is None:
                break
            assert len(page.entries) == limit
    assert pages == whole
    assert [entry.time for entry in whole] == sorted((entry.time for entry in whole), reverse=True)


def test_entries_of_an_actor_or_of_an_action_can_be_asked_for(access: Access) -> None:
    record(access, "a", "b")
    record(access, "c", by=ROOT)
    record(access, "d", action="user.erase")
    program = client(access, X_API_Key=access.keys.create(ROOT, "k", "admin").key)

    def subjects(**params: str) -> set[str]:
        return {entry["subject"] for entry in program.get("/v1/audit", params=params).json()["entries"]}

    assert subjects(actor="account:ada") == {"a", "b", "d"}
    assert subjects(actor="account:ada", action="user.erase") == {"d"}
    assert subjects(actor="nobody") == set()


@one_database
@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "501"}, {"actor": "a\0"}, {"limit": "x"}])
def test_a_page_that_cannot_be_is_refused(access: Access, params: dict[str, str]) -> None:
    program = client(access, X_API_Key=access.keys.create(ROOT, "k", "admin").key)
    assert program.get("/v1/audit", params=params).status_code == 422


@one_database
@pytest.mark.parametrize("before", ["", "x", "1", "1-", "-1", "9" * 30 + "-a", "1-a'; DROP TABLE audit", "1-\0", "²-a"])
def test_a_place_that_no_page_named_is_refused(access: Access, before: str) -> None:
    with access.database.reading() as session, pytest.raises(UsageError, match="before="):
        access.audit.page(session, before=before)


def test_keys_leave_their_marks(access: Access) -> None:
    admin = access.keys.create(ROOT, "k", "admin")
    program = client(access, X_API_Key=admin.key)
    made = program.post("/v1/keys", json={"name": "for u1", "scope": "user", "user": "u1"})
    assert made.status_code == 201 and made.headers["cache-control"] == "no-store"
    key_id, key = made.json()["id"], made.json()["key"]
    assert client(access, X_API_Key=key).get("/v1/me").json()["user"] == "u1"
    for _ in range(2):
        assert program.delete("/v1/keys", params={"id": key_id}).json()["revoked"]
    assert program.delete("/v1/keys", params={"id": "0" * 16}).status_code == 404
    assert program.delete("/v1/keys", params={"id": "\0"}).status_code == 404
    by = f"key:{admin.id}"
    assert list(actions(access))[1:] == [(by, "key.create", key_id), (by, "key.revoke", key_id)]
    listed = program.get("/v1/keys").text
    assert key_id in listed and key not in listed and "hash" not in listed
