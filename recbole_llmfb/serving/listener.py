"""What a feedback means: its text read into signals, and all of it as an event that a preference state folds in."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.ranking.preference import MAX_EVENTS, Event, Wish, rated, rating_weight, said, with_talk
from recbole_llmfb.schema import NEUTRAL_RATING, Feedback
from recbole_llmfb.serving.batching import Batching
from recbole_llmfb.serving.catalogue import Catalogue
from recbole_llmfb.serving.log import Log
from recbole_llmfb.serving.observing import Observer, Unobserved, timed
from recbole_llmfb.text.encoder import Backend, Span
from recbole_llmfb.text.signals import Utterance
from recbole_llmfb.text.talk import as_talk

_SLATE_SHARE = 0.5  # what a rating of a list says about each of its items, beside a rating of the item itself


class Listener:
    """Reads feedback with a bundle's reader. What it understood is kept with the log, so that a text is encoded once.

    Texts of several threads that arrive together are encoded as one batch.
    """

    def __init__(
        self,
        bundle: Bundle,
        catalogue: Catalogue,
        log: Log,
        *,
        device: str = "cpu",
        encoder_backend: Backend | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.catalogue, self.log = catalogue, log
        self.observer = observer or Unobserved()
        self._reader = bundle.reader(device=device, backend=encoder_backend)
        self.fingerprint = _fingerprint(bundle, encoder_backend)
        self._like = (len(bundle.attributes), self._reader.encoder.width)
        self.hears_talk = bool(bundle.manifest.shape.get("talk"))
        self._encoding = Lock()  # padding is a setting of the tokenizer, so that two threads must not use it at once
        self._reading = Batching(self._read, waiting=self.observer.waiting)
        self._embedding = Batching(self._embed, waiting=self.observer.waiting)

    @timed("read")
    def read(self, texts: Sequence[str]) -> list[Utterance]:
        return self._reading(texts)

    @timed("read")
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors: (B, D)."""
        vectors = self._embedding(texts)
        return np.stack(vectors) if vectors else np.zeros((0, self._reader.encoder.width), dtype=np.float32)

    def _read(self, texts: Sequence[str]) -> list[Utterance]:
        with self._encoding:
            return self._reader.read(texts)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with self._encoding:
            vectors: NDArray[np.float32] = self._reader.encoder.embed(texts).numpy()
        return vectors

    def utterances(self, feedback: Sequence[Feedback], *, keep: bool = True, new: Collection[str] = ()) -> list[Utterance | None]:
        """What each feedback says, None for one without text.

        Args:
            keep: the feedback is in the log; it need not be read again. new: ids of feedback of which nothing is kept yet.
        """
        texts = {one.id: one.text for one in feedback if one.text is not None}
        known = [name for name in texts if name not in new]
        kept = self.log.utterances(self.fingerprint, known) if known else {}
        read = {name: one for name, one in kept.items() if one.reading.text == texts[name]}
        unread = [name for name in texts if name not in read]
        new = dict(zip(unread, self.read([texts[name] for name in unread]) if unread else (), strict=True))
        if new and keep:
            self.log.keep_utterances(self.fingerprint, new)
        read |= new
        return [read.get(one.id) for one in feedback]

    def event(
        self, feedback: Feedback, utterance: Utterance | None, *, learned: bool = False, without: Collection[Span] = ()
    ) -> Event:
        """What a feedback adds to its user's state. Items that the catalogue does not have are ignored.

        Args:
            learned: the bundle's histories hold its item already.
            without: ranges of the text; signals that touch one of them do not count.
        """
        time = feedback.time.timestamp()
        about = self.catalogue.rows([feedback.item] if feedback.item is not None else [])
        heard = [one for one in (utterance.understood if utterance else ()) if counts(one.signal.span, without)]
        wishes = [said(one, time=time, feedback=feedback.id) for one in heard]
        if feedback.rating is not None and rating_weight(feedback.rating):
            wishes += self._rating(feedback, feedback.rating, time)
        chosen = feedback.click or (feedback.rating is not None and feedback.rating > NEUTRAL_RATING)
        met = about if feedback.click or feedback.rating is not None or heard else ()
        named = (item for one in heard for item in one.items)
        return Event(
            feedback=feedback.id,
            time=time,
            items=about if chosen and not learned else (),
            wishes=tuple(wishes),
            known=tuple(dict.fromkeys((*met, *named))),
        )

    def with_talk(self, events: Sequence[Event], said: Sequence[Feedback], earlier: Sequence[Feedback] = ()) -> list[Event]:
        """The events of what was said, with all words until then as one more wish, where the bundle hears whole talks.

        Args:
            said: the feedback of each event. earlier: what the user said before, oldest first; of all the latest 500 count.
        """
        if not self.hears_talk:
            return list(events)

        def vector(place: int) -> torch.Tensor:
            counted = [*earlier, *said[: place + 1]][-MAX_EVENTS:]
            texts = [one.text for one in counted if one.text is not None]
            return torch.from_numpy(self.embed([as_talk(texts)])[0])

        return with_talk(events, vector)

    def _rating(self, feedback: Feedback, rating: float, time: float) -> list[Wish]:
        """The wish that a rating of an item, or of all items of a slate, is."""
        rows = self.catalogue.rows([feedback.item] if feedback.item is not None else self.slate_items(feedback))
        if not rows:
            return []
        wish = rated(rows, rating, self._like, time=time, feedback=feedback.id)
        return [wish if feedback.item is not None else replace(wish, weight=_SLATE_SHARE * wish.weight)]

    def slate_items(self, feedback: Feedback) -> tuple[str, ...]:
        """Ids on the slate that the feedback is about; none for a slate that its user was not shown."""
        shown = self.log.slate(feedback.slate) if feedback.slate is not None else None
        if shown is None or shown.slate.user != feedback.user:
            return ()
        return tuple(place.item for place in shown.slate.items)

    def unknown(self, feedback: Sequence[Feedback]) -> list[str]:
        """Ids that the feedback names and nobody knows: items, and slates that were rated."""
        items = [*self.catalogue.unknown(one.item for one in feedback if one.item is not None)]
        slates = [one.slate for one in feedback if one.slate is not None and one.item is None and not self.slate_items(one)]
        return [*items, *slates]


def counts(span: Span, without: Collection[Span]) -> bool:
    """Whether a signal's span touches none of the ranges that are switched off."""
    return not any(span[0] < end and start < span[1] for start, end in without)


def _fingerprint(bundle: Bundle, backend: Backend | None) -> str:
    """Of everything that an understanding depends on: encoder and what runs it, head, names and rows of the catalogue."""
    digest = hashlib.sha256(bundle.encoder_fingerprint(backend).encode())
    digest.update(repr((bundle.attributes, *(bundle.items[name].tolist() for name in ("item", "title", "text")))).encode())
    for name, value in sorted(bundle.head_state.items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()
