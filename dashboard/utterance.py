"""What somebody said, its signals coloured by polarity; each is a switch. Every word is set as text, never as markup."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.words import Language, word
from recbole_llmfb import Reading, Signal

Span = tuple[int, int]

_HTML = """<p class="said"></p>
"""
_CSS = """.said { font-family: var(--st-font); color: var(--st-text-color); font-size: 17px; line-height: 2.1; margin: 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
button { all: unset; cursor: pointer; padding: 2px 6px; border-radius: 6px; border-bottom: 3px solid; }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
.plus { background: var(--st-green-background-color); color: var(--st-green-text-color); }
.minus { background: var(--st-red-background-color); color: var(--st-red-text-color); }
.zero { background: var(--st-gray-background-color); color: var(--st-gray-text-color); }
button[aria-checked=false] { background: none; color: var(--st-gray-text-color); text-decoration: line-through;
  border-bottom-style: dotted; }
.sign { font-weight: 700; margin-right: 4px; }
.off { font-size: 11px; margin-left: 4px; text-decoration: none; display: inline-block; }
"""
_JS = """export default function ({ data, parentElement, setStateValue }) {
  const said = parentElement.querySelector(".said")
  const off = new Set(data.off.map(String))
  said.replaceChildren(...data.pieces.map((piece) => {
    if (!piece.span) return document.createTextNode(piece.text)
    const name = String(piece.span)
    const button = document.createElement("button")
    button.type = "button"
    button.className = piece.kind
    button.setAttribute("role", "switch")
    button.setAttribute("aria-checked", String(!off.has(name)))
    button.title = piece.about
    const sign = document.createElement("span")
    sign.className = "sign"
    sign.textContent = piece.sign
    button.append(sign, document.createTextNode(piece.text))
    if (off.has(name)) {
      const mark = document.createElement("span")
      mark.className = "off"
      mark.textContent = data.words.off
      button.append(mark)
    }
    button.onclick = () => {
      off.has(name) ? off.delete(name) : off.add(name)
      setStateValue("off", data.pieces.filter((one) => one.span && off.has(String(one.span))).map((one) => one.span))
    }
    return button
  }))
}
"""
_draw = st.components.v2.component("llmfb_utterance", html=_HTML, css=_CSS, js=_JS)


def draw_utterance(reading: Reading, off: Sequence[Span], language: Language, *, key: str, on_switch: Callable[[], None]) -> None:
    """Draw a text. off: spans that are switched off. on_switch: called when that changes; the state is `off` under `key`."""
    data = {"pieces": pieces(reading, language), "off": [list(span) for span in off], "words": {"off": word("is_off", language)}}
    _draw(key=key, data=data, on_off_change=on_switch, width="stretch")


def pieces(reading: Reading, language: Language) -> list[dict[str, object]]:
    """The text cut at its signals, in its order. Spans that overlap become one switch; its sign is that of their sum."""
    cut: list[dict[str, object]] = []
    end = 0
    for span, signals in _joined(reading):
        cut.append({"text": reading.text[end : span[0]]})
        total = sum(one.polarity * one.strength for one in signals)
        kind, sign = _looks(total)
        wish = word(polarity_name(total), language)
        about = ", ".join(dict.fromkeys(one.aspect or one.item or one.text for one in signals))
        text = reading.text[slice(*span)]
        cut.append(
            {
                "text": text,
                "span": list(span),
                "kind": kind,
                "sign": sign,
                "about": f"{wish}: {about}",
            }
        )
        end = span[1]
    return [*cut, {"text": reading.text[end:]}]


def polarity_name(total: float) -> str:
    """The name of the word for what says this in sum."""
    return "wants" if total > 0 else "refuses" if total < 0 else "neutral"


def _looks(total: float) -> tuple[str, str]:
    """How a span of this polarity looks, and its sign."""
    if total > 0:
        return "plus", "+"
    return ("minus", "−") if total < 0 else ("zero", "·")


def _joined(reading: Reading) -> list[tuple[Span, list[Signal]]]:
    """Signals by the stretch of text that they share."""
    joined: list[tuple[Span, list[Signal]]] = []
    for signal in sorted(reading.signals, key=lambda one: one.span):
        if joined and signal.span[0] < joined[-1][0][1]:
            (start, end), signals = joined[-1]
            joined[-1] = (start, max(end, signal.span[1])), [*signals, signal]
        else:
            joined.append((signal.span, [signal]))
    return joined
