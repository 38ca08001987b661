"""Rows 10 and 17: does no bad model go live, and does nothing in the store run as a program?"""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from features.errors import PulseError
from features.settings import Home
from features.store import FeatureStore
from serving.live import LiveModel, Opener, scorer_of
from serving.scorer import Scorer
from tests.faults.mutate import REHASHED, SEEN_AT_ONCE, Sabotage, copied, mutant, mutated, rehash
from tests.faults.reporter import ROWS_VARIABLE, report, tries
from tests.serving.service_case import PASSED, ids, now, stored_home
from training.bundle_files import FILES
from training.model import load_bundle, prove_in_child
from training.promotions import Champion, promote

QUICK_MUTANTS, FULL_MUTANTS = 40, 200


class Watch:
    """A live model over a home of its own; bad versions are promoted to it one after the other."""

    def __init__(self, home: Home, opener: Opener) -> None:
        self.home = home
        self.live = LiveModel(home, opener=opener)
        self.live.refresh()
        self.scorer = self.live.require()
        self.before = self.scorer.score_accounts(ids()[:5], now())

    def went_live(self, version: str, sabotage: Sabotage) -> bool:
        """Promote a copy of version 2 after a sabotage; is anything else than version 1 live now, or no reason told?"""
        sabotage(copied(self.home.bundles / "2", version))
        promote(self.home, version, who="test", why="sabotage", verdict=PASSED, at=now())
        self.live.refresh()
        told = any(refusal.version == version and refusal.reason for refusal in self.live.refusals)
        return not (told and self.live.require() is self.scorer)

    def count(self, sabotages: Mapping[str, Sabotage], first: int) -> int:
        """How many of these went live."""
        live = sum(self.went_live(str(first + place), one) for place, one in enumerate(sabotages.values()))
        return live + (self.live.require().score_accounts(ids()[:5], now()) != self.before)


def read_here(home: Home) -> Opener:
    """The opener without the child process: what it refuses, LightGBM never saw (it would end this process)."""
    store = FeatureStore(home)

    def open_version(champion: Champion) -> Scorer:
        bundle = load_bundle(champion.folder)
        assert bundle.version == champion.version
        return Scorer(bundle, store, home)

    return open_version


def test_row_10_no_bad_model_goes_live_and_the_one_before_answers_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine a good model must not be refused for being slow to prove.
    monkeypatch.setattr("serving.live.CHECK_TIMEOUT", timedelta(minutes=3))
    home = stored_home(tmp_path)
    accidents = {f"mutant {number}": mutant(number) for number in range(tries(QUICK_MUTANTS, FULL_MUTANTS))}
    here = Watch(home, read_here(home))
    failed = here.count(accidents, 1000) + here.count(SEEN_AT_ONCE, 2000)
    # As the service does it: a process of its own is given the file, and may die of it.
    failed += Watch(stored_home(tmp_path / "proved"), scorer_of(home)).count(REHASHED, 3000)
    report(10, failed, len(accidents) + len(SEEN_AT_ONCE) + len(REHASHED), "bad models went live")


def test_row_10_turns_red_when_nobody_looks_at_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROWS_VARIABLE, raising=False)  # this red row is no finding
    home = stored_home(tmp_path)
    open_version = read_here(home)
    trusting = Watch(home, lambda _: open_version(Champion("1", home.bundles / "1")))
    told = {name: SEEN_AT_ONCE[name] for name in ("wrong hash", "empty file")}
    with pytest.raises(AssertionError, match="row 10 FAIL 2/2"):
        report(10, trusting.count(told, 2000), len(told))


def test_mutants_differ_from_the_file_and_from_each_other() -> None:
    content = b"".join(b"line %d\n" % number for number in range(200))
    made = [mutated(content, random.Random(number)) for number in range(200)]  # noqa: S311
    assert content not in made
    assert len(set(made)) > 190  # an accident may happen twice


class Poison:
    """Unpickled anywhere, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (open, (str(self.canary), "w"))


def poisons(canary: Path) -> dict[str, Callable[[Path], None]]:
    """Ten ways to hide a program in a store of models, by name."""
    pickled = pickle.dumps(Poison(canary))
    program = f"open({str(canary)!r}, 'w').close()\n"
    loader = f"flavors:\n  python_function:\n    loader_module: evil\n    code: code\n    data: {canary.name}\n"

    def extra(name: str, content: bytes) -> Callable[[Path], None]:
        def hide(folder: Path) -> None:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)

        return hide

    def instead(name: str) -> Callable[[Path], None]:
        def hide(folder: Path) -> None:
            (folder / name).write_bytes(pickled)
            rehash(folder)

        return hide

    return {
        "MLmodel with a loader": extra("MLmodel", loader.encode()),
        "code beside it": extra("code/evil.py", program.encode()),
        "pickled model": extra("model.pkl", pickled),
        "python model": extra("python_model.pkl", pickled),
        "skops file": extra("model.skops", pickled),
        "joblib file": extra("model.joblib", pickled),
        "start-up hook": extra("sitecustomize.py", program.encode()),
        **{f"pickle as {name}": instead(name) for name in ("model.txt", "golden.json", "calibration.json")},
    }


def test_row_17_nothing_in_the_store_runs_as_a_program(tmp_path: Path) -> None:
    home, canary = stored_home(tmp_path / "home"), tmp_path / "canary"
    ran, hidden = 0, poisons(canary)
    for place, hide in enumerate(hidden.values()):
        folder = copied(home.bundles / "2", str(100 + place))
        hide(folder)
        try:
            loaded = load_bundle(folder).version == folder.name
        except PulseError:
            loaded = False
        # What only lies beside the files is not looked at; what takes the place of a file is refused.
        assert loaded == (not any(name in str(list(hidden)[place]) for name in FILES))
        ran += canary.exists()
        canary.unlink(missing_ok=True)
    together = copied(home.bundles / "2", "200")
    for name, hide in hidden.items():
        if not name.startswith("pickle as"):
            hide(together)
    prove_in_child(together)
    ran += canary.exists()
    report(17, ran, len(hidden), "poisoned artifacts ran")


def test_row_17_would_see_a_program_that_runs(tmp_path: Path) -> None:
    # The same bytes in the hands of who unpickles what he finds.
    canary, poison = tmp_path / "canary", tmp_path / "model.pkl"
    poison.write_bytes(pickle.dumps(Poison(canary)))
    careless = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')).close()"
    subprocess.run([sys.executable, "-c", careless, str(poison)], check=True, timeout=60)
    assert canary.exists()
