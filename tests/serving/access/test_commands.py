"""`recbole-llmfb keys` and `accounts`, as a shell runs them."""

import io
import json
from pathlib import Path

import pytest
from access_service import PASSWORD, Make, actions, client, one_database
from sqlalchemy import text

from recbole_llmfb.cli import main
from recbole_llmfb.cli.options import DATABASE
from recbole_llmfb.serving.access import Access


class Shell:
    """Runs commands against one database. `json` reads what was printed."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self._capsys, self._monkeypatch = url, capsys, monkeypatch

    def run(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        """Exit code, output, error output."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--database", self.url])
        return (int(ended.value.code or 0), *self._capsys.readouterr())

    def json(self, *arguments: str, typed: str = "") -> object:
        code, output, _ = self.run(*arguments, "--json", typed=typed)
        assert code == 0
        return json.loads(output)


@pytest.fixture
def shell(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(url, capsys, monkeypatch)


def test_a_key_is_printed_once_and_opens_the_service(shell: Shell, access: Access) -> None:
    code, output, told = shell.run("keys", "create", "nightly export", "--scope", "admin")
    key = output.strip()
    assert code == 0 and key.startswith("llmfb_") and "once" in told and key not in told
    assert client(access, X_API_Key=key).get("/v1/me").json()["scope"] == "admin"
    listed = shell.run("keys", "list")[1]
    assert "nightly export" in listed and key.split("_")[1] in listed and key.split("_", 2)[2] not in listed
    with access.database.engine.connect() as connection:
        assert key.split("_", 2)[2] not in str(connection.execute(text("SELECT * FROM api_key")).all())


def test_a_key_is_revoked_by_its_id(shell: Shell, access: Access) -> None:
    made = shell.json("keys", "create", "program", "--scope", "user", "--user", "u 1\t[bold]")
    assert isinstance(made, dict) and made["user"] == "u 1\t[bold]"
    assert shell.run("keys", "revoke", made["id"])[0] == 0
    assert client(access, X_API_Key=made["key"]).get("/v1/me").status_code == 401
    assert [(actor, action) for actor, action, _ in actions(access)] == [
        ("command-line", "key.create"),
        ("command-line", "key.revoke"),
    ]


def test_an_account_is_made_signs_in_and_is_disabled(shell: Shell, access: Access) -> None:
    assert shell.json("accounts", "create", "ada", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")

    def login(password: str) -> int:
        return client(access).post("/login", json={"name": "ada", "password": password}).status_code

    assert login(PASSWORD) == 200
    assert shell.run("accounts", "password", "ada", "--password-stdin", typed="another long password\n")[0] == 0
    assert [login(password) for password in (PASSWORD, "another long password")] == [401, 200]
    assert shell.run("accounts", "disable", "ada")[0] == 0
    assert login("another long password") == 401
    assert shell.run("accounts", "enable", "ada")[0] == 0
    assert login("another long password") == 200
    assert "ada" in shell.run("accounts", "list")[1]


@one_database
@pytest.mark.parametrize(
    ("arguments", "typed", "code", "problem"),
    [
        (("keys", "create", "k", "--scope", "root"), "", 2, "--scope 'root': choose user, operator, admin"),
        (("keys", "create", "k", "--scope", "user"), "", 2, "the scope `user` names its user"),
        (("keys", "create", "k", "--user", "u"), "", 2, "the scope `user` names its user"),
        (("keys", "create", ""), "", 2, "at least 1 character"),
        (("keys", "revoke", "nosuchkey"), "", 1, "no key has the id 'nosuchkey'"),
        (("accounts", "create", "ada", "--role", "user", "--password-stdin"), PASSWORD, 2, "choose operator, admin"),
        (("accounts", "create", "ada", "--password-stdin"), "short\n", 2, "at least 12 characters"),
        (("accounts", "create", "ada"), "", 2, "--password-stdin"),
        (("accounts", "disable", "nobody"), "", 1, "no account is named 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    shell: Shell, arguments: tuple[str, ...], typed: str, code: int, problem: str
) -> None:
    ended, output, told = shell.run(*arguments, typed=typed)
    assert (ended, output) == (code, "")
    assert problem in told and told.count("\n") == 1 and "Traceback" not in told


def test_without_a_database_that_of_the_service_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["keys", "list"])
    assert ended.value.code == 0 and DATABASE.endswith("/feedback.db") and (tmp_path / "feedback.db").exists()


def test_both_see_one_database(shell: Shell, make_access: Make) -> None:
    shell.run("keys", "create", "k")
    assert make_access().first_start.is_over()
