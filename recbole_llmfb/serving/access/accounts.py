"""Accounts of those who sign in to the console. Passwords are hashed with argon2; a row is never removed, only disabled."""

import unicodedata
from datetime import datetime
from threading import BoundedSemaphore
from typing import Annotated, Literal
from uuid import uuid4

from pwdlib import PasswordHash
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.clock import Clock, optional_time, utc_now
from recbole_llmfb.serving.access.principal import Principal
from recbole_llmfb.serving.access.secret import new_secret
from recbole_llmfb.serving.access.words import Name
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import AccountRow, SessionRow

Role = Literal["operator", "admin"]
Password = Annotated[str, StringConstraints(max_length=1000)]  # to sign in with
NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=1000)]
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_NEW_PASSWORD: TypeAdapter[str] = TypeAdapter(NewPassword)
_AT_ONCE = 2  # a hash takes 64 MiB and most of a core


class Account(BaseModel):
    """What may be known of an account."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    created: datetime
    disabled: datetime | None


class Accounts:
    """The accounts of a database."""

    def __init__(self, database: Database, audit: Audit, clock: Clock = utc_now, passwords: PasswordHash | None = None) -> None:
        """passwords: how they are hashed; argon2id with its library's defaults unless told otherwise."""
        self._database, self._audit, self._clock = database, audit, clock
        self._passwords, self._turns = passwords or PasswordHash.recommended(), BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hash(new_secret())

    def create(self, by: Principal, name: str, password: str, role: Role) -> Account:
        """Make an account.

        Raises:
            AccessError: 409, there is one of that name.
            ValidationError: a name that no database can hold, a password of fewer than 12 characters.
        """
        name, password_hash = _NAME.validate_python(name), self._hash(_NEW_PASSWORD.validate_python(password))
        now = as_microseconds(self._clock())
        row = AccountRow(id=uuid4().hex, name=name, role=role, password_hash=password_hash, created_us=now)
        with self._database.writing() as session:
            if _find(session, name) is not None:
                raise AccessError(409, f"there is an account {name!r} already: choose another name")
            session.add(row)
            self._audit.record(session, by, "account.create", name, {"role": role})
            try:
                session.flush()
            except IntegrityError as error:  # another process was faster
                raise AccessError(409, f"there is an account {name!r} already: choose another name") from error
            return _account(row)

    def change(
        self, by: Principal, name: str, *, password: str | None = None, role: Role | None = None, disabled: bool | None = None
    ) -> Account:
        """Change what is given. Whoever is signed in with the account is signed out when it is disabled or its password changes.

        Raises:
            AccessError: 404, there is no such account.
            ValidationError: a password of fewer than 12 characters.
        """
        password_hash = None if password is None else self._hash(_NEW_PASSWORD.validate_python(password))
        with self._database.writing() as session:
            row = _find(session, name, for_update=True)
            if row is None:
                raise AccessError(404, f"no account is named {name[:100]!r}")
            if role is not None and role != row.role:
                row.role = role
                self._audit.record(session, by, "account.role", row.name, {"role": role})
            if password_hash is not None:
                row.password_hash = password_hash
                self._audit.record(session, by, "account.password", row.name)
            if disabled is not None and disabled != (row.disabled_us is not None):
                row.disabled_us = as_microseconds(self._clock()) if disabled else None
                self._audit.record(session, by, "account.disable" if disabled else "account.enable", row.name)
            if password_hash is not None or disabled:
                session.exec(delete(SessionRow).where(col(SessionRow.account) == row.id))
            session.add(row)
            return _account(row)

    def all(self) -> list[Account]:
        """All accounts, disabled ones too, by name."""
        with self._database.reading() as session:
            return [_account(row) for row in session.exec(select(AccountRow).order_by(col(AccountRow.name)))]

    def check(self, name: str, password: str) -> tuple[AccountRow | None, bool]:
        """The account of a name, and whether it may sign in with a password.

        A hash is compared whether there is an account or not, so that the time of the answer tells nobody which names there are.
        """
        with self._database.reading() as session:
            row = _find(session, name)
        with self._turns:
            is_right = self._passwords.verify(_normal(password), row.password_hash if row else self._nobodys)
        return row, is_right and row is not None and row.disabled_us is None

    def _hash(self, password: str) -> str:
        with self._turns:
            return self._passwords.hash(_normal(password))


def _find(session: Session, name: str, *, for_update: bool = False) -> AccountRow | None:
    if not name.isprintable():
        return None
    query = select(AccountRow).where(AccountRow.name == name)
    return session.exec(query.with_for_update() if for_update else query).first()


def _account(row: AccountRow) -> Account:
    fields = row.model_dump(include={"name", "role"})
    return Account(**fields, created=as_time(row.created_us), disabled=optional_time(row.disabled_us))


def _normal(password: str) -> str:
    """One form for what keyboards write in several."""
    return unicodedata.normalize("NFC", password)
