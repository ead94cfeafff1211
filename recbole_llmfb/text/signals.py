"""An utterance becomes signals: what it is about, in which direction, how strongly.

Rules split it into clauses, the lexicon finds what is named, and a trained head reads from the encoder the polarity of each
clause and the attribute that it means without naming it. One pass of the encoder serves all clauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import STANCES, Reading, Signal, Stance
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.encoder import Encoder, Span
from recbole_llmfb.text.lexicon import Lexicon, Mention

POLARITIES = (-1.0, 0.0, 1.0)
NEGATIVE, NEUTRAL, POSITIVE = range(3)

_IMPLIED_AT_LEAST = 0.25  # share of a clause that an attribute must hold to count beside one that is named
_SURE_AT_LEAST = 0.5  # share at which an implied attribute is called by its name
_UNKNOWN_TOKENS_AT_MOST = 0.3


class ReadingHead(nn.Module):
    """Polarity and implied attribute of clauses, from their vectors.

    Attributes are known by the vectors of their names, so that a new one needs no training: `names` (A, D), a buffer. So is
    `neutral_from`: the probability of small talk from which a clause that names nothing says nothing; and `temperature` (2,) of
    polarity and attributes, which makes probabilities as sure as they are right on phrasings that training did not see
    (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). Both are tuned on validation.

    `stance` towards what was shown, from the vector of a whole utterance, is there where labelled texts train it.
    """

    names: Tensor
    neutral_from: Tensor
    temperature: Tensor

    def __init__(self, n_attributes: int, width: int, *, hidden: int = 128, drop: float = 0.2, stance: bool = False) -> None:
        super().__init__()
        self.register_buffer("names", torch.zeros(n_attributes, width))
        self.register_buffer("neutral_from", torch.tensor(0.5))
        self.register_buffer("temperature", torch.ones(2))
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
        return polarity / self.temperature[0], implied / self.temperature[1]

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


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause with its two readings, before they become signals. neutral_from: see `ReadingHead`."""

    span: Span
    polarity: Tensor  # (3,) probabilities
    implied: Tensor  # (A + 1,) probabilities
    vector: Tensor  # (D,)
    neutral_from: float
    mentions: tuple[Mention, ...] = field(default=())

    @property
    def heading(self) -> int:
        """Which polarity the clause has; one that names nothing must be clearly more than talk."""
        if not self.mentions and float(self.polarity[NEUTRAL]) >= self.neutral_from:
            return NEUTRAL
        return int(self.polarity.argmax())


class Reader:
    """Reads utterances with a fine-tuned encoder, its head, and the names of a catalogue."""

    def __init__(self, encoder: Encoder, head: ReadingHead, lexicon: Lexicon, items: Sequence[str]) -> None:
        """items: external ids of the catalogue, in the order of the lexicon's titles."""
        self.encoder, self.head, self.lexicon, self.items = encoder, head, lexicon, items

    @torch.inference_mode()
    def read(self, texts: Sequence[str], *, batch_size: int = 64) -> list[Utterance]:
        """Utterances in the order of the texts; a text that says nothing understood has no signal, and a reason."""
        clauses = [split(text) for text in texts]
        reasons = [self._unreadable(text, spans) for text, spans in zip(texts, clauses, strict=True)]
        answer = [Utterance(Reading(text=text, reason=reason)) for text, reason in zip(texts, reasons, strict=True)]
        neutral_from = float(self.head.neutral_from)
        readable = sorted((i for i, reason in enumerate(reasons) if reason is None), key=lambda i: len(texts[i]))
        for start in range(0, len(readable), batch_size):
            chosen = readable[start : start + batch_size]
            vectors = self.encoder.spans([texts[i] for i in chosen], [clauses[i] for i in chosen])
            polarity, implied = (logits.softmax(dim=1).cpu() for logits in self.head(vectors))
            rows = iter(zip(polarity, implied, vectors.cpu(), strict=True))
            stances = self._stances([texts[i] for i in chosen])
            for i, stance in zip(chosen, stances, strict=True):
                read = [_Clause(span, *next(rows), neutral_from) for span in clauses[i]]
                answer[i] = self._utterance(texts[i], read, stance)
        return answer

    def _stances(self, texts: Sequence[str]) -> list[Stance | None]:
        """Towards what was shown, which clauses by themselves do not tell; None for all where the head has not learned it."""
        if self.head.stance is None:
            return [None] * len(texts)
        return [STANCES[row] for row in self.head.stances(self.encoder.texts(texts)).argmax(dim=1).tolist()]

    def _unreadable(self, text: str, spans: Sequence[Span]) -> str | None:
        if not spans:
            return "nothing was said"
        ids = self.encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
        unknown = sum(token == self.encoder.tokenizer.unk_token_id for token in ids)
        if unknown > _UNKNOWN_TOKENS_AT_MOST * len(ids):
            return "the encoder's vocabulary lacks most of this text's characters"
        return None

    def _utterance(self, text: str, clauses: Sequence[_Clause], stance: Stance | None) -> Utterance:
        mentions = self.lexicon.find(text)
        named = [
            replace(clause, mentions=tuple(m for m in mentions if clause.span[0] <= m.span[0] < clause.span[1]))
            for clause in clauses
        ]
        understood = [one for clause in _merge(named) for one in self._signals(text, clause)]
        reason = None if understood else "no wish was understood in this"
        signals = tuple(one.signal for one in understood)
        return Utterance(Reading(text=text, signals=signals, reason=reason, stance=stance), tuple(understood))

    def _signals(self, text: str, clause: _Clause) -> list[Understood]:
        """Signals of one clause: one for each name in it, and one for what it implies."""
        if clause.heading == NEUTRAL:
            return []
        polarity = float(clause.polarity[POSITIVE] - clause.polarity[NEGATIVE])
        strength = abs(polarity) * float(clause.polarity[clause.heading])  # one that may mean the opposite had better do little
        implied = clause.implied[:-1].clone()
        for mention in clause.mentions:
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
                item=self.items[items[0]] if len(items) == 1 else None,
            )
            return Understood(signal, aspects, items, clause.vector)

        nothing = torch.zeros_like(implied)
        found = [
            understood("aspect", nothing.index_fill(0, torch.tensor(rows), 1.0), aspect=self.lexicon.attributes[rows[0]])
            for rows in dict.fromkeys(m.rows for m in clause.mentions if m.kind == "aspect")
        ]
        found += [understood("item", nothing, items=m.rows) for m in clause.mentions if m.kind == "item"]
        best = int(implied.argmax()) if len(implied) else 0
        share = float(implied[best]) if len(implied) else 0.0
        if not found:
            name = self.lexicon.attributes[best] if share >= _SURE_AT_LEAST else None
            found = [understood("aspect" if name else "intent", implied, aspect=name)]
        elif share >= _IMPLIED_AT_LEAST and all(m.kind == "aspect" for m in clause.mentions):
            weight = min(1.0, 2 * share)
            found.append(
                understood("aspect", nothing.index_fill(0, torch.tensor([best]), weight), aspect=self.lexicon.attributes[best])
            )
        return found


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
