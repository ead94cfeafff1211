"""Which weights of the encoder are trained, and that what is kept below them never changes an answer."""

from copy import deepcopy

import pytest
import torch
from transformers import BertTokenizerFast, DistilBertConfig, DistilBertModel

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.training.tuning import TunedEncoder

TEXTS = ["the even stone", "odd", "the stone of the 1980s, even and odd, the 1990s", "even " * 40, "stone 7 . odd stone 3"]
MODES = ["frozen", "top:1", "top:2", "lora", "full"]


@pytest.fixture
def plain(tiny_encoder: Encoder) -> Encoder:
    """A copy, because tuning works on the weights that it is given."""
    return deepcopy(tiny_encoder).eval()


def trainable(encoder: TunedEncoder) -> set[str]:
    return {name for name, parameter in encoder.model.named_parameters() if parameter.requires_grad}


def train_a_little(encoder: TunedEncoder) -> None:
    """Ten steps away from where the vectors are."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam([parameter for parameter in encoder.parameters() if parameter.requires_grad], lr=1e-2)
    goal = torch.randn(len(TEXTS), encoder.width)
    encoder.train()
    for _ in range(10):
        optimizer.zero_grad()
        (encoder.texts(TEXTS) - goal).square().sum().backward()
        optimizer.step()
    encoder.eval()


@pytest.mark.parametrize(
    ("mode", "parts"),
    [
        ("frozen", ()),
        ("top:1", ("encoder.layer.1.",)),
        ("top:2", ("encoder.layer.0.", "encoder.layer.1.")),
        ("full", ("",)),
    ],
)
def test_mode_says_what_is_trained(plain: Encoder, mode: str, parts: tuple[str, ...]) -> None:
    every = {name for name, _ in plain.model.named_parameters()}
    encoder = TunedEncoder(plain, mode)
    assert trainable(encoder) == {name for name in every if name.startswith(parts)}
    assert encoder.tuned is bool(parts)


def test_lora_trains_adapters_of_queries_and_values_alone(plain: Encoder) -> None:
    encoder = TunedEncoder(plain, "lora", lora_rank=3)
    trained = {name: parameter for name, parameter in encoder.model.named_parameters() if parameter.requires_grad}
    assert len(trained) == 2 * 2 * 2 and encoder.tuned  # A and B of two matrices in two layers
    assert all("lora_" in name and (".query." in name or ".value." in name) for name in trained)
    assert {min(parameter.shape) for parameter in trained.values()} == {3}


@pytest.mark.parametrize("mode", MODES)
def test_untrained_encoder_gives_the_vectors_of_the_plain_one(tiny_encoder: Encoder, plain: Encoder, mode: str) -> None:
    encoder = TunedEncoder(plain, mode)
    torch.testing.assert_close(encoder.embed(TEXTS), tiny_encoder.embed(TEXTS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", MODES)
def test_kept_layers_give_the_same_vectors(plain: Encoder, mode: str) -> None:
    encoder = TunedEncoder(plain, mode).eval()
    spans = [[(0, 3), (4, len(text))] for text in TEXTS]
    texts, of_spans = encoder.texts(TEXTS), encoder.spans(TEXTS, spans)
    encoder.keep(TEXTS[:3])
    encoder.keep([*TEXTS, *(text[start:end] for text, of_text in zip(TEXTS, spans, strict=True) for start, end in of_text)])
    torch.testing.assert_close(encoder.texts(TEXTS), texts, atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder.spans(TEXTS, spans), of_spans, atol=1e-5, rtol=0)
    some = [TEXTS[3], "a text that was not kept", TEXTS[0]]
    torch.testing.assert_close(encoder.texts(some)[[0, 2]], texts[[3, 0]], atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["top:1", "top:2"])
def test_what_is_kept_does_not_go_stale_while_the_layers_above_are_trained(plain: Encoder, mode: str) -> None:
    encoder = TunedEncoder(plain, mode)
    before = encoder.embed(TEXTS)
    encoder.keep(TEXTS)
    train_a_little(encoder)
    after = encoder.texts(TEXTS)
    assert not torch.allclose(after, before, atol=1e-2)
    torch.testing.assert_close(encoder.merged().eval().texts(TEXTS), after, atol=1e-5, rtol=0)  # it keeps nothing


@pytest.mark.parametrize("drop", [0.0, 0.2])
@pytest.mark.parametrize("mode", ["top:1", "full"])
def test_trained_layers_drop_out_what_is_asked_and_in_training_only(plain: Encoder, mode: str, drop: float) -> None:
    encoder = TunedEncoder(plain, mode, drop=drop).train()
    assert torch.equal(encoder.texts(TEXTS), encoder.texts(TEXTS)) is (drop == 0)
    assert torch.equal(encoder.embed(TEXTS), encoder.embed(TEXTS)) and encoder.training


def test_layers_below_the_trained_ones_drop_nothing_out(plain: Encoder) -> None:
    """Twice the same in training while all layers are kept, so that what is kept is the text and not one view of it."""
    encoder = TunedEncoder(plain, "frozen", drop=0.2).train()
    encoder.keep(TEXTS)
    assert encoder.training and torch.equal(encoder.texts(TEXTS), encoder.texts(TEXTS))
    torch.testing.assert_close(encoder.texts(TEXTS), encoder.embed(TEXTS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["top:1", "lora", "full"])
def test_merged_encoder_is_plain_and_gives_the_trained_vectors(tiny_encoder: Encoder, plain: Encoder, mode: str) -> None:
    encoder = TunedEncoder(plain, mode)
    train_a_little(encoder)
    trained = encoder.embed(TEXTS)
    merged = encoder.merged()
    assert type(merged) is Encoder and merged.max_tokens == tiny_encoder.max_tokens
    assert merged.model.state_dict().keys() == tiny_encoder.model.state_dict().keys()
    assert merged.fingerprint() != tiny_encoder.fingerprint()
    torch.testing.assert_close(merged.embed(TEXTS), trained, atol=1e-5, rtol=0)
    train_a_little(encoder)  # the tuned one goes on, the merged one stays
    assert not torch.allclose(encoder.embed(TEXTS), trained, atol=1e-2)
    torch.testing.assert_close(merged.embed(TEXTS), trained, atol=1e-5, rtol=0)


def test_merging_what_was_not_trained_changes_no_weight(tiny_encoder: Encoder, plain: Encoder) -> None:
    assert TunedEncoder(plain, "frozen").merged().fingerprint() == tiny_encoder.fingerprint()


@pytest.mark.parametrize(
    ("mode", "remedy"),
    [("half", "top:<n>"), ("top", "top:<n>"), ("top:x", "top:<n>"), ("top:0", "2 layers"), ("top:3", "2 layers")],
)
def test_unknown_mode_is_an_error_that_names_it(plain: Encoder, mode: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=f"encoder_tuning='{mode}'.*{remedy}"):
        TunedEncoder(plain, mode)


def test_architecture_whose_layers_cannot_be_told_apart_is_frozen_or_trained_in_full() -> None:
    torch.manual_seed(0)
    tokenizer = BertTokenizerFast(
        vocab={token: n for n, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "odd"])}
    )
    other = DistilBertModel(DistilBertConfig(vocab_size=6, dim=16, n_layers=1, n_heads=2, hidden_dim=16))
    encoder = Encoder(other, tokenizer).eval()
    vectors = encoder.embed(["odd"])
    frozen = TunedEncoder(encoder, "frozen")
    frozen.keep(["odd"])
    assert not frozen.tuned and torch.equal(frozen.embed(["odd"]), vectors)
    assert TunedEncoder(encoder, "full").tuned
    with pytest.raises(ConfigError, match="0 layers"):
        TunedEncoder(encoder, "top:1")


def test_what_is_kept_is_shared_by_encoders_of_the_same_weights_alone(plain: Encoder) -> None:
    first, same, deeper = TunedEncoder(plain, "top:1"), TunedEncoder(deepcopy(plain), "top:1"), TunedEncoder(plain, "top:2")
    first.keep(TEXTS)
    assert same._below is first._below and len(same._below) == len(TEXTS)
    assert not deeper._below
    train_a_little(first)
    assert not TunedEncoder(Encoder(first.model, first.tokenizer), "top:1")._below
