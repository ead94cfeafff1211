"""The statements of the log, built once: to build one for every question takes longer than a database takes to answer it."""

from sqlalchemy import BindParameter, Executable, bindparam, exists, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from recbole_llmfb.serving.store.tables import Table

END = 2**31 - 1  # no `seq` is larger, and no answer has more rows

_tables = Table.metadata.tables
_feedback, _reading, _signal, _slate = (_tables[name] for name in ("feedback", "reading", "signal", "slate"))
_secret, _tombstone = _tables["secret"], _tables["tombstone"]

_names: BindParameter[str] = bindparam("names", expanding=True)
_of_user = _feedback.c.user == bindparam("user")
_upto = _feedback.c.seq <= bindparam("upto")
_undo = _feedback.alias("undo")
_undone = exists().where(_undo.c.undoes == _feedback.c.id, _undo.c.seq <= bindparam("upto"))
_in_order = _feedback.c.seq
_at_most: BindParameter[int] = bindparam("at_most")

FEEDBACK = select(_feedback).where(_feedback.c.id == bindparam("id"))
FEEDBACK_OF_NAMES = select(_feedback).where(_feedback.c.id.in_(_names), _feedback.c.kind != "undo")
ENTRY = select(_feedback.c.id).where(_of_user, _feedback.c.seq == bindparam("seq"))
ENTRIES = select(_feedback).where(_of_user, _feedback.c.seq > bindparam("after"), _upto).order_by(_in_order).limit(_at_most)
LAST = select(func.max(_feedback.c.seq)).where(_of_user, _upto)
STANDING = (
    select(_feedback).where(_of_user, _upto, _feedback.c.kind != "undo", ~_undone).order_by(_in_order.desc()).limit(_at_most)
)
ADD_FEEDBACK = insert(_feedback)
SLATE = select(_slate).where(_slate.c.id == bindparam("id"))
ADD_SLATE = insert(_slate)

READINGS = (
    select(_reading.c.feedback, _reading.c.body, _feedback.c.text)
    .join(_feedback, _feedback.c.id == _reading.c.feedback)
    .where(_reading.c.feedback.in_(_names), _reading.c.reader == bindparam("reader"))
)
SIGNALS = (
    select(_signal)
    .where(_signal.c.feedback.in_(_names), _signal.c.reader == bindparam("reader"))
    .order_by(_signal.c.feedback, _signal.c.position)
)
NAMES = select(_feedback.c.id).where(_feedback.c.id.in_(_names))

SECRET = select(_secret.c.value).where(_secret.c.name == bindparam("name"))
TOMBSTONE = select(_tombstone.c.seq).where(_tombstone.c.user_hash == bindparam("hash"))


def add_where_missing(table: str, *, is_sqlite: bool) -> Executable:
    """An insert that leaves a row of the same key as it is, also one that another process adds at the same moment."""
    into = sqlite.insert if is_sqlite else postgresql.insert
    return into(_tables[table]).on_conflict_do_nothing()
