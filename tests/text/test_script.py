"""Which scripts an encoder can read, by its vocabulary."""

import pytest

from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.script import Vocabulary, language


@pytest.fixture(scope="module")
def default() -> Vocabulary:
    return Vocabulary(Encoder.load().tokenizer.get_vocab())


@pytest.mark.parametrize("text", ["不要恐怖片", "你好", "我不要", "不是", "мне нравится война", "我想看 comedy", "不要 horror"])
def test_default_encoder_cannot_read_other_scripts_though_it_has_some_of_their_signs(default: Vocabulary, text: str) -> None:
    assert not default.can_read(text)


@pytest.mark.parametrize(
    "text", ["more comedy", "café au lait, déjà vu", "I loved 英雄, show me more of that", "90s 🙂", "", "naïve"]
)
def test_default_encoder_can_read_latin_letters_and_a_foreign_name_among_them(default: Vocabulary, text: str) -> None:
    assert default.can_read(text)


def test_vocabulary_must_have_enough_signs_and_those_of_the_text() -> None:
    many = [chr(0x4E00 + n) for n in range(4000)]
    latin = [f"word{n}" for n in range(40_000)]
    assert Vocabulary([*latin, *many]).can_read("一丁丂")
    assert not Vocabulary([*latin, *many]).can_read("龥龤龣")  # beyond its signs
    assert not Vocabulary([*latin, *many[:500]]).can_read("一丁丂")  # too few to read anything else
    assert Vocabulary(many[:50]).can_read("一丁丂")  # few, but most of what it has
    assert Vocabulary(["Ġword", *latin]).can_read("一丁丂")  # bytes have no script


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("more comedy", "en"),
        ("我想看喜剧", "zh"),
        ("我想看 comedy", "zh"),
        ("I loved 英雄 a lot", "en"),
        ("", "en"),
        ("123!", "en"),
    ],
)
def test_language_is_that_of_most_words(text: str, found: str) -> None:
    assert language(text) == found
