"""Where one wish ends and the next begins: an utterance is split into clauses by rules."""

import re

from recbole_llmfb.text.cue_words import POINTER, TURNING
from recbole_llmfb.text.cues import is_asking, says_something
from recbole_llmfb.text.encoder import Span

_CUE = (
    r"(?:and |so |or |then |please |maybe |just )*"
    r"(?:no|not|never|nothing|none|without|less|fewer|more|something|anything|give me|show me|let's|skip|drop|avoid|"
    r"i want|i'd (?:like|rather|prefer)|"
    r"i would|i need|i love|i like|i hate|i don't|don't|lots of|plenty of|maybe|perhaps|possibly|"
    r"the (?:\w+ ){1,3}(?:is|are|was|were|isn't|wasn't|\w{3,}ed))\b"
)
_HARD = re.compile(
    rf"[.!;…]+(?=\s|$)|[\n。！；]+|(?<!nothing )(?<!anything )\bbut\b|\bbut\s+(?={_CUE})|"
    r"\b(?:however|(?:even )?though|although)\b|(?<![不非])但是?|不过|可是|然而|(?<!不)而是",
    re.I,
)
_SOFT = re.compile(
    rf"[,?:;!–—]+\s*(?={_CUE})|\s+-\s+(?={_CUE})|[，？]|、(?=[也还再]?[不别没想要少多更来我换喜])|[,.;!?](?=[一-鿿])", re.I
)
_TURN = re.compile(
    rf"\s+(?={TURNING})|\s+(?=without\s+(?:\S+\s+){{0,3}}\S+\s*(?:$|[,.;!?]))|\s+(?=with no\s)|"
    r"\s+(?=(?:that|which|who)\s+(?:is|are|was|were|has|have|do|does)(?:n['’]t|\s+not|\s+no)\b)|"
    r"(?<!more)(?<!less)(?<!fewer)\s+(?=and (?:less|more|fewer|no|nothing|without)\b)|(?<!better)\s+(?=yet (?:not|no|never)\b)|"
    r"\s+(?=and not \w+s\s*(?:$|[,.;!]))|"
    r"(?=而不是)|(?:^|[，。；！？])[^既，。；！？]{2,}?(?=也不[看想要喜])|(?<=..)(?=不如[看来选])",
    re.I,
)
# Only between these two does "than", "to" or "over" set one wish against another.
_AGAINST_EACH_OTHER = re.compile(
    rf"\brather\s+(?:\S+\s+){{1,6}}?(?=than\s+(?!{POINTER}))|\bmore\s+like\s+(?:\S+\s+){{1,6}}?(?=than\s)|"
    rf"\bmore\s+(?!like\b)(?:\S+\s+){{1,4}}?(?=than\s+(?!{POINTER})(?-i:(?![A-Z])))|"
    r"\bprefer(?:red|s)?\s+(?!to\b)(?:(?!something|anything)\S+\s+){1,4}?"
    r"(?=over\s|to\s+(?!(?:watch|see|laugh|cry|relax|be|have|go|get|make|think|sleep|take|keep|find|do|start|end|me|the)\b))",
    re.I,
)
_NO_WITHOUT = re.compile(
    r"n['’]t\b|\b(?:no|not|never|nothing|cannot|without|(?:day|night|week|weekend|evening|life|world))\b", re.I
)
_NOT_ONLY = re.compile(r"\bnot (?:only|just|merely|simply)\b[^.;!?]*$", re.I)
_CONCEDES = re.compile(r"(?:even though|though|although|while|whereas)\s[^,.;!?]+(,)\s", re.I)
# "Dr. Strangelove" goes on; so does "L.A. Confidential", where no new wish begins behind the dot.
_ABBREVIATED = re.compile(rf"\b(?:(?:dr|mrs?|ms|st|vs)\.|(?:[a-z]|jr|sr|inc|vol)\.(?!\s+{_CUE}))(?=\s)", re.I)
_EDGE = re.compile(r"^[\s,;:.!?–—-]+|[\s,;:–—-]+$")


def split(text: str) -> list[Span]:
    """Clauses of an utterance as character ranges, in order; pieces without a letter or digit are left out."""
    goes_on = {match.end() for match in _ABBREVIATED.finditer(text)}
    cuts = sorted(cut for cut in _cuts(text) if cut[1] not in goes_on)
    edges = [0, *(edge for cut in cuts for edge in cut), len(text)]
    spans = [_trim(text, start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    return [(start, end) for start, end in spans if any(letter.isalnum() for letter in text[start:end])]


def _cuts(text: str) -> set[Span]:
    """What stands between two clauses, or nothing where the first word of the second turns it."""
    found = {match.span() for match in _SOFT.finditer(text)}
    found |= {
        match.span() for match in _HARD.finditer(text) if not (match[0] == "but" and _NOT_ONLY.search(text, 0, match.start()))
    }
    if concession := _CONCEDES.match(text):
        found.add(concession.span(1))
    for match in re.finditer(r"\?+\s+(?=\S)", text):
        if is_asking(text[max(text.rfind(end, 0, match.start()) for end in ".!?\n") + 1 : match.start()]):
            found.add(match.span())
    begin = 0
    for match in sorted((*_TURN.finditer(text), *_AGAINST_EACH_OTHER.finditer(text)), key=lambda one: one.end()):
        begin = max([begin, *(end for _, end in found if end <= match.end())])
        before = text[begin : match.end()]
        without = text.startswith("without", match.end())
        if says_something(before) and not (without and _NO_WITHOUT.search(before)):
            found.add((match.end(), match.end()))
    return found


def _trim(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    lead = _EDGE.match(piece)
    start += lead.end() if lead and lead.start() == 0 else 0
    tail = re.search(r"[\s,;:–—-]+$", text[start:end])
    return start, end - (len(tail[0]) if tail else 0)
