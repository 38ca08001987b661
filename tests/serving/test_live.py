from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from features.errors import IntegrityError, MissingStateError, ServiceUnavailable
from features.settings import Home
from features.store import FeatureStore
from serving.live import LiveModel, scorer_of
from serving.scorer import Scorer
from tests.serving.service_case import PASSED, ids, now, stored_home
from training.model import load_bundle
from training.promotions import Champion, promote, rollback


class Watched:
    """A live model over a real home, and what it told. ``openings`` counts how often a version was tried."""

    def __init__(self, home: Home, opener: Callable[[Champion], Scorer] | None = None) -> None:
        self.home = home
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.openings: list[str] = []
        open_version = opener or (lambda champion: Scorer(load_bundle(champion.folder), FeatureStore(home), home))

        def counted(champion: Champion) -> Scorer:
            self.openings.append(champion.version)
            return open_version(champion)

        self.live = LiveModel(home, opener=counted, tell=lambda event, facts: self.told.append((event, dict(facts))))

    @property
    def version(self) -> str | None:
        return None if self.live.scorer is None else self.live.scorer.bundle.version


def put_live(home: Home, version: str) -> None:
    promote(home, version, who="test", why="test", verdict=PASSED, at=now())


def damage(home: Home, version: str) -> None:
    """Flip one bit in the middle of the model file."""
    path = home.bundles / version / "model.txt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_a_promoted_model_is_proven_in_a_child_and_answers(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home, scorer_of(home))
    assert not watched.live.ready
    watched.live.refresh()
    assert (watched.version, watched.live.ready) == ("1", True)
    assert watched.told == [("model live", {"version": "1", "group_values": "lookup tables"})]
    assert watched.live.require().bundle.explainer.warmed


def test_machine_code_is_made_before_the_service_is_ready_not_in_somebodys_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home, scorer_of(home))
    ready: list[bool] = []
    monkeypatch.setattr("training.bundle.Bundle.warm", lambda _: ready.append(watched.live.ready))
    watched.live.refresh()
    assert (ready, watched.live.ready) == ([False], True)


def test_a_damaged_model_never_reaches_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the hash check LightGBM would end the child; without the child it would end us.
    home = stored_home(tmp_path)
    damage(home, "1")
    loaded: list[Path] = []
    monkeypatch.setattr("serving.live.load_bundle", loaded.append)
    watched = Watched(home, scorer_of(home))
    watched.live.refresh()
    assert (watched.version, watched.live.ready, loaded) == (None, False, [])
    assert [refusal.version for refusal in watched.live.refusals] == ["1"]


def test_a_store_of_features_that_does_not_fit_says_nothing_about_the_model(tmp_path: Path) -> None:
    # Refused, it would be tried again after a minute only, though the store was put right at once.
    home = stored_home(tmp_path)
    registry, whole = home.feast / "registry.db", tmp_path / "whole.db"
    shutil.copy2(registry, whole)
    with closing(sqlite3.connect(registry)) as connection, connection:
        connection.execute("DELETE FROM feature_views WHERE feature_view_name = 'sentiment'")
    watched = Watched(home, scorer_of(home))
    watched.live.refresh()
    assert (watched.version, watched.live.ready, watched.live.refusals) == (None, False, ())
    ((event, facts),) = watched.told
    assert event == "trouble"
    assert "not those of the catalogue" in str(facts)
    shutil.copy2(whole, registry)
    for beside in ("registry.db-wal", "registry.db-shm"):
        (home.feast / beside).unlink(missing_ok=True)
    watched.live.refresh()
    assert (watched.version, watched.live.ready) == ("1", True)


def test_a_promotion_takes_the_place_of_the_model_before(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home)
    watched.live.refresh()
    before = watched.live.require()
    put_live(home, "2")
    watched.live.refresh()
    after = watched.live.require()
    assert (before.bundle.version, after.bundle.version, watched.openings) == ("1", "2", ["1", "2"])
    # Whoever took the old one goes on with it: an answer never mixes versions.
    assert before.score_accounts(ids()[:1], now())[0].assessment != after.score_accounts(ids()[:1], now())[0].assessment


def test_a_rollback_brings_the_old_scores_back_bit_for_bit(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home)
    watched.live.refresh()
    before = watched.live.require().score_accounts(ids()[:20], now())
    put_live(home, "2")
    watched.live.refresh()
    rollback(home, who="test", why="test", at=now())
    watched.live.refresh()
    assert watched.live.require().score_accounts(ids()[:20], now()) == before


def test_a_model_that_is_live_is_not_opened_again(tmp_path: Path) -> None:
    watched = Watched(stored_home(tmp_path))
    for _ in range(5):
        watched.live.refresh()
    assert watched.openings == ["1"]
    assert len(watched.told) == 1


@pytest.mark.parametrize("sabotage", ["damaged", "missing", "another version", "crash"])
def test_a_bad_model_never_goes_live_and_the_one_before_goes_on(tmp_path: Path, sabotage: str) -> None:
    home = stored_home(tmp_path)

    def opener(champion: Champion) -> Scorer:
        if champion.version == "2" and sabotage == "crash":
            raise MemoryError("acc-0001")
        bundle = load_bundle(champion.folder)
        if bundle.version != champion.version:
            raise IntegrityError("another model", expected="2", found=bundle.version, todo="roll back")
        return Scorer(bundle, FeatureStore(home), home)

    watched = Watched(home, opener)
    watched.live.refresh()
    if sabotage == "damaged":
        damage(home, "2")
    elif sabotage != "crash":
        shutil.rmtree(home.bundles / "2")
        if sabotage == "another version":
            shutil.copytree(home.bundles / "1", home.bundles / "2")
    put_live(home, "2")
    for _ in range(3):
        watched.live.refresh()
    assert (watched.version, watched.live.ready) == ("1", True)
    assert watched.openings == ["1", "2"]
    assert [event for event, _ in watched.told] == ["model live", "model refused"]
    assert [refusal.version for refusal in watched.live.refusals] == ["2"]
    assert "acc-0001" not in str(watched.told)


def test_a_bundle_of_another_version_is_refused_by_the_opener(tmp_path: Path) -> None:
    home = stored_home(tmp_path, live=None)
    shutil.rmtree(home.bundles / "2")
    shutil.copytree(home.bundles / "1", home.bundles / "2")
    with pytest.raises(IntegrityError, match="the folder of version 2 holds another model"):
        scorer_of(home)(Champion("2", home.bundles / "2"))


def test_a_refused_model_is_tried_again_after_a_while(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home)
    watched.live.refresh()
    good = (home.bundles / "2" / "model.txt").read_bytes()
    damage(home, "2")
    put_live(home, "2")
    for _ in range(61):
        watched.live.refresh()
    assert watched.openings == ["1", "2", "2"]
    assert [event for event, _ in watched.told] == ["model live", "model refused"]
    (home.bundles / "2" / "model.txt").write_bytes(good)
    for _ in range(61):
        watched.live.refresh()
    assert (watched.version, watched.live.refusals) == ("2", ())


def test_at_the_start_an_earlier_good_model_is_better_than_none(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    put_live(home, "2")
    damage(home, "2")
    watched = Watched(home)
    watched.live.refresh()
    assert (watched.version, watched.live.ready, watched.openings) == ("1", True, ["2", "1"])


def test_without_a_promotion_nobody_answers_and_the_first_one_is_picked_up(tmp_path: Path) -> None:
    home = stored_home(tmp_path, live=None)
    watched = Watched(home)
    watched.live.refresh()
    assert not watched.live.ready
    with pytest.raises(ServiceUnavailable):
        watched.live.require()
    put_live(home, "1")
    watched.live.refresh()
    assert watched.live.ready


@pytest.mark.parametrize("missing", ["registry.db", "both"])
def test_without_features_the_service_is_not_ready_and_no_model_is_blamed(tmp_path: Path, missing: str) -> None:
    home = stored_home(tmp_path)
    moved = [name for name in ("registry.db", "online.db") if missing in (name, "both")]
    for name in moved:
        (home.feast / name).rename(tmp_path / name)
    watched = Watched(home, scorer_of(home))
    for _ in range(3):
        watched.live.refresh()
    assert (watched.live.ready, watched.live.refusals) == (False, ())
    assert [event for event, _ in watched.told] == ["trouble"]
    for name in moved:
        (tmp_path / name).rename(home.feast / name)
    watched.live.refresh()
    assert watched.live.ready


def test_a_store_that_goes_away_makes_the_service_not_ready_until_it_is_back(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home)
    watched.live.refresh()
    (home.feast / "online.db").rename(tmp_path / "away")
    watched.live.refresh()
    assert not watched.live.ready
    with pytest.raises(ServiceUnavailable, match="a feature store that does not answer"):
        watched.live.require()
    (tmp_path / "away").rename(home.feast / "online.db")
    watched.live.refresh()
    assert watched.live.ready


def test_a_damaged_promotion_log_leaves_the_live_model_alone(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    watched = Watched(home)
    watched.live.refresh()
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    home.state.write_bytes(b"not a database" * 1000)
    for _ in range(3):
        watched.live.refresh()
    assert (watched.version, watched.live.ready) == ("1", True)
    assert [event for event, _ in watched.told] == ["model live", "trouble"]


def test_the_thread_finds_a_model_and_ends_when_it_is_told(tmp_path: Path) -> None:
    found = Event()
    home = stored_home(tmp_path)
    live = LiveModel(
        home,
        opener=lambda champion: Scorer(load_bundle(champion.folder), FeatureStore(home), home),
        tell=lambda *_: found.set(),
    )
    live.start(timedelta(seconds=60))
    assert found.wait(60)
    live.close()
    assert live.scorer is not None


def test_a_home_that_does_not_exist_is_not_made_by_looking(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "nowhere")
    watched = Watched(home)
    watched.live.refresh()
    assert not watched.live.ready
    assert not home.root.exists()


def test_a_store_that_is_not_there_is_told_by_its_own_words(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    shutil.rmtree(home.feast)
    with pytest.raises(MissingStateError):
        scorer_of(home)(Champion("1", home.bundles / "1"))
