"""A training that is killed, at whatever moment, leaves the champion served and the store consistent."""

import random
import sys
from pathlib import Path
from time import sleep
from typing import Any

from checkerboard import write
from services import visitor
from sqlalchemy import text
from workers import ADA, Workplace, until

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.bundle.folder import manifests
from recbole_llmfb.learning.jobs.process import end_group
from recbole_llmfb.learning.jobs.reporting import read_progress
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import JobRow
from recbole_llmfb.serving.versions import current, history, prune

KILLS = {"sqlite": 10, "postgresql": 3}
# what a training does to versions and tables, over and over, without the training itself
TRAIN = """
import sys
from itertools import count
from pathlib import Path
from recbole_llmfb.bundle import load_bundle, write_bundle
from recbole_llmfb.bundle.gate_record import GateCheck, GateRecord
from recbole_llmfb.learning.jobs.reporting import Reporter
from recbole_llmfb.learning.versions import champion_of, nominate, promote
from recbole_llmfb.serving.store import Database
url, root = sys.argv[1], Path(sys.argv[2])
database, me = Database(url), Reporter.of_this_process()
for turn in count():
    champion = load_bundle(champion_of(database, root))
    me.progress(str(turn), 0.5)
    made = write_bundle(
        root, scorer=champion.scorer(), head=champion.head(), encoder=champion.encoder(), items=champion.items,
        attributes=champion.attributes, histories={user: champion.histories.rows(user) for user in champion.histories.users},
        configuration={**champion.manifest.configuration, "turn": turn}, metrics={}, fingerprints={}, watermark={},
        parent=champion.version, champion=False,
    )
    good = turn % 2 == 0
    nominate(database, root, made.name, GateRecord(passed=good, checks=(GateCheck(name="n", passed=good),)), actor="learn")
    if good:
        promote(database, root, made.name, actor="learn", reason="the gate passed it")
"""


def kill_one(workplace: Workplace, turns: int, wait: float) -> str:
    """Have a training begin, kill it some seconds after it has gone so many turns, and tell the reason that its job has then."""
    asked = workplace.jobs.start(ADA).id
    folder = workplace.folder / "jobs" / asked
    until(lambda: int(read_progress(folder).step or -1) >= turns)
    sleep(wait)
    with workplace.database.reading() as session:
        group = session.get_one(JobRow, asked).process_group
    assert group is not None
    end_group(group)
    return workplace.reach(asked, "failed").reason


def check(database: Database, root: Path) -> None:
    """Aliases, history, rows and folders say the same, and all versions are whole."""
    champion = current(database, root, "champion")
    there = manifests(root)
    assert champion in there
    assert load_bundle(root / str(champion)).version == champion
    assert {path.parent.name for path in root.glob("[!.]*/bundle.json")} == set(there)  # hidden ones are leavings, for `prune`
    reigns = history(database, root.name)
    assert [one.version for one in reigns if one.until is None] == [champion] * bool(reigns)
    assert all(later.since == earlier.until for later, earlier in zip(reigns, reigns[1:], strict=False))
    with database.engine.connect() as connection:
        known = {version for (version,) in connection.execute(text("SELECT version FROM bundle WHERE pruned_us IS NULL"))}
        if database.is_sqlite:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).first() is None
    assert known <= set(there)


def test_killing_a_training_at_ten_random_moments_leaves_the_champion_served(
    workplace: Workplace, url: str, database: Database, tiny_parts: dict[str, Any]
) -> None:
    random.seed(7)
    write(workplace.root, **tiny_parts)
    workplace.work(sys.executable, "-c", TRAIN, url, str(workplace.root))
    with visitor(create_app(workplace.root, database)) as service:

        def served() -> Any:
            answer = service.get("/v1/recommendations", params={"user": "u1"})
            assert answer.status_code == 200, answer.text
            return answer.json()["bundle"]

        for _ in range(KILLS[database.url.get_backend_name()]):
            assert kill_one(workplace, random.randint(1, 4), random.uniform(0, 0.3)).startswith("killed by SIGKILL")
            check(database, workplace.root)
            until(lambda: served() == current(database, workplace.root, "champion"))
            prune(database, workplace.root, keep=1, actor="test")
    assert len(history(database, workplace.root.name)) > 1
