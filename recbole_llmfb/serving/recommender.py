"""Serving a bundle: slates for users, and answers to what they say, without any training.

The path of a feedback is `Recommender.respond`, from top to bottom.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.errors import ErasedError, UsageError
from recbole_llmfb.ranking.preference import Event, PreferenceState, fold
from recbole_llmfb.schema import MAX_TEXT, Explanation, Feedback, Language, Preferences, Reading, Slate, Undo
from recbole_llmfb.serving.answering import (
    Ask,
    Heard,
    SlateMaker,
    checked_feedback,
    checked_ids,
    checked_spans,
    checked_string,
    checked_text,
)
from recbole_llmfb.serving.catalogue import Catalogue
from recbole_llmfb.serving.listener import Listener
from recbole_llmfb.serving.log import Log, MemoryLog, Place, Read, Said, Shown, Taken
from recbole_llmfb.serving.observing import Observer, Unobserved, timed
from recbole_llmfb.serving.scoring import UserScorer
from recbole_llmfb.serving.states import Known, States, with_event
from recbole_llmfb.text.encoder import Backend, Span
from recbole_llmfb.text.talk import last_words


class Recommender:
    """Answers users from one bundle and one log. Safe to call from several threads.

    Unknown users and items are data: an unknown user has popularity and what was said, unknown items are ignored and named in
    `Slate.unknown`. A slate never shows what its user has, has rated, or has named.
    """

    def __init__(
        self,
        bundle: Bundle,
        log: Log | None = None,
        *,
        device: str = "cpu",
        encoder_backend: Backend | None = None,
        observer: Observer | None = None,
    ) -> None:
        """log: a new one in memory, unless given. device: of the encoder; scores are computed on the CPU. encoder_backend: torch,
        onnx or onnx-int8; the bundle's own, unless given. observer: is told how long the stages of an answer take.

        Raises:
            BundleError: a configuration without `feedback_half_life_days`, or no encoder for the backend.
            UsageError: an unknown backend.
        """
        self.bundle = bundle
        self.log = log if log is not None else MemoryLog(after=bundle.manifest.watermark)
        self.observer = observer or Unobserved()
        self._catalogue = Catalogue.of(bundle.items)
        self._listener = Listener(
            bundle, self._catalogue, self.log, device=device, encoder_backend=encoder_backend, observer=self.observer
        )
        scorer = UserScorer(bundle.scorer().freeze(), half_life=bundle.half_life)
        self._slates = SlateMaker(scorer, self._catalogue, bundle.attributes, version=bundle.version, observer=self.observer)
        self._states = States(bundle, self.log, self._listener, self.observer)

    @classmethod
    def load(
        cls, path: str | Path, *, log: Log | None = None, device: str = "cpu", encoder_backend: Backend | None = None
    ) -> "Recommender":
        """Serve a bundle, or the champion of a folder of bundles. Raises BundleError as `load_bundle` does."""
        return cls(load_bundle(path), log, device=device, encoder_backend=encoder_backend)

    @property
    def items(self) -> pd.DataFrame:
        """The catalogue: item, title, text, popularity (number of interactions)."""
        table = self.bundle.items[["item", "title", "text", "popularity"]].copy()
        table["title"] = [self._catalogue.titles[item] for item in table["item"]]
        return table

    @property
    def reader(self) -> str:
        """The fingerprint under which the log keeps what this bundle understood."""
        return self._listener.fingerprint

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts by the bundle's encoder: (B, D), float32, unit length."""
        return self._listener.embed(checked_ids("texts", texts))

    def signals(self, text: str) -> Reading:
        """What is understood of a text."""
        return self._listener.read([checked_text(text)])[0].reading

    @torch.inference_mode()
    def recommend(
        self,
        user: str,
        k: int = 10,
        *,
        lang: Language = "en",
        exclude: Sequence[str] = (),
        diversity: float = 0.0,
        explore: bool = False,
        now: datetime | None = None,
    ) -> Slate:
        """The k best items for a user, fewer where fewer are left. Options as in `respond`."""
        ask = _ask(k, lang, exclude, diversity, now, explore)
        (user,) = checked_ids("user", [user])
        return self._next(user, ask)

    @torch.inference_mode()
    def respond(
        self,
        feedback: Feedback | Sequence[Feedback],
        k: int = 10,
        *,
        lang: Language = "en",
        exclude: Sequence[str] = (),
        diversity: float = 0.0,
        explore: bool = False,
        now: datetime | None = None,
    ) -> Slate:
        """Take in what a user said, rated or clicked, and answer with the next slate.

        Args:
            feedback: one, or several of one user; feedback whose id was taken in before does not count again.
            lang: of the summary and the reasons, "en" or "zh".
            exclude: external ids of items that must not be shown.
            diversity: 0 for the order of the scores, up to 1 for items unlike each other; it changes ranks, never scores.
            explore: whether the last place goes to the item near the top whose feedback would teach most, and is marked so.
            now: the moment against which older words fade; the present, unless given.

        Raises:
            UsageError: k below 1 (2 to explore), a language, an id or a diversity that cannot be, no feedback, or feedback of
                several users.
            ErasedError: the user was erased before the answer was there; nothing of it is kept.
        """
        ask = _ask(k, lang, exclude, diversity, now, explore)
        said = checked_feedback(feedback)
        user = said[0].user
        kept = self._states.kept(user)
        taken = self._take(said, kept.place if kept else None)
        before = self._caught_up(user, kept, taken)
        said, new = [one.feedback for one in taken.said], taken.new
        utterances = self._listener.utterances(said, keep=False, new=[one.feedback.id for one in new])
        heard = [Heard(*pair) for pair in zip(said, utterances, strict=True)]
        after = self._after(user, before, new, heard)
        slate = self._slates.make(user, after.state, ask, heard=heard, before=before.state, unknown=self._listener.unknown(said))
        if not self._remember(slate, ask, after.place, since=before.place.seq, heard=heard):
            raise ErasedError(
                f"user {user!r} was erased in the meantime, with this feedback: send it as a new one if it shall count"
            )
        return slate

    @torch.inference_mode()
    def undo(
        self,
        user: str,
        feedback: str,
        k: int = 10,
        *,
        lang: Language = "en",
        exclude: Sequence[str] = (),
        diversity: float = 0.0,
        explore: bool = False,
        now: datetime | None = None,
    ) -> Slate:
        """Take back what a user said, by its id, and answer with the next slate; the log keeps both. Options as in `respond`.

        Raises:
            UsageError: the user has no feedback of that id; or as in `respond`.
        """
        ask = _ask(k, lang, exclude, diversity, now, explore)
        user, feedback = checked_ids("user and feedback", [user, feedback])
        self._take_back(Undo(user=user, undoes=feedback, time=ask.now))
        return self._next(user, ask)

    @torch.inference_mode()
    def preview(
        self,
        feedback: Feedback,
        k: int = 10,
        *,
        without_spans: Collection[Span] = (),
        beyond: int = 0,
        lang: Language = "en",
        exclude: Sequence[str] = (),
        diversity: float = 0.0,
        explore: bool = False,
        now: datetime | None = None,
    ) -> Slate:
        """What `respond` would answer; nothing is remembered. Feedback that is in the log already counts as it is given here.

        without_spans: (start, end) of the text; signals that touch one of them are switched off.
        beyond: how far `further` shows how the list goes on.
        """
        ask = _ask(k, lang, exclude, diversity, now, explore)
        without = checked_spans(without_spans)
        (utterance,) = self._listener.utterances([feedback], keep=False)
        live = self._live(feedback.user).state
        event = self._listener.event(feedback, utterance, without=without)
        (event,) = self._listener.with_talk([event], [feedback], self._states.said_before(feedback))
        said = any(one.feedback == feedback.id for one in live.events)
        state, before = with_event(live, event), with_event(live, Event(feedback.id, event.time)) if said else live
        heard, unknown = [Heard(feedback, utterance, without)], self._listener.unknown([feedback])
        return self._slates.make(feedback.user, state, ask, heard=heard, before=before, unknown=unknown, beyond=beyond)

    @torch.inference_mode()
    def rank(
        self,
        text: str | None = None,
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int = 50,
        *,
        lang: Language = "en",
        diversity: float = 0.0,
        explore: bool = False,
        now: datetime | None = None,
    ) -> Slate:
        """A slate for nobody: for a history of external ids, oldest first, and a text. Nothing is remembered.

        The text may be a whole talk, of both sides. Of one that is longer than a feedback's text may be (2,000 characters), the
        last words count.
        """
        ask = _ask(k, lang, exclude, diversity, now, explore)
        history = checked_ids("history", history)
        state = before = PreferenceState(history=self._catalogue.rows(history))
        heard: list[Heard] = []
        text = None if text is None else last_words(checked_string(text), MAX_TEXT)
        if text is not None and text.strip():
            words = Feedback("nobody", text=text, time=ask.now, id="text")
            utterance = self._listener.read([text])[0]
            state = fold(before, self._listener.with_talk([self._listener.event(words, utterance)], [words]))
            heard = [Heard(words, utterance)]
        return self._slates.make(None, state, ask, heard=heard, before=before, unknown=self._catalogue.unknown(history))

    @torch.inference_mode()
    def explain(
        self,
        user: str,
        item: str,
        *,
        lang: Language = "en",
        exclude: Sequence[str] = (),
        now: datetime | None = None,
    ) -> Explanation:
        """Why an item, shown or not, stands where it does for a user. Nothing is remembered. Options as in `respond`.

        Raises:
            NotFoundError: the catalogue does not have the item.
        """
        ask = _ask(1, lang, exclude, 0.0, now)
        user, item = checked_ids("user and item", [user, item])
        return self._slates.explain(user, self._live(user).state, ask, item)

    def preferences(self, user: str, *, now: datetime | None = None) -> Preferences:
        """What a user wants and does not want, as it counts at `now`."""
        ask = _ask(1, "en", (), 0.0, now)
        (user,) = checked_ids("user", [user])
        return self._slates.preferences(user, self._live(user).state, ask.now)

    @torch.inference_mode()
    def reproduce(self, slate: str) -> Slate:
        """A slate that was shown, made again from the log as it was then.

        Raises:
            UsageError: the log does not have it, or another version of the bundle made it.
        """
        shown = self.log.slate(slate)
        made = shown.slate if shown else None
        if shown is None or made is None or made.user is None:
            raise UsageError(f"slate {slate!r} is not in the log: name one that `recommend` or `respond` gave")
        if made.bundle != self.bundle.version:
            raise UsageError(f"slate {slate!r} was made by bundle {made.bundle}, this is {self.bundle.version}: load that one")
        state = self._states.at(made.user, upto=shown.seq).state
        before = self._states.at(made.user, upto=shown.since).state if shown.since != shown.seq else state
        said = self.log.feedback(shown.answers)
        heard = [Heard(*pair) for pair in zip(said, self._listener.utterances(said), strict=True)]
        ask = Ask(shown.k, made.lang, shown.exclude, shown.diversity, made.now, shown.explore)
        unknown = self._listener.unknown(said)
        again = self._slates.make(made.user, state, ask, heard=heard, before=before, unknown=unknown)
        return again.model_copy(update={"id": made.id})

    def _next(self, user: str, ask: Ask) -> Slate:
        """The slate of what is known of a user, remembered; another one, if the user was erased while it was made."""
        while True:
            known = self._live(user)
            slate = self._slates.make(user, known.state, ask)
            if self._remember(slate, ask, known.place, since=known.place.seq):
                return slate

    @timed("fold")
    def _live(self, user: str) -> Known:
        return self._states.live(user)

    @timed("fold")
    def _caught_up(self, user: str, kept: Known | None, taken: Taken) -> Known:
        """What was known before feedback was taken in."""
        return self._states.caught_up(user, kept, taken.earlier, upto=taken.since)

    @timed("fold")
    def _after(self, user: str, before: Known, new: Sequence[Said], heard: Sequence[Heard]) -> Known:
        utterances = {one.feedback.id: one.utterance for one in heard}
        return self._states.after(user, before, new, [utterances[one.feedback.id] for one in new])

    @timed("store")
    def _take(self, said: Sequence[Feedback], after: Place | None) -> Taken:
        return self.log.take(said, after)

    @timed("store")
    def _take_back(self, undo: Undo) -> None:
        self.log.undo(undo)

    @timed("store")
    def _remember(self, slate: Slate, ask: Ask, place: Place, *, since: int, heard: Sequence[Heard] = ()) -> bool:
        """Whether the slate was kept, and with it what was read; not where its user was erased since."""
        answers = tuple(one.feedback.id for one in heard)
        read = Read(self.reader, {one.feedback.id: one.utterance for one in heard if one.utterance is not None})
        shown = Shown(slate, since, place.seq, answers, ask.k, ask.exclude, ask.diversity, ask.explore)
        return self.log.append_slate(shown, erased=place.erased, read=read)


def _ask(k: int, lang: str, exclude: Sequence[str], diversity: float, now: datetime | None, explore: bool = False) -> Ask:
    """The one place where serving reads the clock."""
    return Ask.checked(k, lang, exclude, diversity, datetime.now(UTC) if now is None else now, explore=explore)
