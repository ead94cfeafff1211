"""Where one wish ends and the next begins: an utterance is split into clauses by rules."""

import re

from recbole_llmfb.text.encoder import Span

_CUE = (
    r"(?:and |so |or |then |please |maybe |just )*"
    r"(?:no|not|never|nothing|none|without|less|fewer|more|something|anything|give me|show me|let's|skip|drop|avoid|"
    r"i want|i'd like|i would|i need|i love|i like|i hate|i don't|don't|lots of|plenty of)\b"
)
_HARD = re.compile(
    rf"[.!;…]+(?=\s|$)|[\n。！；]+|(?<!nothing )(?<!anything )\bbut\b|\bbut\s+(?={_CUE})|"
    r"\b(?:however|although|though|instead of|rather than|except for)\b|但是|不过|可是|而是",
    re.I,
)
_SOFT = re.compile(rf"[,?:;!–—]+\s*(?={_CUE})|\s+-\s+(?={_CUE})|[，、？]|[,.;!?](?=[一-鿿])", re.I)
# "Dr. Strangelove" goes on; so does "L.A. Confidential", where no new wish begins behind the dot.
_ABBREVIATED = re.compile(rf"\b(?:(?:dr|mrs?|ms|st|vs)\.|(?:[a-z]|jr|sr|inc|vol)\.(?!\s+{_CUE}))(?=\s)", re.I)
_EDGE = re.compile(r"^[\s,;:.!?–—-]+|[\s,;:–—-]+$")


def split(text: str) -> list[Span]:
    """Clauses of an utterance as character ranges, in order; pieces without a letter or digit are left out."""
    goes_on = {match.end() for match in _ABBREVIATED.finditer(text)}
    found = {match.span() for pattern in (_HARD, _SOFT) for match in pattern.finditer(text)}
    cuts = sorted(cut for cut in found if cut[1] not in goes_on)
    edges = [0, *(edge for cut in cuts for edge in cut), len(text)]
    spans = [_trim(text, start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    return [(start, end) for start, end in spans if any(letter.isalnum() for letter in text[start:end])]


def _trim(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    lead = _EDGE.match(piece)
    start += lead.end() if lead and lead.start() == 0 else 0
    tail = re.search(r"[\s,;:–—-]+$", text[start:end])
    return start, end - (len(tail[0]) if tail else 0)
