"""The tables of the log, and of what a service keeps beside it.

`feedback` is append-only. `reading` and `signal` are derived from it and may be dropped at any time; `slate` holds what was shown
and what made it. Times are int64 microseconds since 1970, UTC. Ids are external ids and may hold any character but NUL, which
PostgreSQL has no place for.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, LargeBinary, MetaData, UniqueConstraint, false
from sqlmodel import Field, SQLModel

_NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Table(SQLModel):
    """A table of this store; its own metadata, so that other models in a process stay apart."""

    metadata = MetaData(naming_convention=_NAMES)


def _time(*, optional: bool = False) -> int:
    return Field(default=None, sa_type=BigInteger, nullable=optional)  # type: ignore[no-any-return]


class FeedbackRow(Table, table=True):
    """One thing that a user said or did, as it came; `seq` counts a user's rows in the order of their commits."""

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("user", "seq"),
        CheckConstraint("kind IN ('comment', 'rating', 'click', 'undo')", name="kind"),
        Index(None, "recorded_us"),
        Index(None, "undoes"),
    )

    id: str = Field(primary_key=True)
    user: str
    seq: int
    kind: str
    text: str | None = None
    rating: float | None = None
    click: bool = False
    item: str | None = None
    slate: str | None = None
    undoes: str | None = None
    time_us: int = _time()
    recorded_us: int = _time()


class ReadingRow(Table, table=True):
    """What a reader (a fingerprint) made of a feedback's words, beside its signals: `body` is JSON."""

    __tablename__ = "reading"

    feedback: str = Field(sa_column=Column(ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True))
    reader: str = Field(primary_key=True)
    body: str


class SignalRow(Table, table=True):
    """One signal of a reading. items: rows of the reader's catalogue (JSON); aspects (A,) and vector (D,): float32."""

    __tablename__ = "signal"

    feedback: str = Field(sa_column=Column(ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True))
    reader: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    start: int
    end: int
    kind: str
    polarity: float
    strength: float
    aspect: str | None = None
    item: str | None = None
    items: str
    aspects: bytes = Field(sa_type=LargeBinary)
    vector: bytes = Field(sa_type=LargeBinary)


class SlateRow(Table, table=True):
    """A slate as it was shown (`body`, JSON), and what made it; see `serving.log.Shown`."""

    __tablename__ = "slate"
    __table_args__ = (Index(None, "user", "shown_us"), Index(None, "shown_us"))

    id: str = Field(primary_key=True)
    user: str | None = None
    bundle: str
    since: int
    seq: int
    answers: str
    k: int
    exclude: str
    diversity: float
    explore: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    shown_us: int = _time()
    body: str


class ReviewRow(Table, table=True):
    """A feedback that is held back from training with the rest of its `burst` (the id of its first comment), or was."""

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("status IN ('held', 'released', 'rejected')", name="status"),
        Index(None, "burst"),
        Index(None, "status", "held_us"),
    )

    feedback: str = Field(sa_column=Column(ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True))
    burst: str
    status: str = "held"
    held_us: int = _time()
    decided_us: int | None = _time(optional=True)
    decided_by: str | None = None


class IdempotencyRow(Table, table=True):
    """The answer to a request that may come again."""

    __tablename__ = "idempotency"
    __table_args__ = (Index(None, "created_us"),)

    account: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_hash: str
    status: int | None = None
    answer: str | None = None
    created_us: int = _time()


class BundleRow(Table, table=True):
    """A version of a model (the name of its folder of versions), where it lies, and which version it was trained from.

    metrics: JSON. pruned_us: when its files were removed; the row stays, for what it once showed.
    """

    __tablename__ = "bundle"
    __table_args__ = (Index(None, "model"),)

    version: str = Field(primary_key=True)
    model: str = ""
    parent: str | None = None
    path: str
    metrics: str = "{}"
    created_us: int = _time()
    pruned_us: int | None = _time(optional=True)


class AliasRow(Table, table=True):
    """The version that a model's champion or challenger is."""

    __tablename__ = "alias"
    __table_args__ = (CheckConstraint("name IN ('champion', 'challenger')", name="name"),)

    model: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    version: str = Field(sa_column=Column(ForeignKey("bundle.version"), nullable=False))
    since_us: int = _time()


class ServedRow(Table, table=True):
    """From when to when a version was the champion; `position` counts a model's, `until_us` is None for the one that is now."""

    __tablename__ = "served"

    model: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    version: str = Field(sa_column=Column(ForeignKey("bundle.version"), nullable=False))
    how: str
    actor: str
    reason: str
    from_us: int = _time()
    until_us: int | None = _time(optional=True)


class JobRow(Table, table=True):
    """A training that somebody asked for, and how far it is; see `serving.jobs`.

    worker, lease_us: who runs it, and until when that holds without a sign of life. cancel_us: when somebody asked it to stop.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
        Index(None, "state"),
        Index(None, "created_us"),
    )

    id: str = Field(primary_key=True)
    model: str
    state: str = "queued"
    actor: str
    reason: str = ""
    step: str = ""
    share: float = 0.0
    log: str = ""
    tail: str = ""
    attempts: int = 0
    timeout_s: float
    worker: str | None = None
    process_group: int | None = None
    created_us: int = _time()
    sent_us: int | None = _time(optional=True)
    started_us: int | None = _time(optional=True)
    ended_us: int | None = _time(optional=True)
    lease_us: int | None = _time(optional=True)
    cancel_us: int | None = _time(optional=True)


class WorkerRow(Table, table=True):
    """A process that runs jobs of a model, and when it last gave a sign of life."""

    __tablename__ = "worker"

    name: str = Field(primary_key=True)
    model: str
    seen_us: int = _time()


class AccountRow(Table, table=True):
    """Somebody who signs in."""

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("role IN ('operator', 'admin')", name="role"),)

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    role: str
    password_hash: str
    created_us: int = _time()
    disabled_us: int | None = _time(optional=True)


class ApiKeyRow(Table, table=True):
    """A key of the service: its hash, what it may do, and for the scope `user` whose it is."""

    __tablename__ = "api_key"
    __table_args__ = (CheckConstraint("scope IN ('user', 'operator', 'admin')", name="scope"),)

    id: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    name: str
    scope: str
    user: str | None = None
    created_us: int = _time()
    revoked_us: int | None = _time(optional=True)


class SessionRow(Table, table=True):
    """A session of the console: `id` is the hash of its token. account: None for whoever followed the first start's link."""

    __tablename__ = "session"
    __table_args__ = (Index(None, "account"),)

    id: str = Field(primary_key=True)
    account: str | None = Field(default=None, sa_column=Column(ForeignKey("account.id", ondelete="CASCADE"), nullable=True))
    created_us: int = _time()
    seen_us: int = _time()


class LinkRow(Table, table=True):
    """The link that opens the console at its first start, once: `id` is the hash of its token."""

    __tablename__ = "link"

    id: str = Field(primary_key=True)
    created_us: int = _time()


class AuditRow(Table, table=True):
    """Who changed what, when. `detail` is JSON without users' words."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "time_us"),)

    id: str = Field(primary_key=True)
    time_us: int = _time()
    actor: str
    action: str
    subject: str
    detail: str = "{}"


class TombstoneRow(Table, table=True):
    """A keyed hash of a user who was erased, and the last `seq` that the user had."""

    __tablename__ = "tombstone"

    user_hash: str = Field(primary_key=True)
    seq: int
    time_us: int = _time()


class SecretRow(Table, table=True):
    """A random key that was made with the database, such as the one of the tombstones' hashes."""

    __tablename__ = "secret"

    name: str = Field(primary_key=True)
    value: bytes = Field(sa_type=LargeBinary)
