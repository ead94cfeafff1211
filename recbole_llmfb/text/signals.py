"""An utterance becomes signals: what it is about, in which direction, how strongly.

Rules split it into clauses, the lexicon finds what is named, and a trained head reads from the encoder the polarity of each
clause and the attribute that it means without naming it. Cues of the grammar make a signal weaker or drop it, and give the
direction where there is no doubt ("instead of X"). One pass of the encoder serves all clauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import STANCES, Reading, Signal, Stance
from recbole_llmfb.text.clause_reading import NEGATIVE as NEGATIVE
from recbole_llmfb.text.clause_reading import NEUTRAL as NEUTRAL
from recbole_llmfb.text.clause_reading import POSITIVE as POSITIVE
from recbole_llmfb.text.clause_reading import ClauseReading, merge, names_in
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.cues import Cues, cues, without_references
from recbole_llmfb.text.encoder import Encoder, Span
from recbole_llmfb.text.lexicon import Lexicon, Mention
from recbole_llmfb.text.script import LACKING, Vocabulary, language

POLARITIES = (-1.0, 0.0, 1.0)

_IMPLIED_AT_LEAST = 0.25  # share of a clause that an attribute must hold to count beside one that is named
_READ_TOGETHER = 4  # clauses at most
_SURE_AT_LEAST = 0.5  # share at which an implied attribute is called by its name


class ReadingHead(nn.Module):
    """Polarity and implied attribute of clauses, from their vectors.

    Attributes are known by the vectors of their names, so that a new one needs no training: `names` (A, D), a buffer. So is
    `neutral_from`: the probability of small talk from which a clause that names nothing says nothing; and `temperature` (2,) of
    polarity and attributes, which makes probabilities as sure as they are right on phrasings that training did not see
    (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017); and `lean` (3,), added to the logits of polarity, so that
    neither direction is read more often than it is meant. All are tuned on validation.

    `stance` towards what was shown, from the vector of a whole utterance, is there where labelled texts train it.
    """

    names: Tensor
    neutral_from: Tensor
    temperature: Tensor
    lean: Tensor

    def __init__(self, n_attributes: int, width: int, *, hidden: int = 128, drop: float = 0.2, stance: bool = False) -> None:
        super().__init__()
        self.register_buffer("names", torch.zeros(n_attributes, width))
        self.register_buffer("neutral_from", torch.tensor(0.5))
        self.register_buffer("temperature", torch.ones(2))
        self.register_buffer("lean", torch.zeros(3))
        self.polarity = _classifier(width, hidden, len(POLARITIES), drop)
        self.query = nn.Sequential(nn.Dropout(drop), nn.Linear(width, hidden))
        self.key = nn.Linear(width, hidden, bias=False)
        self.residual = nn.Parameter(torch.zeros(n_attributes, hidden))
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.nothing = nn.Parameter(torch.tensor(2.0))
        self.stance = _classifier(width, hidden, len(STANCES), drop) if stance else None

    def forward(self, vectors: Tensor, names: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(S, D) -> logits of `POLARITIES` (S, 3) and of the attributes, the last column for none of them (S, A + 1)."""
        keys = self.key(self.names if names is None else names) + self.residual
        spread = _spread(vectors)
        alike = self.scale * normalize(self.query(spread), dim=1) @ normalize(keys, dim=1).T
        polarity, implied = self.polarity(spread), torch.cat([alike, self.nothing.expand(len(vectors), 1)], dim=1)
        if self.training:
            return polarity, implied
        return polarity / self.temperature[0] + self.lean, implied / self.temperature[1]

    def stances(self, vectors: Tensor) -> Tensor:
        """Vectors of whole utterances (B, D) -> logits of `STANCES` (B, 3). Raises UsageError for a head without stance."""
        if self.stance is None:
            raise UsageError("this head reads no stance: train with `labelled_texts`")
        logits: Tensor = self.stance(_spread(vectors))
        return logits


def _classifier(width: int, hidden: int, classes: int, drop: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(drop), nn.Linear(width, hidden), nn.GELU(), nn.Dropout(drop), nn.Linear(hidden, classes))


def _spread(vectors: Tensor) -> Tensor:
    """Unit vectors have entries far below 1, from which layers learn slowly."""
    return vectors * float(vectors.shape[1] ** 0.5)


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


class _Clauses(NamedTuple):
    """The clauses of a text before they are read. parts: of each its span, cues, names, and whether it is read with all that was
    said. words: what the encoder reads for each."""

    mentions: list[Mention]
    parts: list[tuple[Span, Cues, tuple[Mention, ...], bool]]
    words: list[str]


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
            found = {i: self._clauses(texts[i], spans[i]) for i in chosen}
            vectors = self.encoder.texts([words for i in chosen for words in found[i].words])
            polarity, implied = (logits.softmax(dim=1).cpu() for logits in self.head(vectors))
            rows = iter(zip(polarity, implied, vectors.cpu(), strict=True))
            stances = self._stances([texts[i] for i in chosen])
            for i, stance in zip(chosen, stances, strict=True):
                mentions = found[i].mentions
                clauses = [ClauseReading(*parts, *next(rows), neutral_from) for parts in found[i].parts]
                answer[i] = self._utterance(texts[i], clauses, mentions, stance)
        return answer

    def _clauses(self, text: str, spans: Sequence[Span]) -> _Clauses:
        """What grammar and lexicon find, and the words that the encoder reads for each clause: its own, or all of them for the
        one clause that names something, because what follows may still turn it ("horror had me once, but now it bores me").
        A talk of many clauses is no such sentence, nor is one with another wish in it ("less violence, more romance").
        """
        mentions, by_clause = self.lexicon.find(text), [cues(text, span) for span in spans]
        names = [names_in(mentions, span, one) for span, one in zip(spans, by_clause, strict=True)]
        words = [without_references(text, span, one.references) for span, one in zip(spans, by_clause, strict=True)]
        whole = [False] * len(spans)
        if sum(map(bool, names)) == 1 and len(spans) <= _READ_TOGETHER:
            naming = next(place for place, of_clause in enumerate(names) if of_clause)
            if not any(one.wishes for place, one in enumerate(by_clause) if place != naming):
                references = tuple(reference for one in by_clause for reference in one.references)
                words[naming] = without_references(text, (0, len(text)), references)
                whole[naming] = len(spans) > 1
        return _Clauses(mentions, list(zip(spans, by_clause, names, whole, strict=True)), words)

    def _stances(self, texts: Sequence[str]) -> list[Stance | None]:
        """Towards what was shown, which clauses by themselves do not tell; None for all where the head has not learned it."""
        if self.head.stance is None:
            return [None] * len(texts)
        return [STANCES[row] for row in self.head.stances(self.encoder.texts(texts)).argmax(dim=1).tolist()]

    def _unreadable(self, text: str, spans: Sequence[Span]) -> str | None:
        if not spans:
            return "nothing was said"
        return None if self._vocabulary.can_read(text) else LACKING

    def _utterance(
        self, text: str, clauses: Sequence[ClauseReading], mentions: Sequence[Mention], stance: Stance | None
    ) -> Utterance:
        turned: list[ClauseReading] = []
        beside = len(clauses) > 1 and any(clause.heading != NEUTRAL for clause in clauses)
        for clause in clauses:
            turned.append(replace(clause, beside=beside).turned(turned[-1] if turned else None))
        understood = [one for clause in merge(turned) for one in self._signals(text, clause)]
        notes = tuple(dict.fromkeys(mention.note for mention in mentions if mention.note))
        unclear = next((mention.note for mention in mentions if not mention.rows), None)
        reason = None if understood else unclear or "no wish was understood in this"
        signals = tuple(one.signal for one in understood)
        reading = Reading(text=text, signals=signals, reason=reason, language=language(text), notes=notes, stance=stance)
        return Utterance(reading, tuple(understood))

    def _signals(self, text: str, clause: ClauseReading) -> list[Understood]:
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
        elif (
            clause.cues.turn is None
            and not clause.whole
            and share >= _IMPLIED_AT_LEAST
            and all(m.kind == "aspect" for m in mentions)
        ):
            weight = min(1.0, 2 * share)
            found.append(
                understood("aspect", nothing.index_fill(0, torch.tensor([best]), weight), aspect=self.lexicon.attributes[best])
            )
        return found


def _beside(share: float, mentions: Sequence[Mention]) -> bool:
    """Whether an implied attribute counts beside attributes that are named."""
    return share >= _IMPLIED_AT_LEAST and all(mention.kind == "aspect" for mention in mentions)
