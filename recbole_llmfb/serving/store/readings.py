"""What readers made of users' words: derived from the log, and kept so that a text is encoded once."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Row

from recbole_llmfb.ranking.preference import MAX_EVENTS
from recbole_llmfb.serving.log import Read
from recbole_llmfb.serving.store.rows import as_utterance, reading_row, signal_rows
from recbole_llmfb.serving.store.statements import READINGS, SIGNALS, add_where_missing
from recbole_llmfb.text.signals import Utterance

_ADD = {
    name: (add_where_missing("reading", is_sqlite=name == "sqlite"), add_where_missing("signal", is_sqlite=name == "sqlite"))
    for name in ("sqlite", "postgresql")
}


def add_readings(connection: Connection, read: Read) -> None:
    """Keep what was understood of feedback that is there; what is kept already stays as it is."""
    add_reading, add_signal = _ADD[connection.dialect.name]
    names = sorted(read.utterances)  # in one order, so that processes do not wait for each other in a circle
    readings = [reading_row(name, read.reader, read.utterances[name]) for name in names]
    signals = [row for name in names for row in signal_rows(name, read.reader, read.utterances[name])]
    if readings:
        connection.execute(add_reading, readings)
    if signals:
        connection.execute(add_signal, signals)


def find_readings(connection: Connection, reader: str, feedback: Sequence[str]) -> Mapping[str, Utterance]:
    """What was kept of feedback, by its id."""
    found: dict[str, Utterance] = {}
    for some in in_parts(feedback):
        asked = {"names": some, "reader": reader}
        readings = connection.execute(READINGS, asked).all()
        rows: dict[str, list[Row[tuple[object, ...]]]] = {}
        for row in connection.execute(SIGNALS, asked) if readings else ():
            rows.setdefault(row.feedback, []).append(row)
        found |= {one.feedback: as_utterance(one.body, rows.get(one.feedback, ()), one.text or "") for one in readings}
    return found


def in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names in parts that one query takes."""
    yield from (names[start : start + MAX_EVENTS] for start in range(0, len(names), MAX_EVENTS))
