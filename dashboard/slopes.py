"""Before and after as two lists, joined by a line wherever an item moved. Every word is set as text, never as markup."""

from collections.abc import Callable

import streamlit as st

from dashboard.comparison import Comparison, Move
from dashboard.words import Language, word

_HTML = """<div class="slopes">
  <ol class="before"></ol>
  <svg aria-hidden="true" preserveAspectRatio="none"></svg>
  <ol class="after"></ol>
</div>
"""
_CSS = """.slopes { display: grid; grid-template-columns: minmax(0, 1fr) clamp(20px, 9%, 110px) minmax(0, 1fr);
  font-family: var(--st-font); color: var(--st-text-color); position: relative; }
ol { list-style: none; margin: 0; padding: 0; }
li.head { height: 28px; font-weight: 600; font-size: 14px; }
li { height: 46px; display: flex; align-items: center; }
button { all: unset; box-sizing: border-box; cursor: pointer; width: 100%; height: 40px; padding: 2px 8px;
  display: flex; gap: 8px; align-items: center; border-radius: 8px;
  border: 1px solid var(--st-border-color); background: var(--st-background-color); }
button:hover { background: var(--st-secondary-background-color); }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
button[aria-pressed=true] { border-color: var(--st-primary-color); box-shadow: inset 3px 0 0 var(--st-primary-color); }
.rank { font-variant-numeric: tabular-nums; min-width: 1.4em; text-align: right; font-weight: 600; }
.words { flex: 1; min-width: 0; display: flex; gap: 8px; align-items: center; }
.title { flex: 1; min-width: 0; font-size: 14px; line-height: 17px; max-height: 34px; overflow: hidden; overflow-wrap: anywhere;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
.sign { font-size: 12px; font-weight: 700; white-space: nowrap; }
.up { color: var(--st-green-text-color); } .down { color: var(--st-red-text-color); }
.gone .title { text-decoration: line-through; text-decoration-thickness: 1px; }
svg { width: 100%; height: 100%; overflow: visible; }
path { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
path.up { stroke: var(--st-green-color); } path.down { stroke: var(--st-red-color); stroke-dasharray: 6 4; }
path.chosen { stroke-width: 4; }
.slopes.single { grid-template-columns: minmax(0, 1fr); } .single .before, .single svg { display: none; }
@media (max-width: 600px) { button { padding: 2px 4px; gap: 4px; } .title { font-size: 12px; line-height: 15px; flex: none; }
  .words { flex-direction: column; align-items: flex-start; gap: 0; } .title:not(:last-child) { -webkit-line-clamp: 1; }
  .words .title { max-width: 100%; } .sign { font-size: 11px; } }
"""
_JS = """const SVG = "http://www.w3.org/2000/svg"
function make(tag, kind, text) {
  const made = document.createElement(tag)
  made.className = kind
  if (text !== undefined) made.textContent = text
  return made
}
export default function ({ data, parentElement, setTriggerValue }) {
  const row = (one, rank, sign) => {
    const line = make("li", "")
    const button = make("button", one.side)
    button.type = "button"
    button.title = one.title
    button.setAttribute("aria-pressed", String(one.item === data.chosen))
    const words = make("span", "words")
    words.append(make("span", "title", one.title))
    if (sign) words.append(make("span", "sign " + one.direction, sign))
    button.append(make("span", "rank", rank), words)
    button.onclick = () => setTriggerValue("item", one.item)
    line.append(button)
    return line
  }
  const fill = (side, rows) => {
    const list = parentElement.querySelector("." + side)
    list.setAttribute("aria-label", data.words[side])
    list.replaceChildren(make("li", "head", data.words[side]), ...rows)
  }
  parentElement.querySelector(".slopes").classList.toggle("single", data.single)
  fill("before", data.before.map((one) => row(one, one.rank, one.sign)))
  fill("after", data.after.map((one) => row(one, one.rank, one.sign)))
  const places = Math.max(data.before.length, data.after.length, 1)
  const svg = parentElement.querySelector("svg")
  const top = 28, step = 46, height = top + step * places
  svg.setAttribute("viewBox", `0 0 100 ${height}`)
  svg.style.height = `${height}px`
  svg.replaceChildren(...data.lines.map(([from, to, direction, item]) => {
    const y = (place) => top + step * (place - 0.5)
    const path = document.createElementNS(SVG, "path")
    path.setAttribute("d", `M 0 ${y(from)} C 45 ${y(from)}, 55 ${y(to)}, 100 ${y(to)}`)
    path.setAttribute("class", direction + (item === data.chosen ? " chosen" : ""))
    return path
  }))
}
"""
_draw = st.components.v2.component("llmfb_slopes", html=_HTML, css=_CSS, js=_JS)


def draw_slopes(
    compared: Comparison, language: Language, *, chosen: str | None, single: bool, key: str, on_choice: Callable[[], None]
) -> None:
    """Draw a comparison.

    Args:
        chosen: the item that is marked.
        single: only the second list.
        on_choice: called when an item is pressed, before the page runs again; `item` under `key` says which.
    """
    drawn = {**rows(compared, language), "chosen": chosen, "single": single}
    if single:
        drawn["words"] = {"before": "", "after": ""}
    _draw(key=key, data=drawn, on_item_change=on_choice, width="stretch")


def rows(compared: Comparison, language: Language) -> dict[str, object]:
    """What is drawn: two lists in the order of their ranks, and the lines between places that differ."""
    moves = compared.moves
    old = sorted((move for move in moves if move.before), key=lambda move: move.before or 0)
    new = sorted((move for move in moves if move.after), key=lambda move: move.after or 0)
    places = {move.item: place for place, move in enumerate(old, 1)}
    lines = [
        (places[move.item], place, _direction(move), move.item)
        for place, move in enumerate(new, 1)
        if move.before and move.change
    ]
    return {
        "before": [_row(move, move.before, _left(move, language), "gone" if move.after is None else "") for move in old],
        "after": [_row(move, move.after, _right(move, language), "") for move in new],
        "lines": lines,
        "words": {"before": word("before", language), "after": word("after", language)},
    }


def _row(move: Move, rank: int | None, sign: str, side: str) -> dict[str, object]:
    return {"item": move.item, "title": move.title, "rank": rank, "sign": sign, "direction": _direction(move), "side": side}


def _direction(move: Move) -> str:
    if move.before is None:
        return "up"
    return "down" if move.after is None or move.after > move.before else "up"


def _left(move: Move, language: Language) -> str:
    """What stands beside an item of the first list: only that it dropped out, and to where."""
    if move.after is not None:
        return ""
    return word("dropped", language) + (f" → {move.beyond}" if move.beyond else "")


def _right(move: Move, language: Language) -> str:
    if move.change is None:
        return word("new", language)
    return "" if move.change == 0 else f"▲ +{move.change}" if move.change > 0 else f"▼ −{-move.change}"
