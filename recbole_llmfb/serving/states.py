"""States of users: folds over the log, kept in memory for those who were asked about last, and folded further as the log grows.

What counts at a place in the log, `serving.log` says.
"""

from collections.abc import Sequence
from dataclasses import replace

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.ranking.preference import MAX_EVENTS, Event, PreferenceState, fold
from recbole_llmfb.schema import Feedback, Undo
from recbole_llmfb.serving.listener import Listener
from recbole_llmfb.serving.log import Entry, Log, Said, standing
from recbole_llmfb.serving.observing import Observer
from recbole_llmfb.serving.recent import Recent

_STATES_KEPT = 1024


class States:
    """The states of one bundle over one log, whoever else writes to it."""

    def __init__(self, bundle: Bundle, log: Log, listener: Listener, observer: Observer) -> None:
        self.bundle, self.log, self._listener, self._observer = bundle, log, listener, observer
        self._kept: Recent[str, tuple[int, PreferenceState]] = Recent(_STATES_KEPT)

    def live(self, user: str) -> tuple[int, PreferenceState]:
        """The user's state, and the `seq` of the last entry in it: what is kept, with what the log has since then."""
        seq, state = self._kept.get(user) or (0, None)
        new = None if state is None else self._since(user, seq, state)
        self._observer.state(kept=new is not None)
        if state is None or new is None:
            seq, state = self.at(user)
        elif new:
            seq, state = new[-1].seq, self._fold(user, standing(new), state)
        else:
            return seq, state
        self._kept.put(user, (seq, state))
        return seq, state

    def at(self, user: str, upto: int | None = None) -> tuple[int, PreferenceState]:
        """The state at the end of the user's log, or at a `seq`, from the user's history in the bundle on."""
        talks = self._listener.hears_talk
        seq, said = self.log.latest(user, upto=upto, at_most=2 * MAX_EVENTS if talks else MAX_EVENTS)
        start = PreferenceState(() if self.log.is_erased(user) else self.bundle.histories.rows(user))
        earlier = [one.feedback for one in said[:-MAX_EVENTS]]  # a talk near the beginning of what counts has words of these
        return seq, self._fold(user, said[-MAX_EVENTS:], start, earlier)

    def said_before(self, feedback: Feedback) -> Sequence[Feedback]:
        """What the user said before a feedback, or until now if it does not count, where a whole talk counts."""
        if not self._listener.hears_talk:
            return ()
        said = [one.feedback for one in self.log.latest(feedback.user, at_most=2 * MAX_EVENTS).said]
        older, counted = said[:-MAX_EVENTS], said[-MAX_EVENTS:]
        place = next((place for place, one in enumerate(counted) if one.id == feedback.id), len(counted))
        return [*older, *counted[:place]]

    def _since(self, user: str, seq: int, state: PreferenceState) -> Sequence[Entry] | None:
        """The entries after those in a state, all of them feedback; None where it must be folded anew."""
        entries = self.log.entries(user, after=seq - 1, at_most=MAX_EVENTS + 1)  # the last in the state shows that all are there
        if seq:
            erased, new = not entries or entries[0].seq != seq, entries[1:]
        else:
            erased, new = bool(state.history) and self.log.is_erased(user), entries
        taken_back = any(isinstance(entry.feedback, Undo) for entry in new)  # it is in the state already
        return None if erased or taken_back or len(new) >= MAX_EVENTS else new

    def _fold(
        self, user: str, said: Sequence[Said], state: PreferenceState, earlier: Sequence[Feedback] | None = None
    ) -> PreferenceState:
        """The state after more feedback of the log. earlier: what was said before that; asked of the log, unless given."""
        feedback = [one.feedback for one in said]
        learned = self.bundle.manifest.watermark.get(user, 0)
        events = [
            self._listener.event(one.feedback, utterance, learned=one.seq <= learned)
            for one, utterance in zip(said, self._listener.utterances(feedback), strict=True)
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
