"""From a state to the slate that a user reads: chosen, explained, and summed up in words."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self, get_args

from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.ranking.explain import Grounds, explain
from recbole_llmfb.ranking.preference import PreferenceState, effective_weights
from recbole_llmfb.ranking.slate import choose, mask
from recbole_llmfb.ranking.wording import Change, Told, answer, exploring, reason, standing
from recbole_llmfb.schema import MAX_TEXT, Explanation, Feedback, Language, Preference, Preferences, Recommendation, Signal, Slate
from recbole_llmfb.serving.catalogue import Catalogue
from recbole_llmfb.serving.exploring import to_learn
from recbole_llmfb.serving.listener import counts
from recbole_llmfb.serving.observing import Observer, timed
from recbole_llmfb.serving.scoring import UserScorer
from recbole_llmfb.text.encoder import Span
from recbole_llmfb.text.signals import Utterance

_DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller wants of a slate. exclude: external ids. diversity: 0 for the order of the scores, up to 1.
    explore: whether the last place goes to the item whose feedback would teach most."""

    k: int
    lang: Language
    exclude: tuple[str, ...]
    diversity: float
    now: datetime
    explore: bool = False

    @classmethod
    def checked(
        cls, k: int, lang: str, exclude: Iterable[str], diversity: float, now: datetime, *, explore: bool = False
    ) -> Self:
        """Raises UsageError for a value that cannot be, and names it."""
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise UsageError(f"k={k!r}: ask for a whole number of items, at least one")
        if lang not in get_args(Language):
            raise UsageError(f"lang={lang!r}: choose {' or '.join(get_args(Language))}")
        if not 0 <= diversity <= 1:
            raise UsageError(f"diversity={diversity!r}: choose 0 (off) to 1")
        if not isinstance(explore, bool) or (explore and k == 1):
            raise UsageError(f"explore={explore!r}, k={k}: choose true or false; a list of one item has no place to spend")
        if not isinstance(now, datetime) or now.tzinfo is None:
            raise UsageError(f"now={now!r}: a time needs a time zone, such as datetime.now(UTC)")
        given = checked_ids("exclude", exclude)
        return cls(k, lang, given, diversity, now, explore)  # type: ignore[arg-type]  # lang is one of them


@dataclass(frozen=True, slots=True)
class Heard:
    """Feedback that a slate answers, with what was understood of it. without: ranges of the text that do not count."""

    feedback: Feedback
    utterance: Utterance | None
    without: Collection[Span] = ()

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals that count."""
        return tuple(one for one in (self.utterance.reading if self.utterance else ()) if counts(one.span, self.without))


class SlateMaker:
    """Makes slates of one bundle."""

    def __init__(
        self, scorer: UserScorer, catalogue: Catalogue, attributes: Sequence[str], *, version: str, observer: Observer
    ) -> None:
        self.scorer, self.catalogue, self.version, self.observer = scorer, catalogue, version, observer
        self._attribute_row = {name: row for row, name in enumerate(attributes)}

    @timed("score")
    def explain(self, user: str, state: PreferenceState, ask: Ask, item: str) -> Explanation:
        """Where an item stands for a user, and why; `ask.k` and `ask.diversity` play no part.

        Raises:
            NotFoundError: the catalogue does not have the item.
        """
        row = self.catalogue.row_of.get(item)
        if row is None:
            raise NotFoundError(f"item {item!r} is not in the catalogue: name one that is")
        grounds = self.scorer.grounds(state, ask.now)
        hidden = state.hidden.union(self.catalogue.rows(ask.exclude))
        rivals = mask(grounds.score, hidden - {row})
        (place,) = self._recommendations(grounds, [row], ask.lang)
        above = int((rivals > rivals[row]).sum()) + int((rivals[:row] == rivals[row]).sum())  # equal scores stand by row
        return Explanation(
            user=user,
            recommendation=place.model_copy(update={"rank": 1 + above}),
            hidden=row in hidden,
            bundle=self.version,
            now=ask.now,
            lang=ask.lang,
        )

    @timed("score")
    def make(
        self,
        user: str | None,
        state: PreferenceState,
        ask: Ask,
        *,
        heard: Sequence[Heard] = (),
        before: PreferenceState | None = None,
        unknown: Sequence[str] = (),
        beyond: int = 0,
    ) -> Slate:
        """The slate of a state.

        Args:
            heard: the feedback that the slate answers.
            before: the state without that feedback, for the summary to say what changed.
            unknown: ids that were asked about and that the catalogue does not have.
            beyond: how far `further` shows how the list goes on.
        """
        grounds = self.scorer.grounds(state, ask.now)
        rows, explored = self._choose(grounds, state, ask)
        if heard and before is not None:
            shown_before, _ = self._choose(self.scorer.grounds(before, ask.now), before, ask)
            told = [self._told(one, unknown) for one in heard]
            summary = answer(told, self._change(told, shown_before, rows), self.catalogue.titles, ask.lang)
        else:
            signals = [wish.signal for wish in state.wishes if wish.signal is not None and not wish.talk]
            summary = standing(signals, len(grounds.history), ask.lang)
        return Slate(
            user=user,
            items=self._recommendations(grounds, rows, ask.lang, explored),
            summary=summary,
            readings=tuple(one.utterance.reading for one in heard if one.utterance is not None),
            unknown=tuple(dict.fromkeys((*unknown, *self.catalogue.unknown(ask.exclude)))),
            bundle=self.version,
            now=ask.now,
            lang=ask.lang,
            further=self._further(grounds, rows, state, ask, beyond),
        )

    def _further(
        self, grounds: Grounds, rows: Sequence[int], state: PreferenceState, ask: Ask, beyond: int
    ) -> tuple[Recommendation, ...]:
        if not beyond:
            return ()
        shown = (self.catalogue.ids[row] for row in rows)
        following, _ = self._choose(grounds, state, replace(ask, k=beyond, exclude=(*ask.exclude, *shown), explore=False))
        more = self._recommendations(grounds, following, ask.lang)
        return tuple(one.model_copy(update={"rank": one.rank + len(rows)}) for one in more)

    def preferences(self, user: str, state: PreferenceState, now: datetime) -> Preferences:
        """The wishes of a state, weighted against `now`; the whole talk, whose words they are, is none of its own."""
        weights = effective_weights(state.wishes, now=now.timestamp(), half_life=self.scorer.half_life).tolist()
        found = [
            Preference(
                feedback=wish.feedback,
                time=datetime.fromtimestamp(wish.time, UTC),
                text=wish.signal.text if wish.signal else None,
                aspect=wish.signal.aspect if wish.signal else None,
                items=tuple(self.catalogue.ids[row] for row in wish.items),
                said=wish.weight,
                weight=weight,
            )
            for wish, weight in zip(state.wishes, weights, strict=True)
            if not wish.talk
        ]
        return Preferences(
            user=user,
            preferences=tuple(sorted(found, key=lambda one: -abs(one.weight))),
            items=len(state.all_items),
            half_life_days=self.scorer.half_life / _DAY,
            bundle=self.version,
            now=now,
        )

    def _choose(self, grounds: Grounds, state: PreferenceState, ask: Ask) -> tuple[list[int], int | None]:
        """Rows of the slate, and that one of them which is there to learn from."""
        hidden = state.hidden.union(self.catalogue.rows(ask.exclude))
        vectors = self.scorer.scorer.item_vectors() if ask.diversity else None
        rows = choose(grounds.score, ask.k, hidden=hidden, vectors=vectors, diversity=ask.diversity)
        explored = to_learn(self.scorer, grounds, ask.now, rows, hidden) if ask.explore else None
        return (rows, None) if explored is None else ([*rows[:-1], explored], explored)

    def _recommendations(
        self, grounds: Grounds, rows: Sequence[int], lang: Language, explored: int | None = None
    ) -> tuple[Recommendation, ...]:
        ids, titles = self.catalogue.ids, self.catalogue.titles
        scores = grounds.score[list(rows)].tolist()
        evidence = explain(self.scorer.scorer, grounds, rows, ids)
        whys = [reason(found[0], titles, lang) for found in evidence]
        places = zip(rows, scores, grounds.parts_of(rows), evidence, whys, strict=True)
        return tuple(
            Recommendation(
                item=ids[row],
                title=titles[ids[row]],
                rank=rank,
                score=score,
                parts=parts,
                evidence=found,
                reason=exploring(why, lang) if row == explored else why,
                explored=row == explored,
            )
            for rank, (row, score, parts, found, why) in enumerate(places, start=1)
        )

    def _told(self, heard: Heard, unknown: Collection[str]) -> Told:
        """The feedback in the form of the summary; a rating of something unknown is not mentioned."""
        feedback, utterance = heard.feedback, heard.utterance
        title = self.catalogue.titles.get(feedback.item) if feedback.item is not None else None
        return Told(
            text=feedback.text,
            signals=heard.signals,
            reason=utterance.reading.reason if utterance else None,
            rating=feedback.rating if title is not None or (feedback.item is None and feedback.slate not in unknown) else None,
            click=feedback.click,
            title=title,
        )

    def _change(self, told: Sequence[Told], before: Sequence[int], after: Sequence[int]) -> Change:
        membership = self.scorer.scorer.membership
        aspects = {signal.aspect for one in told for signal in one.signals if signal.aspect}
        counts = {
            aspect: tuple(int(membership[self._attribute_row[aspect], list(rows)].sum()) for rows in (before, after))
            for aspect in aspects
        }
        return Change(len(after), len(set(after) - set(before)), {aspect: (was, now) for aspect, (was, now) in counts.items()})


def checked_ids(name: str, ids: Iterable[str]) -> tuple[str, ...]:
    """External ids as a tuple.

    Raises:
        UsageError: a single string, or ids that are no strings.
    """
    if isinstance(ids, str):
        raise UsageError(f"{name}={ids!r}: give a list of ids, such as [{ids!r}]")
    if not isinstance(ids, Iterable):
        raise UsageError(f"{name}={ids!r}: give a list of ids, or leave it out")
    checked = tuple(ids)
    wrong = [one for one in checked if not isinstance(one, str)]
    if wrong:
        raise UsageError(f"{name} holds {wrong[0]!r}: external ids are strings, such as {str(wrong[0])!r}")
    return checked


def checked_text(text: str) -> str:
    """A text that is not longer than a feedback's may be.

    Raises:
        UsageError: it is, or is no string.
    """
    if len(checked_string(text)) > MAX_TEXT:
        raise UsageError(f"a text of {len(text):,} characters: give {MAX_TEXT:,} at most")
    return text


def checked_string(text: str) -> str:
    """Raises UsageError for a text that is no string."""
    if not isinstance(text, str):
        raise UsageError(f"text={text!r}: give a string")
    return text


def checked_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Ranges of a text, each (start, end) with 0 <= start < end.

    Raises:
        UsageError: something else.
    """
    given = tuple(spans) if isinstance(spans, Iterable) else (spans,)
    for one in given:
        pair = one if isinstance(one, tuple | list) and len(one) == 2 and all(type(edge) is int for edge in one) else None
        if pair is None or not 0 <= pair[0] < pair[1]:
            raise UsageError(f"without_spans holds {one!r}: give (start, end) of the text, as a signal's span is")
    return tuple((start, end) for start, end in given)


def checked_feedback(feedback: Feedback | Sequence[Feedback]) -> Sequence[Feedback]:
    """Feedback of one user. Raises UsageError for none, for anything else, and for that of several users."""
    said = [feedback] if isinstance(feedback, Feedback) else list(feedback)
    wrong = [one for one in said if not isinstance(one, Feedback)]
    if wrong or not said:
        raise UsageError(f"feedback={wrong[0] if wrong else said!r}: give one Feedback or a sequence of them")
    users = sorted({one.user for one in said})
    if len(users) > 1:
        raise UsageError(f"feedback of {len(users)} users ({users[0]!r}, {users[1]!r}): answer one user at a time")
    return said
