"""An utterance becomes signals: what it is about, in which direction, how strongly.

Rules split it into clauses, the lexicon finds what is named, and a trained head reads from the encoder the polarity of each
clause and the attribute that it means without naming it. Cues of the grammar make a signal weaker or drop it, and give the
direction where there is no doubt ("instead of X"). One pass of the encoder serves all clauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recbole_llmfb.schema import Reading, Signal
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.cues import Cues, cues, without_references
from recbole_llmfb.text.encoder import Encoder, Span
from recbole_llmfb.text.lexicon import Lexicon, Mention
from recbole_llmfb.text.script import LACKING, Vocabulary, language

POLARITIES = (-1.0, 0.0, 1.0)
NEGATIVE, NEUTRAL, POSITIVE = range(3)

_IMPLIED_AT_LEAST = 0.25  # share of a clause that an attribute must hold to count beside one that is named
_SURE_AT_LEAST = 0.5  # share at which an implied attribute is called by its name
_WEAKENED = 0.5  # what a hedge, or a direction that the grammar speaks against, leaves of a strength


class ReadingHead(nn.Module):
    """Polarity and implied attribute of clauses, from their vectors.

    Attributes are known by the vectors of their names, so that a new one needs no training: `names` (A, D), a buffer. So is
    `neutral_from`: the probability of small talk from which a clause that names nothing says nothing; and `temperature` (2,) of
    polarity and attributes, which makes probabilities as sure as they are right on phrasings that training did not see
    (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). Both are tuned on validation.
    """

    names: Tensor
    neutral_from: Tensor
    temperature: Tensor

    def __init__(self, n_attributes: int, width: int, *, hidden: int = 128, drop: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("names", torch.zeros(n_attributes, width))
        self.register_buffer("neutral_from", torch.tensor(0.5))
        self.register_buffer("temperature", torch.ones(2))
        self.polarity = nn.Sequential(
            nn.Dropout(drop), nn.Linear(width, hidden), nn.GELU(), nn.Dropout(drop), nn.Linear(hidden, 3)
        )
        self.query = nn.Sequential(nn.Dropout(drop), nn.Linear(width, hidden))
        self.key = nn.Linear(width, hidden, bias=False)
        self.residual = nn.Parameter(torch.zeros(n_attributes, hidden))
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.nothing = nn.Parameter(torch.tensor(2.0))

    def forward(self, vectors: Tensor, names: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(S, D) -> logits of `POLARITIES` (S, 3) and of the attributes, the last column for none of them (S, A + 1)."""
        keys = self.key(self.names if names is None else names) + self.residual
        spread = vectors * vectors.shape[1] ** 0.5  # unit vectors have entries far below 1, from which layers learn slowly
        alike = self.scale * normalize(self.query(spread), dim=1) @ normalize(keys, dim=1).T
        polarity, implied = self.polarity(spread), torch.cat([alike, self.nothing.expand(len(vectors), 1)], dim=1)
        if self.training:
            return polarity, implied
        return polarity / self.temperature[0], implied / self.temperature[1]


@dataclass(frozen=True, slots=True)
class Understood:
    """A signal, and what ranking needs of it: `aspects` (A,), `items` rows of the catalogue, `vector` (D,) of the clause."""

    signal: Signal
    aspects: Tensor
    items: tuple[int, ...]
    vector: Tensor


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance as it was understood."""

    reading: Reading
    understood: tuple[Understood, ...] = ()


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause with its readings, before they become signals.

    neutral_from: see `ReadingHead`. beside: another clause is a wish.
    """

    span: Span
    cues: Cues
    mentions: tuple[Mention, ...]
    polarity: Tensor  # (3,) probabilities
    implied: Tensor  # (A + 1,) probabilities
    vector: Tensor  # (D,)
    neutral_from: float
    beside: bool = False

    @property
    def plain(self) -> bool:
        """Whether a clause cannot be small talk: it names something, asks for it, or judges or turns something beside a wish."""
        talks = self.cues.judges or self.cues.turn is not None
        return bool(self.mentions) or self.cues.requests or (self.beside and talks)

    @property
    def heading(self) -> int:
        """Which polarity the clause has; one that may be talk must be clearly more than that."""
        read = int(self.polarity.argmax())
        if not self.cues.is_wish or (self.cues.welcomes and read == NEGATIVE):
            return NEUTRAL
        if self.cues.compares and any(mention.kind == "item" for mention in self.mentions):
            return NEUTRAL
        if not self.plain and float(self.polarity[NEUTRAL]) >= self.neutral_from:
            return NEUTRAL
        return read

    def turned(self, before: "_Clause | None") -> "_Clause":
        """The clause in the direction that its grammar gives it; an exception from what is rejected is wanted."""
        if self.cues.turn is None or (not self.mentions and int(self.polarity.argmax()) == NEUTRAL):
            return self
        wanted = self.cues.turn > 0 or (
            self.cues.excepts and before is not None and before.cues.rejects and before.heading == NEGATIVE
        )
        return replace(self, polarity=torch.eye(3)[POSITIVE if wanted else NEGATIVE])

    def meant(self) -> tuple[Mention, ...]:
        """Its names. Where some stand under a negation and others do not, those that agree with the direction."""
        under = [_is_within(mention, self.cues.negated) for mention in self.mentions]
        if all(under) or not any(under):
            return self.mentions
        rejected = self.heading == NEGATIVE
        return tuple(mention for mention, one in zip(self.mentions, under, strict=True) if one == rejected)

    @property
    def weight(self) -> float:
        """What cues leave of its strength."""
        names = bool(self.mentions) and all(_is_within(mention, self.cues.negated) for mention in self.mentions)
        doubted = self.cues.turn is None and self.heading == POSITIVE and names
        return (_WEAKENED if self.cues.weak else 1.0) * (_WEAKENED if doubted else 1.0)


class Reader:
    """Reads utterances with a fine-tuned encoder, its head, and the names of a catalogue."""

    def __init__(self, encoder: Encoder, head: ReadingHead, lexicon: Lexicon, items: Sequence[str]) -> None:
        """items: external ids of the catalogue, in the order of the lexicon's titles."""
        self.encoder, self.head, self.lexicon, self.items = encoder, head, lexicon, items
        self._vocabulary = Vocabulary(encoder.tokenizer.get_vocab())

    @torch.inference_mode()
    def read(self, texts: Sequence[str], *, batch_size: int = 64) -> list[Utterance]:
        """Utterances in the order of the texts; a text that says nothing understood has no signal, and a reason."""
        spans = [split(text) for text in texts]
        reasons = [self._unreadable(text, of_text) for text, of_text in zip(texts, spans, strict=True)]
        answer = [
            Utterance(Reading(text=text, reason=reason, language=language(text)))
            for text, reason in zip(texts, reasons, strict=True)
        ]
        neutral_from = float(self.head.neutral_from)
        readable = sorted((i for i, reason in enumerate(reasons) if reason is None), key=lambda i: len(texts[i]))
        for start in range(0, len(readable), batch_size):
            chosen = readable[start : start + batch_size]
            found = {i: [cues(texts[i], span) for span in spans[i]] for i in chosen}
            words = [
                without_references(texts[i], span, one.references)
                for i in chosen
                for span, one in zip(spans[i], found[i], strict=True)
            ]
            vectors = self.encoder.texts(words)
            polarity, implied = (logits.softmax(dim=1).cpu() for logits in self.head(vectors))
            rows = iter(zip(polarity, implied, vectors.cpu(), strict=True))
            for i in chosen:
                mentions = self.lexicon.find(texts[i])
                clauses = [
                    _Clause(span, one, _named(mentions, span, one), *next(rows), neutral_from)
                    for span, one in zip(spans[i], found[i], strict=True)
                ]
                answer[i] = self._utterance(texts[i], clauses, mentions)
        return answer

    def _unreadable(self, text: str, spans: Sequence[Span]) -> str | None:
        if not spans:
            return "nothing was said"
        return None if self._vocabulary.can_read(text) else LACKING

    def _utterance(self, text: str, clauses: Sequence[_Clause], mentions: Sequence[Mention]) -> Utterance:
        turned: list[_Clause] = []
        beside = len(clauses) > 1 and any(clause.heading != NEUTRAL for clause in clauses)
        for clause in (replace(clause, beside=beside) for clause in clauses):
            turned.append(clause.turned(turned[-1] if turned else None))
        understood = [one for clause in _merge(turned) for one in self._signals(text, clause)]
        notes = tuple(dict.fromkeys(mention.note for mention in mentions if mention.note))
        unclear = next((mention.note for mention in mentions if not mention.rows), None)
        reason = None if understood else unclear or "no wish was understood in this"
        signals = tuple(one.signal for one in understood)
        return Utterance(
            Reading(text=text, signals=signals, reason=reason, language=language(text), notes=notes), tuple(understood)
        )

    def _signals(self, text: str, clause: _Clause) -> list[Understood]:
        """Signals of one clause: one for each name in it, and one for what it implies."""
        if clause.heading == NEUTRAL:
            return []
        polarity = float(clause.polarity[POSITIVE] - clause.polarity[NEGATIVE])
        # One that may mean the opposite had better do little.
        strength = clause.weight * abs(polarity) * float(clause.polarity[clause.heading])
        implied, mentions = clause.implied[:-1].clone(), clause.meant()
        for mention in mentions:
            if mention.kind == "aspect":
                implied[list(mention.rows)] = 0

        def understood(kind: str, aspects: Tensor, *, aspect: str | None = None, items: tuple[int, ...] = ()) -> Understood:
            signal = Signal(
                span=clause.span,
                text=text[slice(*clause.span)],
                kind=kind,  # type: ignore[arg-type]  # one of the three literals below
                polarity=polarity,
                strength=strength,
                aspect=aspect,
                item=self.items[items[0]] if items else None,
            )
            return Understood(signal, aspects, items, clause.vector)

        nothing = torch.zeros_like(implied)
        found = [
            understood("aspect", nothing.index_fill(0, torch.tensor(rows), 1.0), aspect=self.lexicon.attributes[rows[0]])
            for rows in dict.fromkeys(m.rows for m in mentions if m.kind == "aspect")
        ]
        found += [understood("item", nothing, items=m.rows) for m in mentions if m.kind == "item" and m.rows]
        best = int(implied.argmax()) if len(implied) else 0
        share = float(implied[best]) if len(implied) else 0.0
        if not found and not mentions:
            name = self.lexicon.attributes[best] if share >= _SURE_AT_LEAST else None
            found = [understood("aspect" if name else "intent", implied, aspect=name)]
        elif clause.cues.turn is None and share >= _IMPLIED_AT_LEAST and all(m.kind == "aspect" for m in mentions):
            weight = min(1.0, 2 * share)
            found.append(
                understood("aspect", nothing.index_fill(0, torch.tensor([best]), weight), aspect=self.lexicon.attributes[best])
            )
        return found


def _named(mentions: Sequence[Mention], span: Span, cues: Cues) -> tuple[Mention, ...]:
    """Names in a clause, without those that something is only compared with."""
    within = (mention for mention in mentions if span[0] <= mention.span[0] < span[1])
    return tuple(mention for mention in within if not _is_within(mention, cues.references))


def _is_within(mention: Mention, ranges: Sequence[Span]) -> bool:
    return any(start <= mention.span[0] < end for start, end in ranges)


def _merge(clauses: Sequence[_Clause]) -> list[_Clause]:
    """Neighbours that say the same thing in the same direction become one; a clause that names something leads."""
    merged: list[_Clause] = []
    for clause in clauses:
        last = merged[-1] if merged else None
        alike = last is not None and last.heading == clause.heading and not (last.mentions and clause.mentions)
        if last is None or not alike or clause.heading == NEUTRAL:
            merged.append(clause)
            continue
        same = bool(last.mentions or clause.mentions) or int(last.implied.argmax()) == int(clause.implied.argmax())
        if not same:
            merged.append(clause)
            continue
        lead = clause if clause.mentions and not last.mentions else last
        span = (last.span[0], clause.span[1])
        merged[-1] = replace(lead, span=span)
    return merged
