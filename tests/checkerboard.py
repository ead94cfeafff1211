"""A small catalogue with a known structure, and a bundle of it that needs no training.

Checkerboard: twenty stones, even and odd; even users have even ones, odd users odd ones.
"""

from pathlib import Path

import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from recbole_llmfb.bundle import write_bundle
from recbole_llmfb.ranking.collaborative import LinearOptions, fit_linear, standardize
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import NEGATIVE, NEUTRAL, POSITIVE, ReadingHead

STONES, USERS, EACH = 20, 12, 6
ATTRIBUTES = ["1980s", "1990s", "even", "odd"]

_WANTED = ["more {} ones please", "I love {} stones", "something {}", "show me {} ones", "give me {} stones", "big fan of {}"]
_UNWANTED = ["no more {} ones", "less {} please", "I hate {} stones", "not {} again", "too much {}", "stop showing me {} ones"]
_TALK = ["hello", "thanks", "good morning", "how are you", "ok then", "see you later", "thank you so much", "what time is it"]
_THINGS = ["even", "odd", "round", "from the 1980s", "from the 1990s"]


def histories() -> dict[str, list[int]]:
    """Six items of each user's own parity, never the same six for two neighbours."""
    random = torch.Generator().manual_seed(0)
    mine = [torch.arange(user % 2, STONES, 2)[torch.randperm(STONES // 2, generator=random)[:EACH]] for user in range(USERS)]
    return {f"u{user}": rows.tolist() for user, rows in enumerate(mine)}


def stones() -> pd.DataFrame:
    """Ids are words, titles are as catalogues write them: "Stone 3, The"."""
    rows = [
        (f"stone-{n}", f"Stone {n}, The", ["odd" if n % 2 else "even", "1990s" if n % 4 > 1 else "1980s"]) for n in range(STONES)
    ]
    table = pd.DataFrame(rows, columns=["item", "title", "attributes"])
    table["text"] = [f"{title}. {', '.join(names)}" for title, names in zip(table["title"], table["attributes"], strict=True)]
    have = [row for rows in histories().values() for row in rows]
    return table[["item", "title", "text", "attributes"]].assign(popularity=[have.count(row) for row in range(STONES)])


def build_scorer(encoder: Encoder, *, rank: int = 16, talk: int = 0) -> Scorer:
    """Fitted in closed form where it can be; the rest is random, but the same every time. talk: whether it hears whole talks."""
    torch.manual_seed(0)
    table = stones()
    scorer = Scorer(Shape(STONES, len(ATTRIBUTES), encoder.width, rank=rank, hidden=8, talk=talk))
    interactions = torch.zeros(USERS, STONES)
    for user, rows in enumerate(histories().values()):
        interactions[user, rows] = 1
    for item, names in enumerate(table["attributes"]):
        scorer.membership[[ATTRIBUTES.index(name) for name in names], item] = 1
    scorer.item_text.copy_(encoder.embed(table["text"].tolist()))
    scorer.linear.copy_(
        fit_linear(
            interactions, scorer.item_text, scorer.membership, LinearOptions(ridge=2.0, text_weight=0.5, attribute_weight=0.5)
        )
    )
    scorer.mix.copy_(torch.tensor([1.0, 0.0, 0.2, 0.3, 0.1]))
    if talk:
        scorer.talk.text.copy_(scorer.item_text)
    with torch.no_grad():
        scorer.intent.weight.copy_(scorer.project.weight)
        scorer.popularity.copy_(standardize(interactions.sum(dim=0)[None])[0])
    return scorer.eval()


def build_head(encoder: Encoder) -> ReadingHead:
    """A head that has learned a few hundred clauses by heart, alone and after another one."""
    torch.manual_seed(0)
    head = ReadingHead(len(ATTRIBUTES), encoder.width, drop=0.0)
    head.names.copy_(encoder.embed(ATTRIBUTES))
    wanted = [(form.format(thing), thing, POSITIVE) for form in _WANTED for thing in _THINGS]
    unwanted = [(form.format(thing), thing, NEGATIVE) for form in _UNWANTED for thing in _THINGS]
    talk = [(text, "", NEUTRAL) for text in _TALK]
    alone = [[clause] for clause in (*wanted, *unwanted, *talk)]
    pairs = [[one, other] for one, other in zip(wanted, reversed(unwanted), strict=True)]
    lessons = [*alone, *pairs, *(pair[::-1] for pair in pairs), *([one, other] for one, other in zip(talk, wanted, strict=False))]
    texts = [". ".join(text for text, _, _ in lesson) for lesson in lessons]
    clauses = [clause for lesson in lessons for clause in lesson]
    with torch.no_grad():
        vectors = encoder.spans(texts, [split(text) for text in texts])
    polarity = torch.tensor([direction for _, _, direction in clauses])
    known = {"even": 2, "odd": 3, "from the 1980s": 0, "from the 1990s": 1}
    aspect = torch.tensor([known.get(thing, len(ATTRIBUTES)) for _, thing, _ in clauses])
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-3)
    for _ in range(60):
        said, meant = head(vectors)
        optimizer.zero_grad()
        (cross_entropy(said, polarity) + cross_entropy(meant, aspect)).backward()
        optimizer.step()
    return head.eval()


def write(root: Path, encoder: Encoder, *, scorer: Scorer, head: ReadingHead, **changes: object) -> Path:
    """Write a bundle of the checkerboard; `changes` replace arguments of `write_bundle`."""
    arguments = {
        "items": stones(),
        "attributes": ATTRIBUTES,
        "histories": histories(),
        "configuration": {"feedback_half_life_days": 30.0, "model": "LLMFB"},
        "metrics": {"ndcg@10": 0.25},
        "fingerprints": {"data": "d", "split": "s"},
        "watermark": {},
    }
    return write_bundle(root, scorer=scorer, head=head, encoder=encoder, **{**arguments, **changes})  # type: ignore[arg-type]
