"""What tests share: an encoder of two layers, the checkerboard's bundle, and a recommender over it."""

import re
import sys
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import torch
from checkerboard import ATTRIBUTES, build_head, build_scorer, stones, write
from hypothesis import settings
from transformers import BertConfig, BertModel, BertTokenizerFast

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import ReadingHead

pytest_plugins = ["access_service", "browsing", "console_process", "databases", "services", "workers"]

settings.register_profile("project", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("project")
torch.set_num_threads(1)  # the models of tests are too small for two: they would only wait for each other


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Streamlit puts the page that it tests in place of `__main__`, and leaves it there: new processes would run it again."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def tiny_encoder() -> Encoder:
    """A random BERT of two layers and width 32; its words are those of the catalogue."""
    words = sorted({word for text in stones()["text"] for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    tokenizer = BertTokenizerFast(vocab={token: place for place, token in enumerate(tokens)})
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return Encoder(BertModel(BertConfig(vocab_size=len(tokenizer), **size)).eval(), tokenizer, max_tokens=24)


@pytest.fixture(scope="session")
def tiny_parts(tiny_encoder: Encoder) -> dict[str, object]:
    """Arguments `encoder`, `scorer` and `head` of `write`, of the tiny encoder."""
    torch.manual_seed(0)
    head = ReadingHead(len(ATTRIBUTES), tiny_encoder.width, hidden=16).eval()
    return {"encoder": tiny_encoder, "scorer": build_scorer(tiny_encoder), "head": head}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The checkerboard with the default encoder, so that words mean something."""
    encoder = Encoder.load().eval()
    root = tmp_path_factory.mktemp("bundles")
    write(root, encoder, scorer=build_scorer(encoder), head=build_head(encoder))
    return load_bundle(root)


@pytest.fixture(scope="session")
def recommender(bundle: Bundle) -> Recommender:
    """Shared, because building it loads the encoder: a test that has it remember something does so as a `new_user`."""
    return Recommender(bundle)


_NUMBERS: Iterator[int] = count()


@pytest.fixture
def new_user() -> Callable[[], str]:
    """Gives the name of a user whom nobody knows yet."""
    return lambda: f"new-{next(_NUMBERS)}"
