"""What a challenger learns from and is judged on: the champion's data and the log since, split by time.

Everything before a moment, the cut, is learned; what came after it is the newest held-out feedback. The champion's test set stays
held out for good, whatever the log says, so that forgetting shows. The parts stand on disk as RecBole's ready-made split
(`benchmark_filename`), in a folder that is named by their fingerprint: a cache of other data cannot be mistaken for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.convert.writing import Row, Tables, write_tables
from recbole_llmfb.errors import NotEnoughDataError, UsageError
from recbole_llmfb.evaluation.heldout import Split, rebuild_split
from recbole_llmfb.files import aside, publish
from recbole_llmfb.learning.exporting import NOTHING, LogPart, chosen, feedback_cells, says_something
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.training.atomic import AtomicTable, read_atomic
from recbole_llmfb.training.dataset import NEVER, ROW_ID
from recbole_llmfb.training.export import files_fingerprint
from recbole_llmfb.training.feedback_table import COLUMNS as FEEDBACK

PARTS = ("train", "valid", "test")
OLD = "old"
WEIGHT = "weight"
"""The column of how much an interaction counts for what others are shown, where the caller says it."""

_MICROSECOND = Decimal("0.000001")
_VALID_SHARE = 0.1
_VALID_FROM = 5  # interactions that a user needs, before one is taken for validation
_COLUMNS = ["user", "item", "time"]


class Case(NamedTuple):
    """A user before a moment, and what the user went on to choose.

    history: external ids, oldest first. said: feedback before the moment. now: the moment, seconds since 1970. targets: external
    ids. All that a bundle needs to be judged, whatever its vocabulary.
    """

    user: str
    history: tuple[str, ...]
    said: tuple[Feedback, ...]
    now: float
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Base:
    """What a champion was trained on, by external ids. What it was judged on beside its old test set, the log still has.

    interactions, old: data frames of user, item and time (UTC microseconds); `old` is the test set of the first training.
    items: the `.item` file, None where there is none. feedback: the `.feedback` file. fields: names of the user, item and time
    columns.
    """

    name: str
    interactions: pd.DataFrame
    old: pd.DataFrame
    items: AtomicTable | None
    feedback: AtomicTable | None
    fields: tuple[str, str, str]
    separator: str

    @classmethod
    def of(cls, champion: Bundle, changes: Mapping[str, Any] | None = None) -> "Base":
        """changes: configuration keys that differ on this machine, such as `data_path`.

        Raises:
            BundleError: the champion's data are not what it was trained on.
            UsageError: it learned from dialogues.
        """
        built = rebuild_split(champion, changes)
        if len(built.dataset.talk):
            raise UsageError(f"bundle {champion.version} learned from dialogues: train it again on new ones")
        config = built.config
        path, name = Path(config["data_path"]), str(config["dataset"])
        kept = path / f"{name}.{OLD}.inter"
        fields = (config["USER_ID_FIELD"], config["ITEM_ID_FIELD"], config["TIME_FIELD"])
        parts = {part: _frame(built, part) for part in PARTS}
        return cls(
            name=name,
            interactions=pd.concat([parts[part] for part in PARTS[:2]], ignore_index=True),
            old=_read_inter(kept, fields) if kept.is_file() else parts["test"],
            items=_read(path / f"{name}.item", config),
            feedback=_read(path / f"{name}.feedback", config),
            fields=fields,
            separator=str(config["field_separator"]),
        )


@dataclass(frozen=True)
class Data:
    """Data on disk, ready to train on, and cases to judge by.

    name, data_path, fields: as RecBole wants them. watermark: user -> last `seq` that is learned. newest: cases after the cut,
    words counted. old: cases of the old test set, without words. counts: interactions by part.
    """

    name: str
    data_path: Path
    fields: tuple[str, str, str]
    fingerprint: str
    watermark: Mapping[str, int]
    cut: int
    newest: tuple[Case, ...]
    old: tuple[Case, ...]
    counts: Mapping[str, int]
    weighted: bool = False

    def settings(self) -> dict[str, Any]:
        """Configuration keys that read these files as they are: their filters have run already."""
        off = "unload_col val_interval user_inter_num_interval item_inter_num_interval rm_dup_inter threshold".split()
        weight = {"INTERACTION_WEIGHT_FIELD": WEIGHT} if self.weighted else {}
        return (
            dict.fromkeys(off)
            | weight
            | {
                "data_path": str(self.data_path),
                "dataset": self.name,
                "benchmark_filename": list(PARTS),
                "load_col": {"inter": [*self.fields, *([WEIGHT] if self.weighted else [])], "item": [self.fields[1]]},
                "filter_inter_by_user_or_item": False,
                "field_separator": "\t",
            }
        )


@dataclass(frozen=True)
class Parts:
    """Interactions (user, item, time) split by time. seen: what users did after the cut, before what is to be found."""

    train: pd.DataFrame
    valid: pd.DataFrame
    seen: pd.DataFrame
    test: pd.DataFrame


def split_by_time(interactions: pd.DataFrame, cut: int) -> Parts:
    """Everything before the cut is learned; of what each user did after it, the later half is to be found.

    The latest tenth of what a user did before the cut is for validation, where that leaves enough.
    """
    ordered = interactions.sort_values(["time", "user", "item"], kind="stable", ignore_index=True)
    before, after = ordered[ordered["time"] < cut], ordered[ordered["time"] >= cut]
    place = before.groupby("user").cumcount(ascending=False)
    size = before.groupby("user")["item"].transform("size")
    taken = (size >= _VALID_FROM) & (place < (size * _VALID_SHARE).astype(int).clip(lower=1))
    late = after.groupby("user").cumcount() >= after.groupby("user")["item"].transform("size") // 2
    return Parts(before[~taken], before[taken], after[~late], after[late])


def cut_at(times: Sequence[int], share: float) -> int:
    """The moment after which the newest share of new interactions lies, in microseconds.

    Raises:
        NotEnoughDataError: fewer than two moments.
    """
    ordered = sorted(times)
    if len(set(ordered)) < 2:
        raise NotEnoughDataError((len(ordered),), remedy="collect more clicks and ratings before learning from them")
    return ordered[min(len(ordered) - 1, max(1, round(len(ordered) * (1 - share))))]


def cases_of(known: pd.DataFrame, found: pd.DataFrame, said: Iterable[Feedback], *, now: bool = True) -> tuple[Case, ...]:
    """One case for each user of `found`: the items to find, with what the user had (`known`) and said before the first of them.

    now: False for targets without a moment; nothing that was said counts then.
    """
    moments = found.groupby("user")["time"].min().to_dict()
    have: dict[str, dict[str, None]] = {}
    for user, item, time in known.sort_values("time", kind="stable")[_COLUMNS].itertuples(index=False):
        if user in moments and (not now or time <= moments[user]):
            have.setdefault(user, {})[item] = None
    heard: dict[str, list[Feedback]] = {}
    for one in said if now else ():
        if one.user in moments and as_microseconds(one.time) < moments[one.user]:
            heard.setdefault(one.user, []).append(one)
    wanted = {str(user): tuple(dict.fromkeys(items)) for user, items in found.groupby("user")["item"]}
    return tuple(
        Case(user, tuple(have.get(user, ())), tuple(heard.get(user, ())), moments[user] / 1e6, wanted[user])
        for user in sorted(map(str, moments))
    )


def assemble(
    base: Base,
    log: LogPart,
    folder: Path,
    *,
    erased: frozenset[str] = frozenset(),
    items: Path | None = None,
    newest_share: float = 0.2,
    weights: Mapping[str, float] | None = None,
) -> Data:
    """Write the data of the next training under `folder`, and give its cases.

    Args:
        log: the whole log; new is what the champion was not trained on.
        erased: users whose data leave, whatever the champion was trained on.
        items: an `.item` file in place of the champion's: its new items join the catalogue, those that it lacks leave.
        newest_share: of new interactions, that are held out.
        weights: id of a feedback -> how much it counts for what others are shown, from 0 to 1; what it leaves out counts fully.

    Raises:
        NotEnoughDataError: too little is new.
        DataError: an `.item` file that cannot be read.
    """
    table = base.items if items is None else read_atomic(items, separator=base.separator)
    catalogue = set(table.ids(base.fields[1])) if table is not None else None
    interactions, cut = _joined(base, log, erased, catalogue, newest_share)
    base = replace(base, old=_kept(base.old, erased, catalogue), items=table)
    words = _words(base, log, erased)
    by_pair = None
    if weights is not None:
        by_pair = {(one.user, str(one.item)): weights[one.id] for _, one in log.said if chosen(one) and one.id in weights}
    said = [one.feedback for one in log.said]
    return arrange(base, interactions, cut, folder, words=words, said=said, log=log, weights=by_pair)


def arrange(
    base: Base,
    interactions: pd.DataFrame,
    cut: int,
    folder: Path,
    *,
    words: Sequence[Mapping[str, Any]] = (),
    said: Sequence[Feedback] = (),
    log: LogPart = NOTHING,
    weights: Mapping[tuple[str, str], float] | None = None,
) -> Data:
    """Split interactions at the cut, and write them below `folder` beside the base's items and old test set.

    words: rows of the `.feedback` file. said: what cases hear. weights: of pairs of user and item.
    """
    parts = split_by_time(interactions, cut)
    target = _written(_tables(base, parts, words, weights), base.items, folder, base.name)
    return Data(
        name=base.name,
        data_path=target.parent,
        fields=base.fields,
        fingerprint=target.parent.name,
        watermark=_watermark(log, cut),
        cut=cut,
        newest=cases_of(pd.concat([parts.train, parts.valid, parts.seen]), parts.test, said),
        old=cases_of(pd.concat([parts.train, parts.valid]), base.old, (), now=False),
        counts={part: len(getattr(parts, part)) for part in ("train", "valid", "seen", "test")} | {OLD: len(base.old)},
        weighted=weights is not None,
    )


def _joined(
    base: Base, log: LogPart, erased: frozenset[str], catalogue: set[str] | None, share: float
) -> tuple[pd.DataFrame, int]:
    """All interactions that may be learned, the first of each pair of user and item, and the cut."""
    new = pd.DataFrame(
        [(one.user, one.item, as_microseconds(one.time)) for _, one in log.said if chosen(one)], columns=_COLUMNS
    ).astype({"time": "int64"})
    whole = _kept(pd.concat([base.interactions, new], ignore_index=True), erased, catalogue)
    pairs = pd.MultiIndex.from_frame(whole[["user", "item"]])
    whole = whole[~pairs.isin(pd.MultiIndex.from_frame(base.old[["user", "item"]]))]
    whole = whole.drop_duplicates(["user", "item"])
    return whole, cut_at(whole["time"][whole.index >= len(base.interactions)].tolist(), share)


def _kept(frame: pd.DataFrame, erased: frozenset[str], catalogue: set[str] | None) -> pd.DataFrame:
    kept = ~frame["user"].isin(erased)
    return frame[kept if catalogue is None else kept & frame["item"].isin(catalogue)]


def _watermark(log: LogPart, cut: int) -> dict[str, int]:
    """User -> the last `seq` before which everything that stands came before the cut."""
    first: dict[str, int] = {}
    for seq, one in log.said:
        if as_microseconds(one.time) >= cut:
            first[one.user] = min(seq, first.get(one.user, seq))
    whole = {user: min(seq, first.get(user, seq + 1) - 1) for user, seq in (log.watermark or {}).items()}
    return {user: seq for user, seq in whole.items() if seq}


def _frame(built: Split, part: str) -> pd.DataFrame:
    """One part of a split by external ids."""
    dataset, inner = built.dataset, getattr(built, part)._dataset
    users, items = dataset.split_interactions(inner)
    times = dataset.interaction_time_us[inner.inter_feat[ROW_ID].numpy()]
    return pd.DataFrame(
        {
            "user": dataset.id2token(dataset.uid_field, users).astype(str),
            "item": dataset.id2token(dataset.iid_field, items).astype(str),
            "time": [0 if time == NEVER else int(time) for time in times],
        }
    )


def _read_inter(path: Path, fields: tuple[str, str, str]) -> pd.DataFrame:
    table = read_atomic(path)
    return pd.DataFrame({"user": table.ids(fields[0]), "item": table.ids(fields[1]), "time": table.times_us(fields[2])})


def _read(path: Path, config: Any) -> AtomicTable | None:
    if not path.is_file():
        return None
    return read_atomic(path, separator=str(config["field_separator"]), encoding=config["encoding"] or "utf-8")


def _words(base: Base, log: LogPart, erased: frozenset[str]) -> list[Mapping[str, Any]]:
    """Rows of the `.feedback` file: what was learned from and stands, then what is in the log."""
    rows: dict[str, Mapping[str, Any]] = {}
    if base.feedback is not None:
        table = base.feedback
        for place, (name, user) in enumerate(zip(table.ids("feedback_id"), table.ids("user_id"), strict=True)):
            if user not in erased and name not in log.taken_back:
                rows[name] = {column: cells[place] for column, cells in table.columns.items()}
    for _, one in log.said:
        if one.user not in erased and says_something(one):
            rows[one.id] = feedback_cells(one)
    return list(rows.values())


def _tables(
    base: Base, parts: Parts, words: Sequence[Mapping[str, Any]], weights: Mapping[tuple[str, str], float] | None
) -> Tables:
    user, item, time = base.fields
    frames = {"train": parts.train, "valid": parts.valid, "test": parts.test, OLD: base.old}
    inter = {user: "token", item: "token", time: "float"} | ({} if weights is None else {WEIGHT: "float"})
    rows = []
    for part, frame in frames.items():
        for who, what, when in frame[_COLUMNS].itertuples(index=False):
            weight = {} if weights is None else {WEIGHT: weights.get((who, what), 1.0)}
            rows.append(Row(f"{part}.inter", {user: who, item: what, time: Decimal(int(when)) * _MICROSECOND} | weight))
    rows += [Row("feedback", cells) for cells in words]
    return Tables({f"{part}.inter": inter for part in frames} | {"feedback": FEEDBACK}, iter(rows), {})


def _written(tables: Tables, items: AtomicTable | None, folder: Path, name: str) -> Path:
    """Write the files below `folder`, in a folder named by their fingerprint; what is there already is what would be written."""
    with aside(folder) as made:
        write_tables(tables, made, name)
        if items is not None:
            _write_items(items, made / f"{name}.item")
        target = folder / files_fingerprint(made, name)[:16] / name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            publish(made, target)
    return target


def _write_items(items: AtomicTable, path: Path) -> None:
    """The cells as they stand, whatever separated them."""
    header = [f"{column}:{kind}" for column, kind in items.types.items()]
    rows = ([cell.replace("\t", " ") for cell in cells] for cells in zip(*items.columns.values(), strict=True))
    path.write_text("".join("\t".join(cells) + "\n" for cells in (header, *rows)), encoding="utf-8")
