"""API keys: `llmfb_<id>_<secret>`. The id names the key in lists and in the audit; of the whole only a hash is stored."""

import re
from datetime import datetime
from secrets import token_hex

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlmodel import col, select

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.clock import Clock, optional_time, utc_now
from recbole_llmfb.serving.access.principal import Principal, Scope
from recbole_llmfb.serving.access.secret import hashed, is_hash_of, new_secret
from recbole_llmfb.serving.access.words import Name, UserId
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import ApiKeyRow

PREFIX = "llmfb_"
_KEY = re.compile(r"llmfb_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_USER: TypeAdapter[str | None] = TypeAdapter(UserId | None)
_NOBODYS = hashed("")


class Key(BaseModel):
    """What may be known of a key. user: with the scope `user`, the only user that it reaches."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    scope: Scope
    user: str | None
    created: datetime
    revoked: datetime | None


class NewKey(Key):
    """A key with its secret, which is shown this once."""

    key: str


class Keys:
    """The keys of a database."""

    def __init__(self, database: Database, audit: Audit, clock: Clock = utc_now) -> None:
        self._database, self._audit, self._clock = database, audit, clock

    def create(self, by: Principal, name: str, scope: Scope, user: str | None = None) -> NewKey:
        """Make a key.

        Raises:
            UsageError: the scope `user` without a user, or another one with it.
            ValidationError: a name or a user that no database can hold.
        """
        name, user, key_id = _NAME.validate_python(name), _USER.validate_python(user), token_hex(8)
        made, key = Principal(f"key:{key_id}", scope, user), f"{PREFIX}{key_id}_{new_secret()}"
        row = ApiKeyRow(
            id=key_id, hash=hashed(key), name=name, scope=made.scope, user=user, created_us=as_microseconds(self._clock())
        )
        with self._database.writing() as session:
            session.add(row)
            self._audit.record(session, by, "key.create", key_id, {"scope": scope})
            return NewKey(**_key(row).model_dump(), key=key)

    def revoke(self, by: Principal, key_id: str) -> Key:
        """Let a key in no more, from the next request on. Revoking it again changes nothing.

        Raises:
            AccessError: 404, there is no such key.
        """
        with self._database.writing() as session:
            row = session.get(ApiKeyRow, key_id) if key_id.isalnum() else None
            if row is None:
                raise AccessError(404, f"no key has the id {key_id[:80]!r}: `keys list` names those that are there")
            if row.revoked_us is None:
                row.revoked_us = as_microseconds(self._clock())
                session.add(row)
                self._audit.record(session, by, "key.revoke", key_id)
            return _key(row)

    def all(self) -> list[Key]:
        """All keys, revoked ones too, in the order in which they were made."""
        with self._database.reading() as session:
            return [_key(row) for row in session.exec(select(ApiKeyRow).order_by(col(ApiKeyRow.created_us), col(ApiKeyRow.id)))]

    def principal(self, key: str) -> Principal | None:
        """Whom a key lets in; None for one that is unknown, wrong or revoked."""
        shape = _KEY.fullmatch(key)
        if shape is None:
            return None
        with self._database.reading() as session:
            row = session.get(ApiKeyRow, shape[1])
            is_right = is_hash_of(row.hash if row else _NOBODYS, key)
            if row is None or not is_right or row.revoked_us is not None:
                return None
            return Principal(f"key:{row.id}", _key(row).scope, row.user)


def _key(row: ApiKeyRow) -> Key:
    fields = row.model_dump(include={"id", "name", "scope", "user"})
    return Key(**fields, created=as_time(row.created_us), revoked=optional_time(row.revoked_us))
