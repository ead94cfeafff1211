"""States of users: folds over the log, kept in memory for those who were asked about last, and folded further as the log grows.

What counts at a place in the log, `serving.log` says.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.ranking.preference import MAX_EVENTS, Event, PreferenceState, fold
from recbole_llmfb.schema import Feedback, Undo
from recbole_llmfb.serving.listener import Listener
from recbole_llmfb.serving.log import Entry, Log, Place, Said, standing
from recbole_llmfb.serving.observing import Observer
from recbole_llmfb.serving.recent import Recent
from recbole_llmfb.text.signals import Utterance

_STATES_KEPT = 1024


class Known(NamedTuple):
    """What is known of a user at a place in the log."""

    place: Place
    state: PreferenceState


class States:
    """The states of one bundle over one log, whoever else writes to it."""

    def __init__(self, bundle: Bundle, log: Log, listener: Listener, observer: Observer) -> None:
        self.bundle, self.log, self._listener, self._observer = bundle, log, listener, observer
        self._kept: Recent[str, Known] = Recent(_STATES_KEPT)

    def kept(self, user: str) -> Known | None:
        """What is in memory of a user; the log may have more."""
        return self._kept.get(user)

    def live(self, user: str) -> Known:
        """The user's state at the end of the log: what is kept, with what the log has since then."""
        kept = self.kept(user)
        return self.caught_up(user, kept, self.log.since(user, kept.place) if kept else None)

    def caught_up(self, user: str, kept: Known | None, entries: Sequence[Entry] | None, upto: int | None = None) -> Known:
        """The user's state at the end of the log, or at a `seq`.

        Args:
            entries: those after what is kept, up to there, as `Log.since` gives them; None where they do not continue it.
        """
        continued = kept is not None and entries is not None and len(entries) < MAX_EVENTS
        if kept is None or entries is None or not continued or any(isinstance(entry.feedback, Undo) for entry in entries):
            self._observer.state(kept=False)
            known = self.at(user, upto)
        else:
            self._observer.state(kept=True)
            known = self.after(user, kept, standing(entries))
        self._kept.put(user, known)
        return known

    def after(self, user: str, known: Known, said: Sequence[Said], utterances: Sequence[Utterance | None] | None = None) -> Known:
        """What is known after further feedback of the log; it is kept.

        Args:
            utterances: what each feedback says; asked of the log, or read, unless given.
        """
        if said:
            state = self._fold(user, said, known.state, utterances=utterances)
            known = Known(known.place._replace(seq=said[-1].seq), state)
            self._kept.put(user, known)
        return known

    def at(self, user: str, upto: int | None = None) -> Known:
        """The state at the end of the user's log, or at a `seq`, from the user's history in the bundle on."""
        talks = self._listener.hears_talk
        seq, said = self.log.latest(user, upto=upto, at_most=2 * MAX_EVENTS if talks else MAX_EVENTS)
        erased = self.log.is_erased(user)
        start = PreferenceState(() if erased else self.bundle.histories.rows(user))
        earlier = [one.feedback for one in said[:-MAX_EVENTS]]  # a talk near the beginning of what counts has words of these
        return Known(Place(seq, erased), self._fold(user, said[-MAX_EVENTS:], start, earlier))

    def said_before(self, feedback: Feedback) -> Sequence[Feedback]:
        """What the user said before a feedback, or until now if it does not count, where a whole talk counts."""
        if not self._listener.hears_talk:
            return ()
        said = [one.feedback for one in self.log.latest(feedback.user, at_most=2 * MAX_EVENTS).said]
        older, counted = said[:-MAX_EVENTS], said[-MAX_EVENTS:]
        place = next((place for place, one in enumerate(counted) if one.id == feedback.id), len(counted))
        return [*older, *counted[:place]]

    def _fold(
        self,
        user: str,
        said: Sequence[Said],
        state: PreferenceState,
        earlier: Sequence[Feedback] | None = None,
        utterances: Sequence[Utterance | None] | None = None,
    ) -> PreferenceState:
        """The state after more feedback of the log. earlier: what was said before that; asked of the log, unless given."""
        feedback = [one.feedback for one in said]
        learned = self.bundle.manifest.watermark.get(user, 0)
        utterances = self._listener.utterances(feedback) if utterances is None else utterances
        events = [
            self._listener.event(one.feedback, utterance, learned=one.seq <= learned)
            for one, utterance in zip(said, utterances, strict=True)
        ]
        if earlier is None and self._listener.hears_talk:
            earlier = [one.feedback for one in self.log.latest(user, upto=said[0].seq - 1).said]
        return fold(state, self._listener.with_talk(events, feedback, earlier or ()))


def with_event(state: PreferenceState, event: Event) -> PreferenceState:
    """The state with an event in place of the one of the same feedback, or after all others."""
    if all(old.feedback != event.feedback for old in state.events):
        return fold(state, [event])
    events = [event if old.feedback == event.feedback else old for old in state.events]
    return fold(replace(state, events=()), events)
