"""A data set in slices of time, as it would have come in: what there was to learn after each slice, and what came next.

Slice 0 is the first 5 % of interactions; four equal slices follow. In every slice simulated users comment, in phrasings that no
training has seen, on some of what they chose next. An item joins the catalogue with the slice before the one that first has it,
as its text alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recbole_llmfb.learning.data import Base, Case, Data, arrange, cases_of, split_by_time
from recbole_llmfb.learning.exporting import feedback_cells
from recbole_llmfb.schema import Feedback
from recbole_llmfb.text.titles import distinct_titles
from recbole_llmfb.training.atomic import AtomicTable, read_atomic
from recbole_llmfb.training.catalogue import Catalogue
from recbole_llmfb.training.config import LLMFB, build_config
from recbole_llmfb.training.critic import Critic, Wording
from recbole_llmfb.training.phrases import load_phrase_book
from recbole_llmfb.training.quick_start import load_dataset

SLICES = 4
_FIRST_SHARE = 0.05
_OLD_SHARE = 0.2  # of what each user did in slice 0
_SAID_PER_SLICE = 3  # comments of a user in a slice, at most
_SLATE = 10
_BEFORE = timedelta(seconds=1)


@dataclass(frozen=True)
class Stream:
    """Interactions (user, item, time), oldest first, with the bounds of the slices: slice n is rows bounds[n] to bounds[n + 1].

    said: comments, oldest first. old: the test set within slice 0, which nobody ever learns from. texts: item -> its text.
    encoder: that a first training begins from.
    """

    base: Base
    interactions: pd.DataFrame
    bounds: tuple[int, ...]
    said: tuple[Feedback, ...]
    old: pd.DataFrame
    texts: Mapping[str, str]
    encoder: str | None

    @classmethod
    def of(cls, config_file: str | Path, *, changes: Mapping[str, Any] | None = None, seed: int = 0) -> "Stream":
        """config_file: a RecBole configuration of a data set with times, such as configs/ml-100k.yaml."""
        config = build_config(LLMFB, None, [config_file], {"use_gpu": False} | dict(changes or {}))
        dataset: Any = load_dataset(config)
        users, items = (dataset.inter_feat[field].to_numpy() for field in (dataset.uid_field, dataset.iid_field))
        frame = pd.DataFrame(
            {
                "user": dataset.id2token(dataset.uid_field, users).astype(str),
                "item": dataset.id2token(dataset.iid_field, items).astype(str),
                "time": dataset.interaction_time_us,
            }
        ).drop_duplicates(["user", "item"])
        frame = frame.sort_values(["time", "user", "item"], kind="stable", ignore_index=True)
        first = round(_FIRST_SHARE * len(frame))
        bounds = (0, *np.linspace(first, len(frame), SLICES + 1).round().astype(int).tolist())
        name, path = str(config["dataset"]), Path(config["data_path"])
        fields = (config["USER_ID_FIELD"], config["ITEM_ID_FIELD"], config["TIME_FIELD"])
        separator = str(config["field_separator"])
        table = read_atomic(path / f"{name}.item", separator=separator)
        slice_0 = frame[:first]
        old = slice_0[_latest(slice_0, _OLD_SHARE)]
        base = Base(name, frame, old, table, None, fields, separator)
        catalogue = Catalogue.from_dataset(dataset, attribute_min_items=config["attribute_min_items"])
        book = load_phrase_book(config["phrase_book"]).share("test")
        critic = Critic(catalogue.attributes, catalogue.membership, distinct_titles(_lexicon_names(catalogue)), book)
        said = _comments(frame, bounds, critic, catalogue.ids, seed)
        texts = dict(zip(catalogue.ids, catalogue.item_texts, strict=True))
        return cls(base, frame.drop(index=old.index), bounds, tuple(said), old, texts, config["encoder"])

    def learnable(self, upto: int, folder: Path, *, shuffled: int | None = None) -> Data:
        """Everything through slice `upto` to learn from, the next one to be judged on; after the last slice, a sliver of it.

        shuffled: a seed; who has what, of what is to be learned, is then left to chance. The cases to judge by stay true.
        """
        frame = self.base.interactions
        last = upto == SLICES
        row = self.bounds[upto + 1] - (round(0.01 * len(frame)) if last else 0)
        end = len(frame) if last else self.bounds[upto + 2]
        cut, until = int(frame["time"].iloc[row]), int(frame["time"].iloc[end - 1])
        seen = self.interactions[self.interactions["time"] <= until]
        said = [one for one in self.said if _us(one) <= until]
        base = replace(self.base, items=self._released(end), old=self.old)
        words = [feedback_cells(one) for one in said]
        if shuffled is not None:
            seen = _shuffled(seen, cut, shuffled)
        return arrange(base, seen, cut, folder, words=words, said=said)

    def cases(self, of: int) -> tuple[Case, ...]:
        """Of slice `of`: the later half of what each user did in it, to be found; everything before folds in."""
        cut, until = self._span(of)
        parts = split_by_time(self.interactions[self.interactions["time"] <= until], cut)
        return cases_of(pd.concat([parts.train, parts.valid, parts.seen]), parts.test, self.said)

    def cold(self, of: int) -> tuple[tuple[str, ...], tuple[Case, ...]]:
        """Items that slice `of` is the first to have, and for each user of one of them what the user had before it."""
        cut, until = self._span(of)
        frame = self.interactions
        old = set(frame["item"][frame["time"] < cut]) | set(self.old["item"])
        within = frame[(frame["time"] >= cut) & (frame["time"] <= until)]
        fresh = within[~within["item"].isin(old)]
        known = frame[(frame["time"] <= until) & frame["item"].isin(old)]
        return tuple(sorted(set(fresh["item"]))), cases_of(known, fresh, self.said)

    def _span(self, of: int) -> tuple[int, int]:
        times = self.base.interactions["time"]
        return int(times.iloc[self.bounds[of]]), int(times.iloc[self.bounds[of + 1] - 1])

    def _released(self, end: int) -> AtomicTable:
        """The `.item` file as it was before row `end`."""
        table = self.base.items
        assert table is not None
        there = set(self.base.interactions["item"][:end])
        kept = [row for row, item in enumerate(table.columns[self.base.fields[1]]) if item in there]
        return replace(table, columns={name: [cells[row] for row in kept] for name, cells in table.columns.items()})


def _shuffled(frame: pd.DataFrame, cut: int, seed: int) -> pd.DataFrame:
    """Items before the cut dealt anew among its rows; pairs that come out twice stay once."""
    mixed, before = frame.copy(), (frame["time"] < cut).to_numpy()
    mixed.loc[before, "item"] = np.random.default_rng(seed).permutation(frame["item"][before].to_numpy())
    return mixed.drop_duplicates(["user", "item"])


def _latest(frame: pd.DataFrame, share: float) -> pd.Series:
    """True for the latest share of each user's rows, of users with two rows or more."""
    place = frame.groupby("user").cumcount(ascending=False)
    size = frame.groupby("user")["item"].transform("size")
    return (size > 1) & (place < (share * size).astype(int).clip(lower=1))


def _lexicon_names(catalogue: Catalogue) -> Any:
    from recbole_llmfb.text.lexicon import Lexicon

    return Lexicon(catalogue.attributes, catalogue.titles, catalogue.item_texts).names


def _comments(frame: pd.DataFrame, bounds: Sequence[int], critic: Critic, ids: Sequence[str], seed: int) -> list[Feedback]:
    """Some users say what they want just before they choose it, about a slate of what is popular."""
    random = np.random.default_rng(seed)
    row_of = {item: row for row, item in enumerate(ids)}
    popular = [row_of[item] for item in frame["item"][: bounds[1]].value_counts().index[: 10 * _SLATE]]
    said = []
    for start, end in zip(bounds[1:-1], bounds[2:], strict=True):
        part = frame[start:end]
        drawn = part.sample(frac=1.0, random_state=seed).groupby("user").head(_SAID_PER_SLICE)
        for user, item, time in drawn[["user", "item", "time"]].itertuples(index=False):
            slate = random.choice(popular, _SLATE, replace=False).tolist()
            wording: Wording = "indirect" if random.random() < 0.5 else "literal"
            critiques = critic.criticise(row_of[item], slate, wording, random)
            if critiques:
                at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(time)) - _BEFORE
                text = critiques[-1].text
                said.append(Feedback(user, text=text, time=at, id=f"{user}-{item}"))
    return sorted(said, key=lambda one: (one.time, one.id))


def _us(one: Feedback) -> int:
    return round(one.time.timestamp() * 1e6)
