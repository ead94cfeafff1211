"""What is understood of an utterance: about what, in which direction, how strongly; on heads whose answer is known."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertModel, BertTokenizerFast

from recbole_llmfb.errors import UsageError
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.text.signals import NEGATIVE, NEUTRAL, POSITIVE, Reader, ReadingHead, Utterance

ATTRIBUTES = ["1990s", "comedy", "horror", "war"]
DECADE, COMEDY, HORROR, WAR = range(4)
NOTHING = len(ATTRIBUTES)
TITLES, ITEMS = ["Heat", "Sabrina (1954)", "Sabrina (1995)", "War of Words"], ["h", "s1", "s2", "w"]

# What a head learns by heart: clauses with their direction and what they imply.
LESSONS: dict[str, list[tuple[int, int]]] = {
    "hello": [(NEUTRAL, NOTHING)],
    "thanks. see you": [(NEUTRAL, NOTHING), (NEUTRAL, NOTHING)],
    "hello. no more war": [(NEUTRAL, NOTHING), (NEGATIVE, NOTHING)],
    "no more war": [(NEGATIVE, WAR)],
    "I love comedy but no more war": [(POSITIVE, COMEDY), (NEGATIVE, WAR)],
    "too scary. no more monsters": [(NEGATIVE, HORROR), (NEGATIVE, HORROR)],
    "too scary. no more bombs": [(NEGATIVE, HORROR), (NEGATIVE, WAR)],
    "too scary. something funny": [(NEGATIVE, HORROR), (POSITIVE, COMEDY)],
    "that was scary. no more horror": [(NEGATIVE, HORROR), (NEGATIVE, NOTHING)],
    "no more horror. that was scary": [(NEGATIVE, NOTHING), (NEGATIVE, HORROR)],
    "no war. no horror": [(NEGATIVE, NOTHING), (NEGATIVE, NOTHING)],
    "too scary. hello. no more monsters": [(NEGATIVE, HORROR), (NEUTRAL, NOTHING), (NEGATIVE, HORROR)],
}
# And as a whole, where one clause of several names something.
TURNED = "I love comedy. not now. it is over"
TOGETHER = {
    TURNED: (NEGATIVE, NOTHING),
    "hello. no more war": (NEGATIVE, NOTHING),
    "that was scary. no more horror": (NEGATIVE, NOTHING),
    "no more horror. that was scary": (NEGATIVE, NOTHING),
}
WORDS = "not now and from heat i light like of sabrina the words 1990s 90s".split()  # beside those of the lessons


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """A random BERT whose words are those of this file."""
    said = [word for text in LESSONS for word in text.lower().replace(".", " .").split()]
    words = sorted({*WORDS, *said})
    tokenizer = BertTokenizerFast(
        vocab={word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    )
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return Encoder(BertModel(BertConfig(vocab_size=len(tokenizer), **size)), tokenizer, max_tokens=32).eval()


def fixed_head(polarity: Sequence[float], shares: Mapping[int, float], *, attributes: int = len(ATTRIBUTES)) -> ReadingHead:
    """A head that hears the same in every clause: chances of against, neutral, for, and shares of attributes."""
    head = ReadingHead(attributes, 32, hidden=8).eval().requires_grad_(False)
    head.polarity[-1].weight.zero_()
    head.polarity[-1].bias.copy_(torch.tensor(polarity).log())
    share = torch.full((attributes,), 1e-4)
    share[list(shares)] = torch.tensor(list(shares.values()))
    cosine = share.log() / head.scale
    head.query[-1].weight.zero_()
    head.query[-1].bias.copy_(torch.eye(8)[0])
    head.residual[:, 0], head.residual[:, 1] = cosine, (1 - cosine**2).sqrt()
    head.nothing.copy_((1 - share.sum()).log())
    return head


def reader(encoder: Encoder, head: ReadingHead) -> Reader:
    return Reader(encoder, head, Lexicon(ATTRIBUTES, TITLES), ITEMS)


@pytest.fixture(scope="module")
def taught(encoder: Encoder) -> Reader:
    """A reader that knows `LESSONS` by heart."""
    torch.manual_seed(0)
    head = ReadingHead(len(ATTRIBUTES), encoder.width, hidden=32, drop=0.0)
    with torch.no_grad():
        head.names.copy_(encoder.embed(ATTRIBUTES))
        vectors = torch.cat([encoder.spans(list(LESSONS), [split(text) for text in LESSONS]), encoder.texts(list(TOGETHER))])
    polarity, aspect = torch.tensor([*(clause for clauses in LESSONS.values() for clause in clauses), *TOGETHER.values()]).T
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        said, meant = head(vectors)
        optimizer.zero_grad()
        (cross_entropy(said, polarity) + cross_entropy(meant, aspect)).backward()
        optimizer.step()
    return reader(encoder, head.eval())


def heard(utterance: Utterance) -> list[tuple[str, str, str | None, int]]:
    """Text, kind, aspect and direction of every signal."""
    return [(s.text, s.kind, s.aspect, 1 if s.polarity > 0 else -1) for s in utterance.reading]


FOR = (0.1, 0.2, 0.7)
AGAINST = (0.7, 0.2, 0.1)


# -- nothing is understood


@pytest.mark.parametrize("text", ["", "  ", "?!", "but"])
def test_without_words_nothing_was_said(encoder: Encoder, text: str) -> None:
    (utterance,) = reader(encoder, fixed_head(FOR, {})).read([text])
    assert not utterance.understood and not utterance.reading and utterance.reading.reason == "nothing was said"


@pytest.mark.parametrize("text", ["hello", "thanks. see you"])
def test_neutral_words_have_no_signal_and_a_reason(taught: Reader, text: str) -> None:
    (utterance,) = taught.read([text])
    assert not utterance.understood and utterance.reading.reason == "no wish was understood in this"


@pytest.mark.parametrize(("neutral_from", "understood"), [(0.25, False), (0.35, True)])
def test_clause_without_a_name_must_be_more_than_talk(encoder: Encoder, neutral_from: float, understood: bool) -> None:
    head = fixed_head((0.1, 0.3, 0.6), {COMEDY: 0.2})
    head.neutral_from.fill_(neutral_from)
    light, named, asked = reader(encoder, head).read(["light words", "the war", "something light"])
    assert bool(light.understood) is understood
    assert asked.understood  # so does who asks for something
    assert [one.signal.aspect for one in named.understood] == ["war"]  # who names something means it


def test_script_that_the_encoder_does_not_know_is_said_to_be_so(encoder: Encoder) -> None:
    for text in ("我不想看恐怖片", "мне нравится война", "no 我不想看恐怖片"):
        (utterance,) = reader(encoder, fixed_head(FOR, {})).read([text])
        assert not utterance.understood and "vocabulary" in str(utterance.reading.reason)


def test_an_unknown_word_among_known_ones_is_no_obstacle(encoder: Encoder) -> None:
    (few,) = reader(encoder, fixed_head(AGAINST, {})).read(["no more horror of xyz"])
    assert heard(few) == [("no more horror of xyz", "aspect", "horror", -1)]


# -- what is named


def test_direction_and_strength_are_those_of_the_head(encoder: Encoder) -> None:
    for chances, polarity in ((FOR, 0.6), (AGAINST, -0.6)):
        (signal,) = reader(encoder, fixed_head(chances, {})).read(["more war"])[0].reading
        assert signal.polarity == pytest.approx(polarity) and signal.strength == pytest.approx(0.6 * 0.7)


def test_every_name_in_a_clause_is_a_signal(encoder: Encoder) -> None:
    (utterance,) = reader(encoder, fixed_head(AGAINST, {})).read(["no war and horror, Heat"])
    assert heard(utterance) == [
        ("no war and horror, Heat", "aspect", "war", -1),
        ("no war and horror, Heat", "aspect", "horror", -1),
        ("no war and horror, Heat", "item", None, -1),
    ]
    war, horror, heat = utterance.understood
    assert torch.equal(war.aspects, torch.eye(4)[WAR]) and torch.equal(horror.aspects, torch.eye(4)[HORROR])
    assert not heat.aspects.any() and heat.items == (0,) and heat.signal.item == "h"


def test_attribute_named_twice_in_a_clause_counts_once(encoder: Encoder) -> None:
    (utterance,) = reader(encoder, fixed_head(FOR, {})).read(["war war more war"])
    assert heard(utterance) == [("war war more war", "aspect", "war", 1)]


def test_title_of_two_items_is_neither_until_the_year_is_said(encoder: Encoder) -> None:
    texts = ["something like Sabrina", "something like Sabrina, no war", "something like Sabrina (1995)"]
    alone, beside, clear = reader(encoder, fixed_head(FOR, {})).read(texts)
    note = "'Sabrina' may be Sabrina (1954) or Sabrina (1995): say the year"
    assert not alone.understood and alone.reading.reason == note and alone.reading.notes == (note,)
    assert [one.signal.aspect for one in beside.understood] == ["war"] and beside.reading.notes == (note,)
    assert clear.understood[0].items == (2,) and clear.reading.signals[0].item == "s2" and not clear.reading.notes


def test_attribute_inside_a_title_is_not_meant(encoder: Encoder) -> None:
    (utterance,) = reader(encoder, fixed_head(FOR, {WAR: 0.3})).read(["more like war of words"])
    assert [one.signal.item for one in utterance.understood] == ["w"]


# -- what is implied


def test_something_implied_beside_a_name_is_a_wish_of_its_own(encoder: Encoder) -> None:
    (utterance,) = reader(encoder, fixed_head(FOR, {COMEDY: 0.4, DECADE: 0.2})).read(["something light from the 90s"])
    named, implied = utterance.understood
    assert (named.signal.aspect, implied.signal.aspect) == ("1990s", "comedy")
    torch.testing.assert_close(named.aspects, torch.eye(4)[DECADE])
    torch.testing.assert_close(implied.aspects, 0.8 * torch.eye(4)[COMEDY])  # twice its share


@pytest.mark.parametrize("shares", [{COMEDY: 0.2}, {DECADE: 0.9}])
def test_faint_implication_or_one_of_what_is_named_adds_nothing(encoder: Encoder, shares: dict[int, float]) -> None:
    (utterance,) = reader(encoder, fixed_head(FOR, shares)).read(["something light from the 90s"])
    assert [one.signal.aspect for one in utterance.understood] == ["1990s"]


def test_nothing_is_implied_beside_a_named_item(encoder: Encoder) -> None:
    (utterance,) = reader(encoder, fixed_head(FOR, {COMEDY: 0.9})).read(["something light like Heat"])
    assert [one.signal.kind for one in utterance.understood] == ["item"]


def test_sure_implication_is_called_by_its_name(encoder: Encoder) -> None:
    (one,) = reader(encoder, fixed_head(FOR, {COMEDY: 0.6, WAR: 0.3})).read(["something light"])[0].understood
    assert (one.signal.kind, one.signal.aspect) == ("aspect", "comedy")
    torch.testing.assert_close(one.aspects, torch.tensor([1e-4, 0.6, 1e-4, 0.3]))


def test_unsure_implication_is_an_intent_without_a_name(encoder: Encoder) -> None:
    (one,) = reader(encoder, fixed_head(FOR, {COMEDY: 0.45, WAR: 0.3})).read(["something light"])[0].understood
    assert (one.signal.kind, one.signal.aspect) == ("intent", None)
    torch.testing.assert_close(one.aspects, torch.tensor([1e-4, 0.45, 1e-4, 0.3]))


def test_catalogue_without_attributes_has_intents_only(encoder: Encoder) -> None:
    lone = Reader(encoder, fixed_head(FOR, {}, attributes=0), Lexicon([], TITLES), ITEMS)
    light, heat = lone.read(["something light. something funny", "more like Heat"])
    assert heard(light) == [("something light. something funny", "intent", None, 1)]
    assert heat.understood[0].items == (0,) and heat.understood[0].aspects.shape == (0,)


@given(
    st.lists(st.sampled_from(["more war", "something light", "the 90s", "like Heat", "but", ".", "no horror"]), max_size=6),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
)
def test_wish_is_never_about_more_than_everything(encoder: Encoder, pieces: list[str], one: float, other: float) -> None:
    for understood in (
        reader(encoder, fixed_head(FOR, {COMEDY: one + 1e-3, WAR: other + 1e-3})).read([" ".join(pieces)])[0].understood
    ):
        assert understood.aspects.min() >= 0 and understood.aspects.sum() <= 1 + 1e-5
        assert understood.vector.norm() == pytest.approx(1, abs=1e-4)


# -- what the grammar says


@pytest.mark.parametrize("text", ["maybe war", "a bit of war", "I guess war", "kind of war"])
def test_hedge_makes_a_signal_weaker_and_never_another(encoder: Encoder, text: str) -> None:
    for chances, polarity in ((FOR, 0.6), (AGAINST, -0.6)):
        (signal,) = reader(encoder, fixed_head(chances, {})).read([text])[0].reading
        assert signal.polarity == pytest.approx(polarity) and signal.strength == pytest.approx(0.5 * 0.6 * 0.7)


@pytest.mark.parametrize("text", ["is it a comedy?", "have you seen Heat?", "who directed Heat", "I don't mind war", "thanks"])
def test_question_for_a_fact_tolerance_and_courtesy_are_no_wish(encoder: Encoder, text: str) -> None:
    for chances in (FOR, AGAINST):
        assert not reader(encoder, fixed_head(chances, {})).read([text])[0].understood


def test_what_sounds_like_a_rejection_and_is_none_is_dropped_only_where_it_is_read_so(encoder: Encoder) -> None:
    wanted, unwanted = (reader(encoder, fixed_head(c, {})).read(["I wouldn't mind war"])[0] for c in (FOR, AGAINST))
    assert [one.signal.aspect for one in wanted.understood] == ["war"] and not unwanted.understood


@pytest.mark.parametrize(
    ("text", "directions"),
    [
        ("comedy instead of war", [1, -1]),
        ("I'd rather see a comedy than war", [1, -1]),
        ("I prefer comedy to war", [1, -1]),
        ("all comedy except war", [1, -1]),
        ("neither horror nor war", [-1, -1]),
    ],
)
def test_direction_that_grammar_leaves_no_doubt_of_is_not_the_heads(encoder: Encoder, text: str, directions: list[int]) -> None:
    assert [sign for *_, sign in heard(reader(encoder, fixed_head(FOR, {})).read([text])[0])] == directions


def test_exception_from_what_is_rejected_is_wanted(encoder: Encoder) -> None:
    (utterance,) = reader(encoder, fixed_head(AGAINST, {})).read(["I don't like horror, except war of course"])
    assert [(aspect, sign) for _, _, aspect, sign in heard(utterance)] == [("horror", -1), ("war", 1)]


def test_item_that_a_quality_is_compared_with_is_neither_liked_nor_read(encoder: Encoder) -> None:
    for text, read in (("lighter than Heat", "lighter"), ("not as light as Heat", "not as light")):
        (one,) = reader(encoder, fixed_head(FOR, {})).read([text])[0].understood
        assert not one.items and one.signal.text == text
        torch.testing.assert_close(one.vector, encoder.embed([read])[0])
    (kind,) = reader(encoder, fixed_head(FOR, {})).read(["more like Heat"])[0].understood
    assert kind.items == (0,)


def test_name_under_a_negation_that_is_read_as_wanted_counts_half(encoder: Encoder) -> None:
    doubted, sure = reader(encoder, fixed_head(FOR, {})).read(["no war", "more war"])
    assert doubted.reading[0].strength == pytest.approx(sure.reading[0].strength / 2)


def test_of_names_inside_and_outside_a_negation_those_count_that_agree(encoder: Encoder) -> None:
    text = "comedy not horror"
    for chances, aspect in ((FOR, "comedy"), (AGAINST, "horror")):
        assert [s.aspect for s in reader(encoder, fixed_head(chances, {})).read([text])[0].reading] == [aspect]


def test_language_is_that_of_the_script(encoder: Encoder) -> None:
    english, chinese = reader(encoder, fixed_head(FOR, {})).read(["more war", "我想看 comedy"])
    assert (english.reading.language, chinese.reading.language) == ("en", "zh")


# -- Chinese


@pytest.fixture(scope="module")
def chinese() -> Reader:
    """A reader whose encoder knows Chinese signs, and whose head knows a few clauses by heart."""
    lessons = {
        "不要恐怖片": (NEGATIVE, HORROR),
        "想看轻松一点的": (POSITIVE, COMEDY),
        "我喜欢喜剧": (POSITIVE, COMEDY),
        "你好": (NEUTRAL, NOTHING),
        "不要战争片": (NEGATIVE, WAR),
        "想看": (POSITIVE, NOTHING),
    }
    signs = sorted({*"".join(lessons), *"而是但还", "comedy", "horror"})
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs])}
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = BertModel(BertConfig(vocab_size=len(vocabulary), **size))
    encoder = Encoder(model, BertTokenizerFast(vocab=vocabulary), max_tokens=32).eval()
    head = ReadingHead(len(ATTRIBUTES), encoder.width, hidden=32, drop=0.0)
    with torch.no_grad():
        head.names.copy_(encoder.embed(ATTRIBUTES))
    vectors = encoder.embed(list(lessons)).clone()
    polarity, aspect = torch.tensor(list(lessons.values())).T
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        said, meant = head(vectors)
        optimizer.zero_grad()
        (cross_entropy(said, polarity) + cross_entropy(meant, aspect)).backward()
        optimizer.step()
    return reader(encoder, head.eval())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("不要恐怖片，想看轻松一点的", [("不要恐怖片", "horror", -1), ("想看轻松一点的", "comedy", 1)]),
        ("我喜欢喜剧，但是不要战争片", [("我喜欢喜剧", "comedy", 1), ("不要战争片", "war", -1)]),
        ("我喜欢喜剧而不是恐怖片", [("我喜欢喜剧", "comedy", 1), ("而不是恐怖片", "horror", -1)]),
        ("你好，想看 comedy", [("想看 comedy", "comedy", 1)]),
        ("是恐怖片吗？", []),
    ],
)
def test_chinese_is_split_read_and_understood(chinese: Reader, text: str, expected: list[tuple[str, str, int]]) -> None:
    (utterance,) = chinese.read([text])
    assert [(said, aspect, sign) for said, _, aspect, sign in heard(utterance)] == expected
    assert utterance.reading.language == "zh"


@pytest.mark.parametrize(("other", "alone"), [("不要太轻松的", True), ("不想看轻松的", True), ("不要", False), ("还想看", False)])
def test_in_chinese_too_another_wish_does_not_turn_the_one_name(chinese: Reader, other: str, alone: bool) -> None:
    """The clause that names something is read alone beside a wish with a thing of its own, and else with what follows."""
    text = f"我喜欢 comedy，{other}"
    named = next(one for one in chinese.read([text])[0].understood if one.signal.aspect == "comedy")
    read = chinese.encoder.texts(["我喜欢 comedy" if alone else text])[0].detach()
    torch.testing.assert_close(named.vector, read)


# -- clauses together


def test_contrast_gives_signals_in_opposite_directions(taught: Reader) -> None:
    (utterance,) = taught.read(["I love comedy but no more war"])
    assert heard(utterance) == [("I love comedy", "aspect", "comedy", 1), ("no more war", "aspect", "war", -1)]


def test_talk_before_a_wish_is_no_signal(taught: Reader) -> None:
    assert heard(taught.read(["hello. no more war"])[0]) == [("no more war", "aspect", "war", -1)]


def test_neighbours_that_say_the_same_become_one(taught: Reader) -> None:
    (utterance,) = taught.read(["too scary. no more monsters"])
    assert heard(utterance) == [("too scary. no more monsters", "aspect", "horror", -1)]


@pytest.mark.parametrize("text", ["that was scary. no more horror", "no more horror. that was scary"])
def test_neighbour_that_names_something_leads(taught: Reader, encoder: Encoder, text: str) -> None:
    (one,) = taught.read([text])[0].understood
    assert one.signal.text == text and torch.equal(one.aspects, torch.eye(4)[HORROR])
    torch.testing.assert_close(one.vector, encoder.texts([text])[0].detach())


def test_what_follows_turns_the_one_name(taught: Reader) -> None:
    """Alone, the clause with the name says the opposite."""
    assert heard(taught.read(["I love comedy"])[0])[0][-1] == 1
    (turned, *_) = heard(taught.read([TURNED])[0])
    assert turned[2:] == ("comedy", -1)


@pytest.mark.parametrize("other", ["less violence", "no more gore", "too violent", "way too long"])
def test_another_wish_does_not_turn_the_one_name(taught: Reader, encoder: Encoder, other: str) -> None:
    for text in (f"{other}. I love comedy", f"I love comedy. {other}"):
        named = next(one for one in taught.read([text])[0].understood if one.signal.aspect == "comedy")
        assert named.signal.polarity > 0
        torch.testing.assert_close(named.vector, encoder.texts(["I love comedy"])[0].detach())


@pytest.mark.parametrize("other", ["no more of that", "less so now", "that was too much", "no interest in it"])
def test_what_points_back_is_no_other_wish(taught: Reader, encoder: Encoder, other: str) -> None:
    text = f"I love comedy, {other}"
    (named, *_) = taught.read([text])[0].understood
    torch.testing.assert_close(named.vector, encoder.texts([text])[0].detach())


def test_in_a_long_talk_each_clause_is_read_by_itself(taught: Reader) -> None:
    (wish, *_) = heard(taught.read([f"{TURNED}. hello. hello. hello"])[0])
    assert wish == ("I love comedy", "aspect", "comedy", 1)


def test_neighbours_that_say_different_things_stay_apart(taught: Reader) -> None:
    scary, bombs = heard(taught.read(["too scary. no more bombs"])[0])
    assert (scary[:3], bombs[:3]) == (("too scary", "aspect", "horror"), ("no more bombs", "aspect", "war"))
    assert [sign for *_, sign in heard(taught.read(["too scary. something funny"])[0])] == [-1, 1]


def test_neighbours_that_both_name_something_stay_apart(taught: Reader) -> None:
    assert [(text, aspect) for text, _, aspect, _ in heard(taught.read(["no war. no horror"])[0])] == [
        ("no war", "war"),
        ("no horror", "horror"),
    ]


def test_talk_between_them_keeps_likes_apart(taught: Reader) -> None:
    assert [text for text, *_ in heard(taught.read(["too scary. hello. no more monsters"])[0])] == [
        "too scary",
        "no more monsters",
    ]


def test_batch_equals_scalar_whatever_the_order(taught: Reader) -> None:
    texts = [*LESSONS, "", "我不想看恐怖片"]
    together = taught.read(texts, batch_size=3)
    assert [one.reading.text for one in together] == texts
    for text, utterance in zip(texts, together, strict=True):
        (alone,) = taught.read([text])
        assert heard(alone) == heard(utterance) and alone.reading.reason == utterance.reading.reason
        for one, other in zip(alone.understood, utterance.understood, strict=True):
            torch.testing.assert_close(one.vector, other.vector)
            torch.testing.assert_close(one.aspects, other.aspects)
            assert one.signal.polarity == pytest.approx(other.signal.polarity, abs=1e-5)
    assert taught.read([]) == []


# -- the head


def test_attributes_are_known_by_their_names_alone(encoder: Encoder) -> None:
    """An untrained attribute needs nothing but its name: other names in another order give the same logits in that order."""
    torch.manual_seed(0)
    head = ReadingHead(4, encoder.width).eval()
    head.names.copy_(encoder.embed(ATTRIBUTES))
    vectors = encoder.embed(["something funny", "no more war", "war"])
    order = [2, 0, 3, 1]
    polarity, implied = head(vectors)
    same, moved = head(vectors, head.names[order])
    assert torch.equal(same, polarity)
    torch.testing.assert_close(moved, implied[:, [*order, 4]])


# -- stance


def test_the_stance_is_of_the_whole_utterance(encoder: Encoder) -> None:
    """A head that tells stances by the vector of "no more war" hears it where that is all, and not where it is a clause."""
    texts = ["no more war", "hello. no more war"]
    torch.manual_seed(0)
    head = ReadingHead(len(ATTRIBUTES), encoder.width, hidden=32, drop=0.0, stance=True)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    vectors = encoder.embed(texts).clone()
    for _ in range(100):
        optimizer.zero_grad()
        cross_entropy(head.stances(vectors), torch.tensor([2, 0])).backward()
        optimizer.step()
    read = reader(encoder, head.eval()).read([*texts, ""])
    assert [utterance.reading.stance for utterance in read] == ["reject", None, None]


def test_a_head_without_stance_reads_none_and_says_so(encoder: Encoder) -> None:
    head = fixed_head(FOR, {})
    assert reader(encoder, head).read(["no more war"])[0].reading.stance is None
    with pytest.raises(UsageError, match="labelled_texts"):
        head.stances(encoder.embed(["hello"]))


def test_stance_leaves_the_other_weights_as_they_would_be() -> None:
    heads = []
    for stance in (False, True):
        torch.manual_seed(0)
        heads.append(ReadingHead(3, 32, stance=stance).state_dict())
    assert all(torch.equal(value, heads[1][name]) for name, value in heads[0].items())
    assert {name.partition(".")[0] for name in heads[1].keys() - heads[0].keys()} == {"stance"}
