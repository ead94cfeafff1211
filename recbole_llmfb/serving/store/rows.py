"""Rows of the tables as what they stand for, and back."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Reading, Signal, Undo
from recbole_llmfb.serving.log import Entry
from recbole_llmfb.serving.store.tables import FeedbackRow, ReadingRow, SignalRow
from recbole_llmfb.text.signals import Understood, Utterance

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def as_entry(row: FeedbackRow) -> Entry:
    time = as_time(row.time_us)
    if row.kind == "undo":
        return Entry(row.seq, Undo(user=row.user, undoes=str(row.undoes), time=time, id=row.id))
    said = Feedback(
        row.user, text=row.text, rating=row.rating, click=row.click, item=row.item, slate=row.slate, time=time, id=row.id
    )
    return Entry(row.seq, said)


def reading_rows(feedback: str, reader: str, utterance: Utterance) -> list[ReadingRow | SignalRow]:
    """What a reader made of a feedback."""
    body = utterance.reading.model_dump_json(exclude={"text", "signals"})
    signals = [_signal_row(feedback, reader, place, one) for place, one in enumerate(utterance.understood)]
    return [ReadingRow(feedback=feedback, reader=reader, body=body), *signals]


def as_utterance(reading: ReadingRow, signals: Sequence[SignalRow], text: str) -> Utterance:
    """signals: in the order of their positions. text: the feedback's words."""
    understood = tuple(as_understood(row, text) for row in signals)
    told = json.loads(reading.body)
    return Utterance(Reading(text=text, signals=tuple(one.signal for one in understood), **told), understood)


def _signal_row(feedback: str, reader: str, position: int, one: Understood) -> SignalRow:
    signal = one.signal
    return SignalRow(
        feedback=feedback,
        reader=reader,
        position=position,
        start=signal.span[0],
        end=signal.span[1],
        kind=signal.kind,
        polarity=signal.polarity,
        strength=signal.strength,
        aspect=signal.aspect,
        item=signal.item,
        items=json.dumps(one.items),
        aspects=_floats(one.aspects),
        vector=_floats(one.vector),
    )


def as_understood(row: SignalRow, text: str) -> Understood:
    fields = row.model_dump(include={"kind", "polarity", "strength", "aspect", "item"})
    signal = Signal(span=(row.start, row.end), text=text[row.start : row.end], **fields)
    return Understood(signal, _tensor(row.aspects), tuple(json.loads(row.items)), _tensor(row.vector))


def _floats(tensor: torch.Tensor) -> bytes:
    """Little-endian float32, whatever the machine."""
    values: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return values.astype("<f4").tobytes()


def _tensor(stored: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(stored, dtype="<f4").astype(np.float32))


def as_microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def as_time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def storable(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, if every database can hold them.

    Raises:
        UsageError: a text with a NUL character, for which PostgreSQL has no place.
    """
    for name, value in fields.items():
        if isinstance(value, str) and "\0" in value:
            raise UsageError(f"{name}={value[:80]!r} holds a NUL character, which no database takes: leave it out")
    return fields
