"""Row 13: is there always one whole current version after kill -9 in the middle of promotions?"""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from features.settings import Home
from features.store import FeatureStore
from serving.live import LiveModel
from serving.scorer import Scorer
from tests.faults.killer import Nursery
from tests.faults.reporter import report, tries
from tests.serving.service_case import stored_home
from training.model import load_bundle
from training.promotions import current, log

QUICK_KILLS, FULL_KILLS = 10, 200
MODULES = ("training.promotions", "tests.faults.test_promotion_crash")


def promote_for_ever(says: Connection, root: Path) -> None:
    """Promote versions 1 and 2 in turn, and say each one when it is acknowledged."""
    from training.promotions import promote  # noqa: PLC0415

    home = Home(root=root)
    for number in range(100_000):
        champion = current(home)
        version = "2" if champion is not None and champion.version == "1" else "1"
        verdict = {"passed": True, "gates": []}
        promote(home, version, who="test", why=f"{number}", verdict=verdict, at=datetime.now(UTC))
        says.send(len(log(home)))


def heard_until_it_ends(says: Connection) -> int:
    """The last promotion that was acknowledged, by its place in the log."""
    last = 0
    try:
        while True:
            last = says.recv()
    except EOFError:
        return last


@pytest.mark.timeout(1_800)
def test_row_13_after_kill_9_in_a_promotion_there_is_one_whole_current_version(tmp_path: Path) -> None:
    home, nursery, draw = stored_home(tmp_path), Nursery(*MODULES), random.Random(13)  # noqa: S311
    kills, failed, before = tries(QUICK_KILLS, FULL_KILLS), 0, len(log(home))
    for _ in range(kills):
        with nursery.child(promote_for_ever, home.root) as child:
            first = child.hear()
            time.sleep(draw.uniform(0.0, 0.4))
            child.kill()
            acknowledged = max(first, heard_until_it_ends(child._says))
        entries = log(home)
        chained = all(after.version_from == one.version_to for one, after in pairwise(entries))
        with closing(sqlite3.connect(home.state)) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        champion = current(home)
        whole = champion is not None and champion.version == entries[-1].version_to and champion.folder.is_dir()
        # What was acknowledged is there; at most the one that was being written may be, too.
        kept = acknowledged <= len(entries) <= acknowledged + 1
        failed += not (chained and sound and whole and kept)
        before = len(entries)
    assert before > kills
    store = FeatureStore(home)
    live = LiveModel(home, opener=lambda champion: Scorer(load_bundle(champion.folder), store, home))
    live.refresh()
    assert live.require().bundle.version == log(home)[-1].version_to
    report(13, failed, kills, f"kills left no, two or a torn current version, or lost one of {before} promotions")
