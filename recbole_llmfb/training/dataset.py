"""RecBole's dataset with text, exact times and feedback.

RecBole keeps tensors only, reads files with default quoting and rounds times to float32. `FeedbackDataset` reads the same
files strictly (`atomic`), and beside RecBole's tensors, aligned with its internal ids, holds what tensors cannot.
The letters: U users, I items, N interactions; users and items count RecBole's "[PAD]", which is row 0.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from recbole.data.dataset import Dataset
from recbole.utils import FeatureSource, FeatureType

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.training.atomic import AtomicTable, read_atomic
from recbole_llmfb.training.dialogue_split import DialogueSplit
from recbole_llmfb.training.feedback_table import FeedbackTable, empty_feedback, read_feedback
from recbole_llmfb.training.influence import weights_of
from recbole_llmfb.training.item_text import ItemFields, TextRows, describe_items
from recbole_llmfb.training.review_text import reviews_before, typical
from recbole_llmfb.training.talk_table import TalkTable, empty_talk, read_talk

NEVER = int(np.iinfo(np.int64).max)
"""The time, in microseconds, of what has none: later than every feedback."""

ROW_ID = "row_id"
"""The field of `inter_feat` that finds an interaction's exact time after shuffling and splitting."""

_log = logging.getLogger(__name__)


class FeedbackDataset(Dataset):
    """A RecBole dataset, built and split as any other, that also knows what its users and items say.

    The configuration's ITEM_TEXT_FIELDS, ITEM_TITLE_FIELD and ITEM_ATTRIBUTE_FIELDS (see `ItemFields`) may be absent.

    Attributes:
        item_table: one row per internal item id: `item` (external id), `title`, `text`, `attributes` (list of str). Row 0 is
            "[PAD]" without title, text and attributes. An item that the `.item` file lacks has its id as title.
        texts: every distinct text of an item or a feedback, once.
        item_text_row: (I,) int64, the row of an item's text in `texts`; -1 for none.
        item_documents: (I,) every word about an item: its text, and in the parts of a split the training reviews that
            ITEM_TEXT_FROM_FEEDBACK asks for. `item_table`, `texts` and `item_text_row` have as many of them as it says.
        feedback: the `.feedback` file, empty where there is none.
        talk: the `.talk` file, empty where there is none.
        interaction_time_us: (N,) int64, UTC microseconds of the N interactions that the filters left; `NEVER` where the file
            has no times. Index it by the int64 field `row_id` of `inter_feat`, which `build` adds before it splits.
        interaction_weight: (N,) float32, in the same order: how much each counts for what others are shown, from the column that
            INTERACTION_WEIGHT_FIELD names; 1 without it.

    The parts of a split share all of them. With a `.feedback` file the split must be by time, so that no model learns from
    what was said after its cut-off; or by dialogue (the key `dialogue_folds`), where no user is in two parts.

    Raises:
        DataError: a file that is not what it should be, with the line and the remedy.
        ConfigError: feedback without a split by time, dialogue folds without a `.talk` file, or an option of the wrong shape.
    """

    inter_feat: Any
    item_table: pd.DataFrame
    texts: list[str]
    item_text_row: NDArray[np.int64]
    item_documents: list[str]
    feedback: FeedbackTable
    talk: TalkTable
    interaction_time_us: NDArray[np.int64]
    interaction_weight: NDArray[np.float32]

    def cutoff_us(self, split: "FeedbackDataset") -> NDArray[np.int64]:
        """Each user's earliest time in a part of the built split, (U,) int64; `NEVER` for users without a row in it."""
        cutoff = np.full(self.user_num, NEVER, dtype=np.int64)
        np.minimum.at(cutoff, split.inter_feat[self.uid_field].numpy(), self._split_times(split))
        return cutoff

    def split_interactions(self, split: "FeedbackDataset") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Internal user ids (n,) and item ids (n,) of a part of the built split, in its order."""
        return split.inter_feat[self.uid_field].numpy(), split.inter_feat[self.iid_field].numpy()

    def build(self) -> list["FeedbackDataset"]:
        """Split as RecBole does, or by dialogue. With feedback, prove that no user's training reaches past the user's cut-off.

        Raises:
            ConfigError: with feedback, ready-made parts (`benchmark_filename`) that overlap in time.
        """
        by_dialogue = DialogueSplit.from_config(self.config)
        if by_dialogue is not None:
            return self._build_by_dialogue(by_dialogue)
        parts: list[FeedbackDataset] = super().build()
        latest = np.full(self.user_num, -NEVER, dtype=np.int64)
        for part in parts if self._feedback_path.is_file() else []:
            late = np.flatnonzero(latest > self.cutoff_us(part))
            if len(late):
                user = str(self.id2token(self.uid_field, late[0]))
                remedy = f"user {user!r} has interactions in an earlier part that come after a later part; split by time"
                raise ConfigError("benchmark_filename", self.benchmark_filename_list, remedy=remedy)
            np.maximum.at(latest, part.inter_feat[self.uid_field].numpy(), self._split_times(part))
        if self.config["ITEM_TEXT_FROM_FEEDBACK"]:
            self._describe_by_reviews(parts)
        return parts

    def _describe_by_reviews(self, parts: list["FeedbackDataset"]) -> None:
        """Let the training part's reviews describe items, in every part of the split."""
        cutoff = np.minimum.reduce([self.cutoff_us(part) for part in parts[1:]])
        about = reviews_before(self.feedback, self.texts, cutoff, self.item_num)
        table, rows = self.item_table.copy(), TextRows(self.texts)
        openings = [typical(reviews, self.config["ITEM_TEXT_FROM_FEEDBACK"]) for reviews in about]
        table["text"] = [f"{text} {said}".strip() for text, said in zip(table["text"], openings, strict=True)]
        text_row = np.array([rows.row(text) for text in table["text"]], dtype=np.int64)
        documents = [" ".join([text, *said]) for text, said in zip(self.item_documents, about, strict=True)]
        for part in parts:
            part.item_table, part.texts, part.item_text_row, part.item_documents = table, rows.texts, text_row, documents

    def _build_by_dialogue(self, how: DialogueSplit) -> list["FeedbackDataset"]:
        self._change_feat_format()
        self.sort(by=self.time_field)
        users = self.inter_feat[self.uid_field].numpy()
        dialogues = [(int(user), str(self.id2token(self.uid_field, user))) for user in self.talk.users]
        rows = how.rows(users, dialogues)
        self._drop_unused_col()
        return [self.copy(self.inter_feat[of_part]) for of_part in rows]

    def sort(self, by: Any, ascending: Any = True) -> None:
        """Sort as RecBole does, but compare exact times: its own are float32, which rounds seconds of today to 128."""
        if by != self.time_field or ascending is not True:
            super().sort(by, ascending)
        else:
            self.inter_feat = self.inter_feat[np.argsort(self._split_times(self), kind="stable")]

    def _split_times(self, split: "FeedbackDataset") -> NDArray[np.int64]:
        rows: NDArray[np.int64] = split.inter_feat[ROW_ID].numpy()
        return self.interaction_time_us[rows]

    def _from_scratch(self) -> None:
        path = Path(self.config["data_path"])
        self._feedback_path = path / f"{self.dataset_name}.feedback"
        self._by_time = not self.config["benchmark_filename"] and self.config["eval_args"]["order"] == "TO"
        self._talk_path = path / f"{self.dataset_name}.talk"
        if self.config["dialogue_folds"] and not self._talk_path.is_file():
            remedy = f"{self._talk_path.name} is not there: convert dialogues, or leave the key out"
            raise ConfigError("dialogue_folds", self.config["dialogue_folds"], remedy=remedy)
        if self._feedback_path.is_file() and not self._by_time and not self.config["benchmark_filename"]:
            remedy = f"{self._feedback_path.name} needs a split by time, or the future leaks; set eval_args: {{order: TO}}"
            raise ConfigError("eval_args.order", self.config["eval_args"]["order"], remedy=remedy)
        self._item_fields = ItemFields.from_config(
            *(self.config[key] for key in ("ITEM_TEXT_FIELDS", "ITEM_TITLE_FIELD", "ITEM_ATTRIBUTE_FIELDS"))
        )
        self._file_times: list[NDArray[np.int64]] = []  # one per .inter file, before any filter
        self._file_weights: list[NDArray[np.float32]] = []
        self._item_file: AtomicTable | None = None
        super()._from_scratch()
        self._attach_text()
        del self._file_times, self._file_weights, self._item_file

    def _attach_text(self) -> None:
        items: list[str] = self.field2id_token[self.iid_field].tolist()
        described = describe_items(items[1:], self._item_file, self._item_fields, self.iid_field, self.config["seq_separator"])
        pad = pd.DataFrame({"item": ["[PAD]"], "title": [""], "text": [""], "attributes": [[]]})
        self.item_table = pd.concat([pad, described], ignore_index=True)
        rows = TextRows()
        self.item_text_row = np.array([rows.row(text) for text in self.item_table["text"]], dtype=np.int64)
        self.feedback = empty_feedback()
        if self._feedback_path.is_file():
            users, items_of = self.field2token_id[self.uid_field], self.field2token_id[self.iid_field]
            self.feedback = read_feedback(self._read(self._feedback_path), users, items_of, rows.row)
        self.texts = rows.texts
        self.item_documents = self.item_table["text"].tolist()
        self.talk = empty_talk()
        if self._talk_path.is_file():
            self.talk = read_talk(self._read(self._talk_path), self.field2token_id[self.uid_field])

    def _read(self, path: Path) -> AtomicTable:
        return read_atomic(path, separator=self.config["field_separator"], encoding=self.config["encoding"] or "utf-8")

    def _load_feat(self, filepath: str, source: Any) -> pd.DataFrame | None:
        """One file as RecBole's own `_load_feat` gives it, with its tables of fields filled alike, through `read_atomic`."""
        table = self._read(Path(filepath))
        self._keep(table, source)
        load_col, unload_col = self._get_load_and_unload_col(source)
        wanted = set(table.types if load_col is None else load_col) - (unload_col or set())
        loaded = {}
        for field, kind in table.types.items():
            if field not in wanted or kind == "text":
                continue
            if source != "link":
                self.field2source[field], self.field2type[field] = source, FeatureType(kind)
                if "float" in kind:
                    self.field2bucketnum[field] = 2
            loaded[field] = pd.Series(table.values(field, self.config["seq_separator"]))
            longest = max(map(len, loaded[field])) if kind.endswith("seq") else 1
            limit = (self.config["seq_len"] or {}).get(field) if kind.endswith("seq") else None
            self.field2seqlen[field] = min(longest, limit or longest)
        return pd.DataFrame(loaded) if loaded else None

    def _keep(self, table: AtomicTable, source: Any) -> None:
        """Check what RecBole would drop or take without a word, and keep what it cannot hold: times and item text."""
        if not len(table):
            raise table.error(None, "a header without rows", remedy="add rows, or remove the file where it is optional")
        if source is FeatureSource.INTERACTION:
            table.ids(self.uid_field)
            table.ids(self.iid_field)
            self._file_times.append(self._times(table))
            self._file_weights.append(weights_of(table, self.config["INTERACTION_WEIGHT_FIELD"]))
        elif source in (FeatureSource.USER, FeatureSource.ITEM):
            key = self.uid_field if source is FeatureSource.USER else self.iid_field
            table.ids(key)
            table.require_distinct(key)
        if source is FeatureSource.ITEM:
            self._item_file = table

    def _times(self, table: AtomicTable) -> NDArray[np.int64]:
        if ROW_ID in table.columns:
            raise table.error(None, f"the column name {ROW_ID!r} is taken", remedy="rename the column")
        if self.time_field in table.columns:
            return table.times_us(self.time_field)
        if self._feedback_path.is_file() or self._by_time:
            why = "feedback is compared with" if self._feedback_path.is_file() else "eval_args: {order: TO} sorts by"
            table.column(self.time_field, remedy=f"add {self.time_field}:float, the time of each interaction, which {why}")
        return np.full(len(table), NEVER, dtype=np.int64)

    def _data_processing(self) -> None:
        self.interaction_time_us = np.concatenate(self._file_times)
        self.interaction_weight = np.concatenate(self._file_weights)
        super()._data_processing()

    def _filter_inter_by_user_or_item(self) -> None:
        count = len(self.inter_feat)
        super()._filter_inter_by_user_or_item()
        if len(self.inter_feat) < count:
            _log.warning(
                "%d of %d interactions are left out, because their user or item has no row in the .user or .item file;"
                " set filter_inter_by_user_or_item: false to keep them",
                count - len(self.inter_feat),
                count,
            )

    def _reset_index(self) -> None:
        """The last step of RecBole's filters: until then the index of `inter_feat` still says which row of the file it was."""
        kept = self.inter_feat.index.to_numpy()
        self.interaction_time_us, self.interaction_weight = self.interaction_time_us[kept], self.interaction_weight[kept]
        super()._reset_index()

    def _change_feat_format(self) -> None:
        super()._change_feat_format()
        self.inter_feat[ROW_ID] = torch.arange(len(self.inter_feat))
