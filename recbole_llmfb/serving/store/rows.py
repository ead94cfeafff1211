"""Rows of the tables as what they stand for, and back."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Row

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Reading, Signal, Slate, Undo
from recbole_llmfb.serving.log import Entry, Shown
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store.tables import FeedbackRow, SignalRow
from recbole_llmfb.text.signals import Understood, Utterance


def as_entry(row: FeedbackRow | Row[Any]) -> Entry:
    time = as_time(row.time_us)
    if row.kind == "undo":
        return Entry(row.seq, Undo(user=row.user, undoes=str(row.undoes), time=time, id=row.id))
    said = Feedback(
        row.user, text=row.text, rating=row.rating, click=row.click, item=row.item, slate=row.slate, time=time, id=row.id
    )
    return Entry(row.seq, said)


def feedback_row(record: Feedback | Undo, recorded_us: int) -> dict[str, Any]:
    """A record as it is stored, but for its `seq`. Raises UsageError as `storable` does."""
    empty = {"text": None, "rating": None, "click": False, "item": None, "slate": None, "undoes": None}
    times = {"time_us": as_microseconds(record.time), "recorded_us": recorded_us}
    return {**empty, **storable(record.model_dump(exclude={"time"})), **times, "kind": record.kind}


def slate_row(shown: Shown) -> dict[str, Any]:
    slate = shown.slate
    return {
        "id": slate.id,
        "user": slate.user,
        "bundle": slate.bundle,
        "since": shown.since,
        "seq": shown.seq,
        "answers": json.dumps(shown.answers),
        "k": shown.k,
        "exclude": json.dumps(shown.exclude),
        "diversity": shown.diversity,
        "explore": shown.explore,
        "shown_us": as_microseconds(slate.now),
        "body": slate.model_dump_json(),
    }


def as_shown(row: Row[Any]) -> Shown:
    answers, exclude = (tuple(json.loads(value)) for value in (row.answers, row.exclude))
    return Shown(Slate.model_validate_json(row.body), row.since, row.seq, answers, row.k, exclude, row.diversity, row.explore)


def reading_row(feedback: str, reader: str, utterance: Utterance) -> dict[str, Any]:
    """What a reader made of a feedback, beside its signals."""
    body = utterance.reading.model_dump_json(exclude={"text", "signals"})
    return {"feedback": feedback, "reader": reader, "body": body}


def as_utterance(body: str, signals: Sequence[SignalRow | Row[Any]], text: str) -> Utterance:
    """body: of the row of the reading. signals: in the order of their positions. text: the feedback's words."""
    understood = tuple(as_understood(row, text) for row in signals)
    told = json.loads(body)
    return Utterance(Reading(text=text, signals=tuple(one.signal for one in understood), **told), understood)


def signal_rows(feedback: str, reader: str, utterance: Utterance) -> list[dict[str, Any]]:
    return [_signal_row(feedback, reader, position, one) for position, one in enumerate(utterance.understood)]


def _signal_row(feedback: str, reader: str, position: int, one: Understood) -> dict[str, Any]:
    signal = one.signal
    return {
        "feedback": feedback,
        "reader": reader,
        "position": position,
        "start": signal.span[0],
        "end": signal.span[1],
        "kind": signal.kind,
        "polarity": signal.polarity,
        "strength": signal.strength,
        "aspect": signal.aspect,
        "item": signal.item,
        "items": json.dumps(one.items),
        "aspects": _floats(one.aspects),
        "vector": _floats(one.vector),
    }


def as_understood(row: SignalRow | Row[Any], text: str) -> Understood:
    signal = Signal(
        span=(row.start, row.end),
        text=text[row.start : row.end],
        kind=row.kind,  # type: ignore[arg-type]  # it was one when it was stored
        polarity=row.polarity,
        strength=row.strength,
        aspect=row.aspect,
        item=row.item,
    )
    return Understood(signal, _tensor(row.aspects), tuple(json.loads(row.items)), _tensor(row.vector))


def _floats(tensor: torch.Tensor) -> bytes:
    """Little-endian float32, whatever the machine."""
    values: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return values.astype("<f4").tobytes()


def _tensor(stored: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(stored, dtype="<f4").astype(np.float32))


def storable(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, if every database can hold them.

    Raises:
        UsageError: a text with a NUL character, for which PostgreSQL has no place.
    """
    for name, value in fields.items():
        if isinstance(value, str) and "\0" in value:
            raise UsageError(f"{name}={value[:80]!r} holds a NUL character, which no database takes: leave it out")
    return fields
