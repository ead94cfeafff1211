"""Judge a bundle on what its training held out: RecBole's metrics without feedback, and simulated critics.

Whatever is said comes from simulated users, in phrasings and by users that no critic of training had.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.evaluation import probes
from recbole_llmfb.evaluation.heldout import HeldOut, Part, rebuild
from recbole_llmfb.evaluation.methods import OURS
from recbole_llmfb.evaluation.protocol import Partner, cast_roles, comparisons, performances, play
from recbole_llmfb.evaluation.ranking import QuietRanker, rank_users
from recbole_llmfb.evaluation.report import Critics, Report, Speed
from recbole_llmfb.evaluation.rivals import frozen_cosine, keyword_filter, oracle_filter, paging, remembered
from recbole_llmfb.evaluation.speed import measure
from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.encoder import DEFAULT_ENCODER, Encoder
from recbole_llmfb.text.titles import distinct_titles
from recbole_llmfb.training.critic import Critic, Wording, is_critic_holdout
from recbole_llmfb.training.episodes import Method, hearing
from recbole_llmfb.training.phrases import PhraseBook, load_phrase_book

COSINE, ORACLE = "frozen cosine", "oracle filter"
_COSINE_WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_COSINE_EPISODES = 400
_NEUTRAL_USERS = 50
_TIMED_TEXTS = 100


def evaluate(
    bundle_path: str | Path,
    *,
    episodes: int = 2000,
    phrase_book: str | Path | None = None,
    seed: int = 0,
    split: Part = "test",
    config_dict: Mapping[str, Any] | None = None,
    device: str | None = None,
    timed_calls: int = 240,
) -> Report:
    """Everything that a bundle is judged by.

    Args:
        bundle_path: a bundle, or a folder of bundles (its champion).
        episodes: simulated conversations, half of them literal, half indirect.
        phrase_book: another phrase book for the critics; its test share is used. Without it, the one of training.
        seed: of who wants what, what they say, and of the intervals' draws.
        split: what is judged: "test", or "valid" while a model is developed, with the phrasings of that share.
        config_dict: configuration keys that differ on this machine, such as `data_path`.
        device: of the encoder; CUDA where there is one, unless given.
        timed_calls: of `Recommender.respond`; 0 leaves its speed out.

    Raises:
        BundleError: a bundle that is damaged, holds nothing out, or belongs to other data.
        ConfigError, DataError: data or a phrase book that cannot be read.
        UsageError: fewer than ten episodes.
    """
    if episodes < 10:
        raise UsageError(f"episodes={episodes}: ask for ten at least")
    bundle = load_bundle(bundle_path)
    stage = Stage.of(
        bundle, rebuild(bundle, split, config_dict), device or ("cuda" if torch.cuda.is_available() else "cpu"), seed
    )
    ranked = rank_users(QuietRanker(stage.scorer, stage.held.histories, stage.held.user_field), stage.held.loader)
    report = Report(
        bundle=bundle.version,
        dataset=str(bundle.manifest.configuration["dataset"]),
        split=bundle.manifest.fingerprints["split"],
        part=split,
        seed=seed,
        ranking=ranked.estimates(seed=seed),
    )
    if not bundle.attributes:
        return report
    whole = load_phrase_book(phrase_book or _phrase_book_of(bundle))
    return report.model_copy(update=_of_words(stage, whole, split, episodes, timed_calls))


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A bundle ready to be judged. heard: the feedback part of what users say; it remembers what it has read."""

    bundle: Bundle
    held: HeldOut
    scorer: Scorer
    heard: Method
    device: str
    seed: int

    @classmethod
    def of(cls, bundle: Bundle, held: HeldOut, device: str, seed: int) -> "Stage":
        scorer = bundle.scorer().freeze()
        return cls(bundle, held, scorer, hearing(scorer, bundle.reader(device=device)), device, seed)

    def critic(self, book: PhraseBook) -> Critic:
        titles = distinct_titles(self.bundle.lexicon().names)
        return Critic(self.bundle.attributes, self.scorer.membership.numpy() > 0, titles, book)

    def ours(self, histories: Tensor) -> Method:
        """LLMFB as a partner."""
        quiet = self.scorer(histories)
        return lambda talks: quiet + self.heard(talks)

    def holdout_users(self) -> NDArray[np.int64]:
        """Users (B,) whom the critics of evaluation speak for."""
        users = np.unique(self.held.part.users)
        return users[is_critic_holdout(users)]

    @torch.inference_mode()
    def lists(self) -> Tensor:
        """Scores (B, I) of those users before anybody speaks, minus infinity for what they have."""
        users = torch.from_numpy(self.holdout_users())
        seen = self.held.histories[users]
        had = seen if self.held.hidden is None else seen + self.held.hidden[users]
        return self.scorer(seen).masked_fill(had > 0, -torch.inf)  # type: ignore[no-any-return]


@torch.inference_mode()
def _of_words(stage: Stage, whole: PhraseBook, split: Part, episodes: int, timed_calls: int) -> dict[str, Any]:
    """The fields of a report about what simulated users say."""
    book, quiet, membership = whole.share(split), stage.lists(), stage.scorer.membership
    return {
        "critics": _critics(stage, whole, split, episodes),
        "negation": probes.negation(quiet, stage.heard, membership, stage.bundle.attributes, book.less, seed=stage.seed),
        "neutral": probes.neutral(quiet[:_NEUTRAL_USERS], stage.heard, book.neutral),
        "speed": _speed(stage, book, timed_calls) if timed_calls else None,
    }


def _critics(stage: Stage, whole: PhraseBook, split: Part, episodes: int) -> Critics:
    """Every method in the same conversations."""
    held, book, seed = stage.held, whole.share(split), stage.seed
    cosine = _Cosine.of(stage)
    weight = _cosine_weight(stage, cosine, whole, min(episodes, _COSINE_EPISODES))
    roles = cast_roles(held.part.users, held.part.items, episodes, seed=seed, wordings=_wordings(stage, book))
    lexicon = stage.bundle.lexicon()
    has = stage.scorer.membership
    partners: dict[str, Partner] = {
        OURS: stage.ours,
        "paging": lambda seen: paging(stage.scorer(seen)),
        "keyword filter": lambda seen: keyword_filter(stage.scorer(seen), lexicon, has),
        COSINE: lambda seen: cosine.partner(seen, weight),
        ORACLE: lambda seen: oracle_filter(stage.scorer(seen), has),
    }
    played = play(partners, stage.critic(book), roles, held.histories, hidden=held.hidden, seed=seed)
    return Critics(
        phrase_book=whole.fingerprint,
        cosine_weight=weight,
        performance={name: performances(outcomes, roles, seed=seed) for name, outcomes in played.items()},
        over={name: comparisons(played[OURS], other, roles, seed=seed) for name, other in played.items() if name != OURS},
        users=tuple(roles.users.tolist()),
        targets=tuple(roles.targets.tolist()),
        wordings=roles.wordings,
        found={name: tuple(outcomes.found.tolist()) for name, outcomes in played.items()},
    )


def _wordings(stage: Stage, book: PhraseBook) -> tuple[Wording, ...]:
    """Indirect critiques only where the book has words for an attribute of this catalogue."""
    return ("literal", "indirect") if book.indirect.keys() & set(stage.bundle.attributes) else ("literal",)


@dataclass(frozen=True, slots=True, eq=False)
class _Cosine:
    """The encoder as it was before training. items: (I, D) vectors of the items' texts, zero for none."""

    scorer: Scorer
    encode: Callable[[Sequence[str]], Tensor]
    items: Tensor

    @classmethod
    def of(cls, stage: Stage) -> "_Cosine":
        saved, texts = stage.bundle.manifest.configuration, stage.bundle.items["text"].tolist()
        revision = saved.get("encoder_revision")
        encoder = Encoder.load(
            str(saved.get("encoder") or DEFAULT_ENCODER),
            revision=str(revision) if revision else None,
            max_tokens=stage.bundle.manifest.encoder_max_tokens,
        )
        encode = remembered(encoder.to(stage.device).eval())
        return cls(stage.scorer, encode, encode(texts) * torch.tensor([[bool(text)] for text in texts]))

    def partner(self, histories: Tensor, weight: float) -> Method:
        return frozen_cosine(self.scorer(histories), self.encode, self.items, weight)


def _cosine_weight(stage: Stage, cosine: _Cosine, whole: PhraseBook, episodes: int) -> float:
    """The weight that succeeds most often on validation: its interactions, its phrasings, and the users of training."""
    held, book = stage.held, whole.share("valid")
    wordings = _wordings(stage, book)
    roles = cast_roles(held.valid.users, held.valid.items, episodes, seed=stage.seed, wordings=wordings, holdout=False)
    partners = {str(weight): partial(cosine.partner, weight=weight) for weight in _COSINE_WEIGHTS}
    played = play(partners, stage.critic(book), roles, held.histories, seed=stage.seed, label=f"weight of {COSINE}")
    return max(_COSINE_WEIGHTS, key=lambda weight: played[str(weight)].success().mean())


def _speed(stage: Stage, book: PhraseBook, calls: int) -> Speed:
    """Time answers to critiques and small talk, as their lengths come."""
    random, critic = np.random.default_rng(stage.seed), stage.critic(book)
    wordings = _wordings(stage, book)
    said = [critic.about(("more", "less")[i % 2], wordings[i // 2 % len(wordings)], random) for i in range(_TIMED_TEXTS)]
    users = [str(user) for user in random.permutation(np.array(stage.bundle.histories.users, dtype=object))]
    recommender = Recommender(stage.bundle, device=stage.device)
    encoder = stage.bundle.encoder().to(stage.device).eval()
    return measure(recommender, encoder, [one.text for one in said], users, calls=calls)


def _phrase_book_of(bundle: Bundle) -> str | None:
    """The phrase book that the bundle's critics learned from; None for the one of the package."""
    path = bundle.manifest.configuration.get("phrase_book")
    return str(path) if path else None
