"""LLMFB: collaborative embeddings fused with a fine-tuned BERT encoder of what items and users say, as a RecBole model."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch import Tensor
from torch.nn.functional import cross_entropy

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.ranking.collaborative import LinearOptions, cross_fit_linear, fit_linear, standardize
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.ranking.preference import Wishes
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.text.signals import Reader, ReadingHead
from recbole_llmfb.text.titles import distinct_titles
from recbole_llmfb.training.catalogue import Catalogue
from recbole_llmfb.training.critic import Critic
from recbole_llmfb.training.critic_lessons import CriticLessons, Critiqued
from recbole_llmfb.training.dataset import ROW_ID
from recbole_llmfb.training.episodes import Method, listener
from recbole_llmfb.training.heard import Heard
from recbole_llmfb.training.influence import matrices
from recbole_llmfb.training.labels import read_labels
from recbole_llmfb.training.lessons import Teacher
from recbole_llmfb.training.objectives import reading_loss
from recbole_llmfb.training.phrases import load_phrase_book
from recbole_llmfb.training.stances import StanceLessons
from recbole_llmfb.training.talk_objective import TalkObjective
from recbole_llmfb.training.tuning import TunedEncoder
from recbole_llmfb.training.word_features import shared_words

FORMS = ("linear", "factor", "autoencoder")
DAY = 86_400.0
_ITEMS_SHARE = 1 / 8  # of the texts of a step that take a gradient; the rest are clauses


class LLMFB(GeneralRecommender):
    """score(u, i) = collaborative + text + feedback + bias, all four from `ranking.fusion.Scorer`.

    RecBole's item 0 is padding: internally there are I = n_items - 1 items, and RecBole's item i is row i - 1.
    """

    input_type = InputType.POINTWISE

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.options = config
        self.catalogue = Catalogue.from_dataset(dataset, attribute_min_items=config["attribute_min_items"])
        self.histories, self.influence = matrices(dataset, ROW_ID)  # (U, I): what users have, and what counts for others
        plain = Encoder.load(config["encoder"], revision=config["encoder_revision"], max_tokens=config["encoder_max_tokens"])
        self.encoder = TunedEncoder(
            plain, config["encoder_tuning"], lora_rank=config["lora_rank"], drop=config["encoder_dropout"]
        )
        self.catalogue = replace(self.catalogue, texts=tuple(map(self.encoder.beginning, self.catalogue.texts)))
        attributes = self.catalogue.attributes
        self.talks = TalkObjective.of(dataset, self.histories)
        dialogues = self.talks.conversations.dialogues if self.talks else torch.zeros(0, dtype=torch.long)
        everybody = torch.arange(1, self.n_users)
        self.people = everybody[~torch.isin(everybody, dialogues)]  # users who are no dialogues
        self.scorer = Scorer(self._shape(), autoencoder_drop=config["autoencoder_drop"], factor_ridge=config["factor_ridge"])
        labelled = read_labels(config["labelled_texts"] or ())
        self.stances = StanceLessons(labelled) if labelled else None
        self.head = ReadingHead(len(attributes), self.encoder.width, stance=bool(labelled))
        lexicon = Lexicon(attributes, self.catalogue.titles, self.catalogue.item_texts)
        self.reader = Reader(self.encoder, self.head, lexicon, self.catalogue.ids)
        like = (len(attributes), self.encoder.width)
        self.heard = Heard(dataset, half_life=config["feedback_half_life_days"] * DAY, like=like, takes=config["feedback_taken"])
        self.temperature = torch.nn.Parameter(
            torch.tensor(1.0)
        )  # its logarithm; scores are no logits, and only training needs them to be
        self.random = np.random.default_rng(config["seed"])
        self.items_per_step = int(_ITEMS_SHARE * config["encoder_texts_per_step"])
        self._prepare(getattr(dataset, "item_factors", None))

    def _shape(self) -> Shape:
        config = self.options
        unknown = set(config["collaborative"]) - set(FORMS)
        if unknown or not config["collaborative"]:
            raise ConfigError("collaborative", config["collaborative"], remedy=f"name some of {', '.join(FORMS)}")
        if self.talks and "linear" not in config["collaborative"]:
            raise ConfigError("collaborative", config["collaborative"], remedy="name linear too: talks are learned beside it")
        if not 1 <= config["rank"] <= 64:
            raise ConfigError("rank", config["rank"], remedy="choose 1 to 64")
        return Shape(
            n_items=self.n_items - 1,
            n_attributes=len(self.catalogue.attributes),
            text_width=self.encoder.width,
            rank=config["rank"],
            hidden=config["autoencoder_hidden"] if "autoencoder" in config["collaborative"] else 0,
            n_factors=config["factor_width"] if "factor" in config["collaborative"] else 0,
            talk=len(self.talks.conversations.sources) if self.talks else 0,
            linear=int("linear" in config["collaborative"]),
        )

    def _prepare(self, item_factors: Tensor | None) -> None:
        """Everything in closed form: encoded items, linear weights, popularity, and the slates that critics are shown."""
        scorer = self.scorer
        if item_factors is not None:
            scorer.factors[:, : item_factors.shape[1]] = item_factors
        scorer.membership.copy_(torch.from_numpy(self.catalogue.membership).float())
        popularity = standardize(torch.log1p(self.influence.sum(dim=0))[None])[0]
        if self.talks:
            popularity = self.talks.conversations.popularity()
            scorer.popularity.requires_grad_(False)
            self.encoder.keep(self.talks.conversations.talks, dtype=torch.float16)
        with torch.no_grad():
            scorer.popularity.copy_(popularity)
        scorer.mix.copy_(torch.tensor([1.0 if form in self.options["collaborative"] else 0.0 for form in FORMS] + [0.1, 0.02]))
        self.encode_catalogue()
        if self.talks:
            scorer.talk.text.copy_(scorer.item_text)
        self.base = torch.zeros_like(self.histories)
        self.shared_words = shared_words(self.catalogue.documents) if self.options["linear_word_weight"] else None
        if "linear" in self.options["collaborative"]:
            self.fit_linear()
            order = self.people[torch.from_numpy(self.random.permutation(len(self.people)))]
            folds = [fold for fold in order.chunk(self.options["linear_folds"]) if len(fold)]
            args = (self._apart(), scorer.item_text, scorer.membership, self._linear_options())
            if args[0].any():
                self.base = standardize(cross_fit_linear(*args, folds, self.shared_words))
        seen = (self.base + scorer.mix[4] * scorer.bias()).masked_fill(self.histories > 0, -torch.inf)
        size = self.options["critic_slate_size"]
        slates = seen.topk(min(5 * size, scorer.shape.n_items), dim=1).indices.numpy()
        self.book = load_phrase_book(self.options["phrase_book"])
        count = self.options["critic_lessons"] if len(self.catalogue.attributes) else 0
        self.lessons = CriticLessons(Teacher(self.critic("train"), slates, slate_size=size), self.histories, count, self.random)
        self.encoder.keep(self.lessons.texts, dtype=torch.float16)
        if not self.lessons:
            self.head.neutral_from.zero_()  # nobody teaches the head to read: words that name nothing must say nothing
        self.encoder.keep(self.stances.texts if self.stances else [], dtype=torch.float16)

    def critic(self, share: Any) -> Critic:
        """A simulated user who knows one share of the phrasings: train, valid or test."""
        titles = distinct_titles(self.reader.lexicon.names)
        return Critic(self.catalogue.attributes, self.catalogue.membership, titles, self.book.share(share))

    def _linear_options(self) -> LinearOptions:
        config = self.options
        return LinearOptions(
            ridge=config["linear_ridge"],
            text_weight=config["linear_text_weight"],
            attribute_weight=config["linear_attribute_weight"],
            user_power=config["linear_user_power"],
            word_weight=config["linear_word_weight"],
        )

    def _apart(self) -> Tensor:
        """What counts (U, I) of the users who are no dialogues: sessions of a handful of items count by co-mention."""
        return self.talks.conversations.without_dialogues(self.influence) if self.talks else self.influence

    def fit_linear(self) -> None:
        scorer = self.scorer
        histories, side = self._apart(), (scorer.item_text, scorer.membership, self._linear_options(), self.shared_words)
        weights = torch.zeros_like(scorer.linear)
        if histories.any() or not self.talks:
            weights = fit_linear(histories, *side)
        if self.talks:
            weights = self.talks.conversations.collaborate(self.histories, weights, self.options["linear_talk_weight"])
        scorer.linear.copy_(weights)

    @torch.no_grad()
    def encode_catalogue(self) -> None:
        """Refresh the vectors of items and attribute names; they are stale as soon as the encoder has changed."""
        texts = self.catalogue.texts
        self.encoder.keep(texts)
        vectors = self.encoder.embed(texts)
        rows = torch.from_numpy(self.catalogue.text_rows)
        if texts:
            self.scorer.item_text.copy_(torch.where(rows[:, None] >= 0, vectors[rows.clamp(min=0)], 0.0))
        self.head.names.copy_(self.encoder.embed(list(self.catalogue.attributes)))

    def calculate_loss(self, interaction: Any) -> tuple[Tensor, ...]:
        """Losses of a batch of interactions: histories rebuilt, targets ranked with and without critique, clauses read."""
        config = self.options
        losses = [config["loss_weight_fusion"] * self._ranking_loss(interaction[: config["fusion_rows_per_step"]])]
        if self.scorer.autoencoder is not None:
            histories = self.influence[torch.unique(interaction[self.USER_ID]).cpu()].to(self.device)
            losses.append(config["loss_weight_autoencoder"] * self.scorer.autoencoder.loss(histories))
        if self.lessons:
            read = self.lessons.read(self.encoder, self.head, config["encoder_texts_per_step"] - self.items_per_step)
            losses.append(config["loss_weight_reading"] * reading_loss(self.scorer, *read))
            losses.append(config["loss_weight_fusion"] * self._critiqued_loss(self.lessons.critiqued(self.scorer, read)))
        if self.talks and config["talk_cases_per_step"]:
            cases = torch.randperm(len(self.talks.conversations))[: config["talk_cases_per_step"]]
            losses.append(config["loss_weight_talk"] * self.talks(self.scorer, self.encoder, cases))
        if self.stances:
            rows = self.stances.drawn(config["labelled_texts_per_step"])
            losses.append(config["loss_weight_stance"] * self.stances.loss(self.encoder, self.head, rows))
        return tuple(losses)

    def _ranking_loss(self, interaction: Any) -> Tensor:
        """Softmax over the catalogue without critics; trains the text part and the popularity prior.

        Where users have said something themselves, an interaction sees what was said before it.
        """
        users, rows = interaction[self.USER_ID], interaction[self.ITEM_ID] - 1
        histories, others = self._without_target(users, rows)
        scores = self._base(users) + self.scorer.text(histories, self._fresh_items(rows)) + self.scorer.bias()
        if self.heard.has_wishes:
            times = self.heard.interaction_time_us[interaction[ROW_ID].cpu().numpy()]
            scores = scores + self.scorer.feedback(self._heard_before(users, times), len(users))
        return self._softmax_loss(scores, others, rows, self.influence[users.cpu(), rows.cpu()].to(self.device))

    def _heard_before(self, users: Tensor, times_us: NDArray[np.int64]) -> Wishes | None:
        was_training = self.training
        self.eval()
        wishes = self.heard.wishes_at(users.tolist(), times_us.tolist(), self.reader)
        self.train(was_training)
        return wishes and wishes.to(self.device)

    def _fresh_items(self, rows: Tensor) -> Tensor:
        """Item vectors (I, D) of which a sample, the batch's first items, carries a gradient through the encoder."""
        vectors = self.scorer.item_text
        if not self.encoder.tuned or not self.training:
            return vectors
        sample = torch.unique(rows)
        sample = sample[torch.randperm(len(sample))[: self.items_per_step]]
        sample = sample[torch.from_numpy(self.catalogue.text_rows)[sample.cpu()] >= 0]
        if not len(sample):
            return vectors
        texts = [self.catalogue.texts[self.catalogue.text_rows[row]] for row in sample.tolist()]
        return vectors.index_copy(0, sample, self.encoder.texts(texts))

    def _without_target(self, users: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Histories (B, I) without the row's target, and a mask of those other items."""
        histories = self.histories[users.cpu()].to(self.device)
        histories = histories.scatter(1, rows[:, None], 0.0)
        return histories, histories > 0

    def _base(self, users: Tensor) -> Tensor:
        """Cross-fitted collaborative scores on the scale that they have in the mix: (B, I)."""
        return self.base[users.cpu()].to(self.device) * self.scorer.mix[:3].sum()

    def _critiqued_loss(self, critiqued: Critiqued | None) -> Tensor:
        """Softmax over the catalogue given what users said; trains how much a wish weighs."""
        if critiqued is None:
            return self.temperature * 0
        users, rows, wishes = critiqued
        _, others = self._without_target(users, rows)
        scores = self._base(users) + self.scorer.bias() * self.scorer.mix[4] + self.scorer.feedback(wishes, len(users))
        return self._softmax_loss(scores, others, rows)

    def _softmax_loss(self, scores: Tensor, others: Tensor, rows: Tensor, counts: Tensor | None = None) -> Tensor:
        """Cross-entropy of the targets `rows` (B,) over the catalogue without the users' `others` (B, I); counts: (B,)."""
        logits = (scores / self.temperature.exp()).masked_fill(others, -torch.inf)
        if counts is None or (counts == 1).all():
            return cross_entropy(logits, rows)
        return (counts * cross_entropy(logits, rows, reduction="none")).mean()

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of every item, RecBole's padding first: (B * n_items,)."""
        scores = self._scores(interaction[self.USER_ID])
        return torch.cat([torch.zeros_like(scores[:, :1]), scores], dim=1).view(-1)

    def predict(self, interaction: Any) -> Tensor:
        """Scores of pairs of user and item: (B,)."""
        rows = (interaction[self.ITEM_ID] - 1)[:, None]
        return self._scores(interaction[self.USER_ID]).gather(1, rows)[:, 0]

    def _scores(self, users: Tensor) -> Tensor:
        histories = self.heard.with_items(self.histories[users.cpu()], users.cpu().numpy()).to(self.device)
        wishes = self.heard.wishes(users.tolist(), self.reader)
        return self.scorer(histories, wishes and wishes.to(self.device))  # type: ignore[no-any-return]

    def listener(self, histories: Tensor) -> Method:
        """This model as a partner of simulated users: scores of every item, given histories (B, I) and what each user said."""
        return listener(self.scorer, self.reader, histories)
