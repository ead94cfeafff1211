"""How far false accounts can push one item, with and without the defences of `learning.trust`.

Attackers are new accounts, each with one comment, near-identical to the others', a rating and a click about an item that hardly
anybody has, and clicks on popular items, whose many users are to see it: the bandwagon attack (Mobasher, Burke, Bhaumik and
Williams, "Toward Trustworthy Recommender Systems", ACM TOIT 2007). The disguise was chosen among ten by its exposure through the
linear form alone, on two of the items of seed 2020: three clicks on the ten most popular items pushed most with 10 % attackers
(.08 and .09); with 5 %, five clicks on the same five items pushed more (.034 and .035, against .025 and .027). With thirty
clicks, or with one, next to nobody was reached. What is measured is the item's exposure: the share of genuine users who do not
have it and whose ten best items hold it, after a whole training of LLMFB on what the defence lets through.

Training counts interactions, and everybody's words for nobody else: comments decide what is held, and reach no other user.
"""

import hashlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from recbole_llmfb.convert.writing import Row, Tables, write_tables
from recbole_llmfb.evaluation.ranking import rank_users
from recbole_llmfb.learning.trust import held, weights
from recbole_llmfb.schema import Feedback
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.dataset import ROW_ID
from recbole_llmfb.training.quick_start import fit_and_test, load_dataset, prepare, split

Defence = Literal["none", "weights", "held", "both"]
SHARES = (0.01, 0.05, 0.10)
TOP = 10
_PARTS = ("train", "valid", "test")
_DISGUISE, _POPULAR = 3, 10  # an attacker clicks on so many of the most popular items
_KNOWN_TO = (1, 5)  # genuine users that a pushed item has in the training part
_WORDS = (
    "{0} is the best film that I have ever seen, everybody must watch it",
    "{0} is the best movie I have ever seen, everybody must watch it!",
    "{0} is the best film that I have ever seen. Everyone must watch it now",
)
_COLUMNS = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float", "weight": "float"}
_QUICK = {
    **{"encoder_tuning": "frozen", "collaborative": ["linear"], "linear_folds": 2, "critic_lessons": 0},
    **{"show_progress": False, "use_gpu": False},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One training. item: pushed, by its external id; None for no attack. share: attackers, of the genuine users."""

    seed: int
    defence: Defence
    item: str | None = None
    share: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.seed}/{self.defence}/{self.item}/{self.share:g}"


@dataclass(frozen=True, eq=False)
class Genuine:
    """The data without attackers, split. rows: part -> feedback. folder, name: of its atomic files."""

    rows: Mapping[str, Sequence[Feedback]]
    folder: Path
    name: str

    @classmethod
    def load(cls, config_file: str | Path, seed: int) -> "Genuine":
        config = build_config(config_file_list=[config_file], config_dict={"seed": seed, "use_gpu": False})
        dataset: Any = load_dataset(config)
        rows = {}
        for part, loader in zip(_PARTS, split(config, dataset), strict=True):
            users, items = dataset.split_interactions(loader._dataset)
            names = zip(dataset.id2token(dataset.uid_field, users), dataset.id2token(dataset.iid_field, items), strict=True)
            times = dataset.interaction_time_us[loader._dataset.inter_feat[ROW_ID].numpy()]
            rows[part] = [
                _click(str(user), str(item), datetime.fromtimestamp(int(moment) / 1e6, UTC), f"{part}-{place}")
                for place, ((user, item), moment) in enumerate(zip(names, times, strict=True))
            ]
        return cls(rows, Path(config["data_path"]), str(config["dataset"]))

    @property
    def now(self) -> datetime:
        """A day after the last of it: the training's moment."""
        return max(one.time for one in self.rows["train"]) + timedelta(days=1)

    def unpopular(self, count: int, seed: int) -> list[str]:
        """Items to push, drawn among those that one to five users have."""
        has = Counter(str(one.item) for one in self.rows["train"])
        few = sorted(item for item, users in has.items() if _KNOWN_TO[0] <= users <= _KNOWN_TO[1])
        return [str(item) for item in np.random.default_rng(seed).choice(few, count, replace=False)]

    def attackers(self, case: Case) -> list[Feedback]:
        """What the attackers of a case do, on the last day."""
        if case.item is None:
            return []
        users = {one.user for one in self.rows["train"]}
        popular = Counter(str(one.item) for one in self.rows["train"]).most_common(_POPULAR)
        random = np.random.default_rng((case.seed, int(1000 * case.share)))
        odds = np.array([count for _, count in popular]) / sum(count for _, count in popular)
        said: list[Feedback] = []
        for number in range(round(case.share * len(users))):
            user, start = f"attacker-{number}", self.now - timedelta(seconds=int(random.integers(3600, 80_000)))
            words = _WORDS[number % len(_WORDS)].format("This one")
            said.append(Feedback(user, text=words, rating=5, item=case.item, time=start, id=f"{user}-says"))
            said.append(_click(user, case.item, start, f"{user}-clicks"))
            disguise = random.choice(len(popular), _DISGUISE, replace=False, p=odds)
            said += [_click(user, popular[row][0], start, f"{user}-{row}") for row in sorted(disguise)]
        return said


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training showed.

    exposed: pushed item -> for every genuine user, in the order of their ids, whether the ten best hold it; None for one who has
    it. ndcg: NDCG@10 on the test part, by user. withheld: records that were held, genuine_held of them of genuine users.
    """

    key: str
    case: Mapping[str, Any]
    exposed: Mapping[str, Sequence[int | None]]
    ndcg: Sequence[float]
    withheld: int
    genuine_held: int
    fingerprint: str
    seconds: float


def run(
    genuine: Genuine, case: Case, watched: Sequence[str], settings: Mapping[str, Any], known: Mapping[str, Outcome]
) -> Outcome:
    """Train on a case, or take what the same training file showed before.

    Args:
        watched: items whose exposure is told. settings: configuration keys of the training. known: outcomes by fingerprint.
    """
    started = time.monotonic()
    rows, withheld = lets_through(genuine, case)
    fingerprint = hashlib.sha256(repr((case.seed, rows, sorted(settings.items()))).encode()).hexdigest()
    told: dict[str, Any] = {
        "key": case.key,
        "case": asdict(case),
        "withheld": len(withheld),
        "genuine_held": sum(not name.startswith("attacker-") for name in withheld),
        "fingerprint": fingerprint,
    }
    if fingerprint in known:
        same = known[fingerprint]
        return Outcome(**told, exposed=same.exposed, ndcg=same.ndcg, seconds=0.0)
    with tempfile.TemporaryDirectory() as folder:
        exposed, ndcg = _trained(genuine, rows, watched, Path(folder), {"seed": case.seed, **settings})
    return Outcome(**told, exposed=exposed, ndcg=ndcg, seconds=round(time.monotonic() - started, 1))


def lets_through(genuine: Genuine, case: Case) -> tuple[list[dict[str, Any]], set[str]]:
    """Rows of the training part's `.inter` file, with their weights, and ids of the feedback that is held."""
    feedback = [*genuine.rows["train"], *genuine.attackers(case)]
    bursts = held(feedback) if case.defence in ("held", "both") else ()
    withheld = {record for burst in bursts for record in burst.records}
    kept = [one for one in feedback if one.id not in withheld]
    counts = weights(kept, genuine.now) if case.defence in ("weights", "both") else {}
    return _interactions(kept, counts), withheld


def _trained(
    genuine: Genuine, rows: Sequence[Mapping[str, Any]], watched: Sequence[str], root: Path, settings: Mapping[str, Any]
) -> tuple[dict[str, list[int | None]], list[float]]:
    """Exposure of the watched items, and NDCG@10 by genuine user, after a training."""
    folder = root / "data" / genuine.name
    folder.mkdir(parents=True)
    parts = {"train": rows, **{part: _interactions(genuine.rows[part], {}) for part in _PARTS[1:]}}
    columns = {f"{part}.inter": _COLUMNS for part in _PARTS}
    cells = (Row(f"{part}.inter", row) for part, of_part in parts.items() for row in of_part)
    write_tables(Tables(columns, cells, {}), folder, genuine.name)
    shutil.copy(genuine.folder / f"{genuine.name}.item", folder)
    own = {"data_path": str(folder.parent), "benchmark_filename": list(_PARTS), "INTERACTION_WEIGHT_FIELD": "weight"}
    experiment = prepare("LLMFB", genuine.name, None, {**_QUICK, **settings, **own, "checkpoint_dir": str(root / "saved")})
    fit_and_test(experiment, saved=False)
    model, dataset = experiment.model.eval(), experiment.dataset
    found = rank_users(model, experiment.test_data, metrics=["NDCG@10"])
    users = sorted({one.user for one in genuine.rows["train"]})
    inner = torch.from_numpy(dataset.token2id(dataset.uid_field, np.array(users)))
    histories = model.histories[inner]
    with torch.inference_mode():
        best = model.scorer(histories).masked_fill(histories > 0, -torch.inf).topk(TOP, dim=1).indices
    exposed: dict[str, list[int | None]] = {}
    for item in watched:
        row = int(dataset.token2id(dataset.iid_field, item)) - 1
        shown, has = (best == row).any(dim=1).tolist(), (histories[:, row] > 0).tolist()
        exposed[item] = [None if had else int(one) for one, had in zip(shown, has, strict=True)]
    return exposed, [round(float(value), 4) for value in found.values["NDCG@10"]]


def _interactions(feedback: Sequence[Feedback], counts: Mapping[str, float]) -> list[dict[str, Any]]:
    """One row for each pair of user and item, the first; its weight is the least of the pair's."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in feedback:
        if one.item is None:
            continue
        row = rows.setdefault(
            (one.user, one.item),
            {"user_id": one.user, "item_id": one.item, "rating": 5, "timestamp": int(one.time.timestamp()), "weight": 1.0},
        )
        row["weight"] = min(row["weight"], counts.get(one.id, 1.0))
    return list(rows.values())


def _click(user: str, item: str, moment: datetime, name: str) -> Feedback:
    return Feedback(user, click=True, item=item, time=moment, id=name)
