"""Weights tuned on validation: the part that knows something gets its weight, and small talk its threshold."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import NEUTRAL, ReadingHead
from recbole_llmfb.training.critic import Critic
from recbole_llmfb.training.mixing import best_calibration, best_temperature, calibrate, tune_mix
from recbole_llmfb.training.phrases import PhraseBook, Share, load_phrase_book

ITEMS, USERS = 40, 30
FORMS = ["linear", "factor", "autoencoder"]
LINEAR, FACTOR, AUTOENCODER, TEXT, BIAS = range(5)


@pytest.fixture
def halves() -> tuple[Tensor, Tensor]:
    """Histories and held-out items: users like one half of the catalogue each."""
    torch.manual_seed(0)
    liked = (torch.arange(ITEMS) % 2 == torch.arange(USERS)[:, None] % 2).float()
    seen = liked * (torch.rand(USERS, ITEMS) < 0.5)
    return seen, liked * (1 - seen) * (torch.rand(USERS, ITEMS) < 0.4)


def know_the_halves(scorer: Scorer, part: int) -> None:
    """Give one part of a scorer what a user of one half likes; leave the others noise."""
    same = (torch.arange(ITEMS)[:, None] % 2 == torch.arange(ITEMS) % 2).float()
    sides = torch.nn.functional.one_hot(torch.arange(ITEMS) % 2, 2).float()
    if part == LINEAR:
        scorer.linear.copy_(same)
    elif part == FACTOR:
        scorer.factors.copy_(sides)
    elif part == AUTOENCODER:
        scorer.autoencoder.encode.weight.copy_(5 * sides.T)
        scorer.autoencoder.decode.weight.copy_(5 * sides)
        scorer.autoencoder.encode.bias.zero_()
        scorer.autoencoder.decode.bias.zero_()
    elif part == TEXT:
        scorer.item_text.copy_(sides)
        scorer.project.weight.copy_(torch.eye(2))


def noise() -> Scorer:
    torch.manual_seed(1)
    scorer = Scorer(Shape(ITEMS, 0, 2, rank=2, hidden=2, n_factors=2)).eval().requires_grad_(False)
    for name in ("linear", "factors", "item_text", "popularity"):
        getattr(scorer, name).normal_()
    return scorer


def tune(scorer: Scorer, histories: Tensor, held_out: Tensor, used: list[str]) -> float:
    """As after a training epoch; RecBole's ids are rows plus one."""
    user, item = held_out.nonzero(as_tuple=True)
    model = SimpleNamespace(
        n_users=len(histories) + 1,
        n_items=ITEMS + 1,
        USER_ID="user_id",
        ITEM_ID="item_id",
        histories=torch.cat([torch.zeros(1, ITEMS), histories]),
        device=torch.device("cpu"),
        scorer=scorer,
        options={"collaborative": used},
    )
    interactions = {"user_id": user + 1, "item_id": item + 1}
    return tune_mix(model, SimpleNamespace(_dataset=SimpleNamespace(inter_feat=interactions)))


def ndcg(scores: Tensor, held_out: Tensor) -> float:
    """NDCG@10 by its definition, one user at a time."""
    values = []
    for row, wanted in zip(scores, held_out, strict=True):
        top = row.argsort(descending=True)[:10].tolist()
        ideal = sum(1 / torch.log2(torch.tensor(place + 2.0)) for place in range(min(10, int(wanted.sum()))))
        values.append(sum(wanted[item] / torch.log2(torch.tensor(place + 2.0)) for place, item in enumerate(top)) / ideal)
    return float(sum(values) / len(values))


@pytest.mark.parametrize("part", [FACTOR, AUTOENCODER, TEXT])
def test_only_part_that_knows_something_gets_more_than_the_noise(halves: tuple[Tensor, Tensor], part: int) -> None:
    """Against noise that cannot be switched off (the linear form), the others are off or low, and the knowing part is high."""
    scorer = noise()
    scorer.linear.zero_()
    know_the_halves(scorer, part)
    best = tune(scorer, *halves, FORMS)
    mix = scorer.mix.tolist()
    assert mix[LINEAR] == 1 and mix[part] > 0 and 0 < mix[BIAS] <= 0.1
    assert sum(mix[other] for other in (FACTOR, AUTOENCODER, TEXT) if other != part) < mix[part]
    assert best > 0.3


def test_nothing_is_taken_from_a_form_that_knows_everything(halves: tuple[Tensor, Tensor]) -> None:
    """The linear form knows the half and which of its items come next; noise beside it can only do harm."""
    seen, _ = halves
    liked = (torch.arange(ITEMS) % 2 == torch.arange(USERS)[:, None] % 2) & (seen == 0)
    last = (liked * torch.arange(ITEMS)).topk(4).indices
    held_out = torch.zeros(USERS, ITEMS).scatter_(1, last, 1.0)
    scorer = noise()
    know_the_halves(scorer, LINEAR)
    scorer.linear *= 1 + torch.arange(ITEMS) / ITEMS
    assert tune(scorer, seen, held_out, FORMS) == pytest.approx(1)


@pytest.mark.parametrize("used", [["linear"], ["factor"], ["autoencoder"], ["factor", "autoencoder"], FORMS])
def test_first_form_in_use_weighs_one_and_unused_ones_nothing(halves: tuple[Tensor, Tensor], used: list[str]) -> None:
    scorer = noise()
    tune(scorer, *halves, used)
    mix = dict(zip(FORMS, scorer.mix.tolist(), strict=False))
    assert mix[used[0]] == 1
    assert all(weight == 0 for form, weight in mix.items() if form not in used)
    assert scorer.mix[BIAS] > 0


def test_answer_is_the_ndcg_of_the_mix_that_was_set(halves: tuple[Tensor, Tensor]) -> None:
    seen, held_out = halves
    held_out[3] = 0  # a user without anything held out does not count
    scorer = noise()
    know_the_halves(scorer, AUTOENCODER)
    best = tune(scorer, seen, held_out, FORMS)
    judged = held_out.any(dim=1)
    scores = scorer(seen[judged]).masked_fill(seen[judged] > 0, -torch.inf)
    assert best == pytest.approx(ndcg(scores, held_out[judged]), abs=1e-5)


# -- calibration


def calibrated(encoder: Encoder, head: ReadingHead, book: PhraseBook) -> ReadingHead:
    def critic(share: Share) -> Critic:
        return Critic(["horror"], np.ones((1, 2), dtype=bool), ["Heat", "Big"], book.share(share))

    calibrate(SimpleNamespace(critic=critic, head=head.eval(), encoder=encoder))
    return head


def test_temperature_undoes_an_exaggeration() -> None:
    torch.manual_seed(0)
    honest = torch.randn(4000, 3) * 1.5
    labels = torch.multinomial(honest.softmax(dim=1), 1)[:, 0]
    for exaggeration in (1.0, 2.0, 4.0):
        assert best_temperature(exaggeration * honest, labels) == pytest.approx(exaggeration)


def test_lean_undoes_a_bias_towards_one_direction() -> None:
    torch.manual_seed(0)
    honest = torch.randn(4000, 3) * 1.5
    labels = torch.multinomial(honest.softmax(dim=1), 1)[:, 0]
    for bias in (0.0, 0.8, -0.6):
        temperature, lean = best_calibration(honest + bias * torch.tensor([-1.0, 0.0, 1.0]), labels)
        assert temperature == 1.0 and lean.tolist() == pytest.approx([bias, 0.0, -bias], abs=0.11)


def test_a_head_that_knows_nothing_is_told_to_be_unsure(tiny_encoder: Encoder) -> None:
    torch.manual_seed(0)
    head = ReadingHead(1, tiny_encoder.width)
    with torch.no_grad():
        head.polarity[-1].weight *= 20
    assert calibrated(tiny_encoder, head, load_phrase_book()).temperature[0] > 2


def test_temperature_works_outside_training_only(tiny_encoder: Encoder) -> None:
    head, vectors = ReadingHead(1, tiny_encoder.width, drop=0.0), tiny_encoder.embed(["no more horror"])
    head.temperature.copy_(torch.tensor([2.0, 4.0]))
    for of_training, outside, temperature in zip(head.train()(vectors), head.eval()(vectors), (2.0, 4.0), strict=True):
        torch.testing.assert_close(of_training, temperature * outside)


def test_talk_is_seldom_taken_for_a_wish_with_confidence(tiny_encoder: Encoder) -> None:
    torch.manual_seed(0)
    book = load_phrase_book()
    book = replace(book, neutral=(*book.neutral, *("!" * times for times in range(1, 40))))  # what has no word has no say
    head = ReadingHead(1, tiny_encoder.width, drop=0.0)
    with torch.no_grad():
        head.polarity[-1].weight *= 100  # chances far apart, so that rounding does not reorder them
    calibrated(tiny_encoder, head, book)
    texts = [text for text in book.share("valid").neutral if split(text)]
    with torch.no_grad():
        heard = [head(tiny_encoder.spans([text], [split(text)]))[0].softmax(dim=1)[:, NEUTRAL].min() for text in texts]
    taken = int((torch.stack(heard) < head.neutral_from - 1e-6).sum())
    assert taken == 0 or binom.cdf(taken, len(texts), 0.02) <= 0.05
    assert head.neutral_from == 0.5 or binom.cdf(taken + 1, len(texts), 0.02) > 0.05


def test_book_without_a_word_of_talk_leaves_the_threshold_alone(tiny_encoder: Encoder) -> None:
    head = calibrated(tiny_encoder, ReadingHead(1, tiny_encoder.width), replace(load_phrase_book(), neutral=("!", "?", "...")))
    assert head.neutral_from == 0.5
