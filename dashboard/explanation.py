"""Why an item stands where it does: the parts of its score before and after, and against another item."""

from collections.abc import Mapping

import streamlit as st

from dashboard.comparison import Move, difference
from dashboard.connection import ask, say
from dashboard.figures import QUIET, part_bars, waterfall
from dashboard.responding import Turn
from recbole_llmfb import Recommendation


def show_why(turn: Turn) -> None:
    """An item of the lists, chosen here or pressed there."""
    moves = turn.comparison.moves
    if not moves:
        return
    titles = {move.item: move.title for move in moves}
    if st.session_state.get("respond_item") not in titles:
        st.session_state["respond_item"] = max(moves, key=_interest).item
    st.subheader(say("why"), anchor=False)
    left, right = st.columns([3, 2], gap="large")
    with left:
        item = st.selectbox(say("why_item"), list(titles), format_func=titles.__getitem__, key="respond_item")
        before, after = _sides(turn, item)
        chosen = after or before
        sides: list[tuple[str, Mapping[str, float] | None]] = [(say("before"), _parts(before))]
        if turn.after is not None:
            sides.append((say("after"), _parts(after)))
        st.plotly_chart(waterfall(sides, turn.language), key="respond_waterfall", config=QUIET, alt=say("parts"))
        if chosen is not None and chosen.reason:
            st.text(chosen.reason)
    with right:
        if chosen is not None:
            _show_above(turn, chosen)


def _interest(move: Move) -> int:
    """How far an item moved up; a new one counts as much as its new place is high, before whatever fell."""
    return move.change if move.change is not None else 100 - move.after if move.after else -1


def _sides(turn: Turn, item: str) -> tuple[Recommendation | None, Recommendation | None]:
    """The item before and after; the service explains the side that is its present state, whether shown or not."""
    before, after = turn.before_item(item), turn.after_item(item)
    is_stored = turn.stage in ("kept", "undone")
    if (after if is_stored else before) is None:
        answer = ask(lambda service: service.explain(turn.user, item, lang=turn.language))
        explained = answer.recommendation if answer else None
        before, after = (before, explained) if is_stored else (explained, after)
    return before, after


def _show_above(turn: Turn, chosen: Recommendation) -> None:
    """Which parts put one item above another of the same list."""
    others = {one.item: one for one in turn.shown if one.item != chosen.item}
    if not others:
        return
    other = st.selectbox(
        say("why_above"), list(others), format_func=lambda item: f"{others[item].rank}. {others[item].title}", key="respond_other"
    )
    against = others[other]
    by = chosen.score - against.score
    st.text(f"{chosen.title}\n{say('above_by' if by >= 0 else 'below_by')} {abs(by):.2f}\n{against.title}")
    amounts = difference(_parts(chosen) or {}, _parts(against) or {})
    st.plotly_chart(part_bars(amounts, turn.language), key="respond_above", config=QUIET, alt=say("why_above"))


def _parts(shown: Recommendation | None) -> dict[str, float] | None:
    """The parts of its score; None where a list does not have it."""
    return None if shown is None else {str(name): amount for name, amount in shown.parts.items()}
