"""A version beside the live one: unseen as a shadow, for a share of the accounts as a canary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from features.errors import IntegrityError, UsageError
from features.settings import Home
from serving.api.answers import score_out
from serving.canary import Answering, takes
from serving.ledger_tables import SCORES
from serving.scorer import ScoredAccount, Scorer
from serving.shadow import MOST_WAITING, Shadow
from serving.shadow_scores import ShadowScores
from tests.serving.service_case import PASSED, ids, newest, now, stored_home
from tests.serving.test_api import Service
from tests.serving.test_live import damage
from training.challengers import Mode, challenger_changes, running, start, stop
from training.promotions import Champion, promote, rollback

SAID = ("ada", "to see")
SHARE = 0.3


class Trial:
    """A service over a home of its own, and what every version says of every account, scored apart."""

    def __init__(self, home: Home) -> None:
        self.service = Service(home)
        self.home = home
        self.challenge = self.service.context.challenge
        self.of = {version: self.table(version) for version in ("1", "2")}

    def table(self, version: str) -> dict[str, dict[str, Any]]:
        scorer = self.service.scorer if version == "1" else self.challenge.watch._open(_champion(self.home, version))
        told = {one.account_id: score_out(one.score) for one in scorer.assess_cohort(newest())}
        return {account: json.loads(score.model_dump_json()) for account, score in told.items()}

    def start(self, mode: Mode, share: float | None = None) -> None:
        start(self.home, "2", mode, share=share, said=SAID, at=now())
        self.challenge.watch.refresh()

    def end(self) -> None:
        if (found := running(self.home)) is not None:
            stop(self.home, found.mode, who="ada", why="seen", at=now())
        self.challenge.watch.refresh()

    def score(self, accounts: list[str]) -> dict[str, Any]:
        answer = self.service.client.post("/v1/score", json={"account_ids": accounts})
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    def metric(self, name: str) -> float:
        lines = self.service.client.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def _champion(home: Home, version: str) -> Champion:
    return Champion(version, home.bundles / version)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    made = Trial(stored_home(tmp_path_factory.mktemp("challengers")))
    yield made
    made.service.context.close()


@pytest.fixture
def trial(whole: Trial) -> Iterator[Trial]:
    yield whole
    whole.end()


def test_a_share_of_the_accounts_is_answered_by_the_canary_and_each_names_its_version(trial: Trial) -> None:
    trial.start(Mode.CANARY, SHARE)
    body = trial.score([*ids(), "nobody"])
    assert (body["model_version"], body["canary_version"]) == ("1", "2")
    for result in body["results"]:
        account = result["account_id"]
        assert result["model_version"] == ("2" if takes(account, "2", SHARE) else "1")
        assert result["score"] == trial.of[result["model_version"]].get(account)
    assert {result["model_version"] for result in body["results"]} == {"1", "2"}


def test_an_account_gets_the_same_version_alone_among_many_and_with_its_reasons(trial: Trial) -> None:
    trial.start(Mode.CANARY, SHARE)
    together = {one["account_id"]: one for one in trial.score(ids()[:8])["results"]}
    for account, result in together.items():
        assert trial.score([account])["results"] == [result]
        told = trial.service.client.get(f"/v1/accounts/{account}/explanation").json()
        assert (told["model_version"], told["score"]) == (result["model_version"], result["score"])
        tried = trial.service.client.post("/v1/whatif", json={"account_id": account, "levers": []})
        assert tried.status_code == 422 or tried.json()["model_version"] == result["model_version"]


def test_every_score_a_canary_told_is_in_the_ledger_under_its_version_and_counted(trial: Trial) -> None:
    before = trial.metric('campaign_pulse_canary_accounts_total{outcome="answered"}')
    trial.start(Mode.CANARY, SHARE)
    taken = [account for account in ids() if takes(account, "2", SHARE)]
    trial.score(ids())
    assert told_by_two(trial) == sorted(taken)  # and nobody else's
    assert trial.metric('campaign_pulse_canary_accounts_total{outcome="answered"}') == before + len(taken)


@pytest.mark.parametrize("ending", ["stop", "rollback", "promote"])
def test_a_canary_ends_when_it_is_stopped_and_when_the_live_model_changes(tmp_path: Path, ending: str) -> None:
    home = stored_home(tmp_path)
    if ending == "rollback":
        promote(home, "2", who="ada", why="first", verdict=PASSED, at=now())
        promote(home, "1", who="ada", why="second", verdict=PASSED, at=now())
    made = Service(home)
    watch = made.context.challenge.watch
    start(home, "2", Mode.CANARY, share=SHARE, said=SAID, at=now())
    watch.refresh()
    assert made.context.challenge.answering().canary_version == "2"
    if ending == "stop":
        stop(home, Mode.CANARY, who="ada", why="enough", at=now())
        watch.refresh()
    elif ending == "rollback":
        rollback(home, who="ada", why="wrong", at=now())
        made.context.live.refresh()  # alone: whoever follows first, the pair no longer fits
        assert made.context.challenge.answering().canary_version is None
        watch.refresh()
    else:
        promote(home, "2", who="ada", why="good", verdict=PASSED, at=now())
        made.context.live.refresh()
        watch.refresh()
    answering = made.context.challenge.answering()
    assert answering.canary_version is None
    assert answering.live.bundle.version == ("1" if ending == "stop" else "2")
    assert running(home) is None
    made.context.close()


def test_a_canary_that_cannot_answer_costs_nobody_an_answer(trial: Trial) -> None:
    trial.start(Mode.CANARY, SHARE)
    good = trial.challenge.answering()
    failures: list[tuple[str, int]] = []

    class Broken(Scorer):
        def score_accounts(self, *_: Any, **__: Any) -> list[ScoredAccount]:
            raise IntegrityError("scores that are no numbers", expected="numbers", found="NaN", todo="roll back")

    assert good.canary is not None
    broken = Broken(good.canary.bundle, None, trial.home)  # type: ignore[arg-type]
    answering = Answering(good.live, broken, SHARE, lambda error, count: failures.append((type(error).__name__, count)))
    answers = answering.score_accounts(ids(), now())
    assert [answering.version_of(answer) for answer in answers] == ["1"] * len(ids())
    assert failures == [("IntegrityError", sum(takes(account, "2", SHARE) for account in ids()))]


def test_a_damaged_challenger_is_refused_once_and_the_live_model_answers_alone(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    damage(home, "2")
    made = Service(home)
    watch = made.context.challenge.watch
    start(home, "2", Mode.CANARY, share=SHARE, said=SAID, at=now())
    for _ in range(3):
        watch.refresh()
    assert made.context.challenge.answering().canary_version is None
    assert [event for event, _ in made.events] == ["model live", "challenger refused"]
    assert watch.refusal is not None
    assert watch.refusal.version == "2"
    stop(home, Mode.CANARY, who="ada", why="bad file", at=now())
    watch.refresh()
    assert watch.refusal is None
    made.context.close()


def test_the_share_is_kept_and_a_larger_one_keeps_the_accounts_of_a_smaller_one() -> None:
    # 20,000 ids: three standard errors of a share of 0.1 are 0.0064.
    accounts = [f"account {number}" for number in range(20_000)]
    tenth, third = ({one for one in accounts if takes(one, "7", share)} for share in (0.1, 0.3))
    assert abs(len(tenth) / len(accounts) - 0.1) < 0.0064
    assert tenth < third
    other = {one for one in accounts if takes(one, "8", 0.1)}
    assert abs(len(tenth & other) / len(accounts) - 0.01) < 0.0022  # another version meets others: 0.1 x 0.1


def test_a_shadow_scores_what_was_asked_and_nothing_of_it_is_told_or_in_the_ledger(trial: Trial) -> None:
    before = told_by_two(trial)
    trial.start(Mode.SHADOW)
    accounts = ids()[:30]
    body = trial.score([*accounts, "nobody"])
    assert trial.challenge.shadow.settle(60)
    assert (body["canary_version"], {one["model_version"] for one in body["results"]}) == (None, {"1"})
    rows = trial.challenge.shadow.kept.read("2").set_index("account_id")
    for account in accounts:
        for side, version in (("served", "1"), ("shadow", "2")):
            score = trial.of[version][account]
            found = rows.loc[account, [f"{side}_health", f"{side}_band", f"{side}_risk"]].tolist()
            assert found == [score["health"], score["band"], score["risk"]["days_90"]]
    assert told_by_two(trial) == before


def told_by_two(trial: Trial) -> list[str]:
    """Accounts with a score of version 2 in the ledger; a canary of another test may have told it."""
    with trial.service.context.ledger.connected() as connection:
        query = sa.select(SCORES.c.account_id).where(SCORES.c.model_version == "2")
        return sorted(connection.execute(query).scalars())


def test_the_same_score_asked_for_again_adds_no_row(trial: Trial) -> None:
    trial.start(Mode.SHADOW)
    for _ in range(3):
        trial.score(ids()[:5])
        assert trial.challenge.shadow.settle(60)
    rows = trial.challenge.shadow.kept.read("2")
    assert not rows.duplicated(["account_id", "as_of", "served_version", "features_hash"]).any()
    assert trial.challenge.shadow.kept.read("3").empty
    assert trial.challenge.shadow.kept.newest_shadow() == "2"


def test_what_does_not_fit_is_dropped_and_counted_and_the_answer_does_not_wait(trial: Trial, tmp_path: Path) -> None:
    # Law of the shadow: a shadow that hangs costs memory for MOST_WAITING accounts, and no answer any time.
    counted: dict[str, int] = {}
    inside, release = Event(), Event()

    class Slow:
        def __init__(self, real: Scorer) -> None:
            self._real = real

        @property
        def bundle(self) -> Any:
            inside.set()
            assert release.wait(60)
            return self._real.bundle

    live = trial.service.scorer
    told = [one.assessment for one in live.score_accounts(ids()[:10], now()) if one.assessment is not None]
    shadow = Shadow(
        Home(root=tmp_path),
        count=lambda fate, many: counted.update({str(fate): counted.get(str(fate), 0) + many}),
        clock=now,
    )
    slow: Any = Slow(live)
    shadow.offer(told, live=live, shadow=slow)
    assert inside.wait(60)
    for _ in range(MOST_WAITING // len(told) + 5):
        shadow.offer(told, live=live, shadow=slow)
    assert (shadow.waiting, counted) == (MOST_WAITING, {"dropped": 6 * len(told)})
    release.set()
    shadow.close()
    assert counted["dropped"] + counted["scored"] == MOST_WAITING + 6 * len(told)


def test_a_shadow_that_fails_is_told_once_and_counted(trial: Trial, tmp_path: Path) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    counted: list[tuple[str, int]] = []

    class Broken:
        class bundle:  # noqa: N801  stands for an attribute
            version = "9"

            @staticmethod
            def score(_: pd.DataFrame) -> pd.DataFrame:
                raise MemoryError("acc-0001")

    live = trial.service.scorer
    told = [one.assessment for one in live.score_accounts(ids()[:2], now()) if one.assessment is not None]
    shadow = Shadow(
        Home(root=tmp_path),
        count=lambda fate, many: counted.append((str(fate), many)),
        clock=now,
        tell=lambda event, facts: events.append((event, dict(facts))),
    )
    broken: Any = Broken()
    for _ in range(2):
        shadow.offer(told, live=live, shadow=broken)
        assert shadow.settle(60)
    shadow.close()
    assert counted == [("failed", 2)] * 2
    assert events == [("shadow failed", {"found": "MemoryError", "version": "9"})]


def test_after_a_swap_of_the_live_model_no_shadow_scores_its_answers(tmp_path: Path) -> None:
    # The comparison is of one pair; rows of another would mix in.
    home = stored_home(tmp_path)
    made = Service(home)
    start(home, "2", Mode.SHADOW, share=None, said=SAID, at=now())
    made.context.challenge.watch.refresh()
    promote(home, "2", who="ada", why="good", verdict=PASSED, at=now())
    made.context.live.refresh()
    made.client.post("/v1/score", json={"account_ids": ids()[:3]})
    assert made.context.challenge.shadow.settle(60)
    assert ShadowScores(home).read("2").empty
    made.context.close()


def test_who_looks_at_the_models_sees_the_challenger(trial: Trial) -> None:
    trial.start(Mode.CANARY, SHARE)
    told = trial.service.client.get("/v1/models").json()["challenger"]
    assert told | {"since": None} == {
        "version": "2",
        "mode": "canary",
        "share": SHARE,
        "since": None,
        "who": "ada",
        "why": "to see",
        "runs": True,
        "refused": None,
    }
    trial.end()
    assert trial.service.client.get("/v1/models").json()["challenger"] is None


def test_one_challenger_at_a_time_and_every_start_and_stop_is_in_the_log(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    with pytest.raises(UsageError, match="version 1 is live already"):
        start(home, "1", Mode.SHADOW, share=None, said=SAID, at=now())
    start(home, "2", Mode.SHADOW, share=None, said=SAID, at=now())
    with pytest.raises(UsageError, match="another version runs beside the live one"):
        start(home, "3", Mode.SHADOW, share=None, said=SAID, at=now())
    with pytest.raises(UsageError, match="no canary runs"):
        stop(home, Mode.CANARY, who="ada", why="x", at=now())
    start(home, "2", Mode.CANARY, share=0.1, said=("bob", "agrees well"), at=now())
    start(home, "2", Mode.CANARY, share=0.2, said=("bob", "no complaint"), at=now())
    stop(home, Mode.CANARY, who="ada", why="seen", at=now())
    told = [(one.action, one.mode, one.share, one.who, one.why, one.champion) for one in challenger_changes(home)]
    assert told == [
        ("start", "shadow", None, "ada", "to see", "1"),
        ("start", "canary", 0.1, "bob", "agrees well", "1"),
        ("start", "canary", 0.2, "bob", "no complaint", "1"),
        ("stop", "canary", 0.2, "ada", "seen", "1"),
    ]
    assert running(home) is None


@pytest.mark.parametrize(
    ("mode", "share"),
    [(Mode.CANARY, 0.0), (Mode.CANARY, 0.51), (Mode.CANARY, None), (Mode.CANARY, float("nan")), (Mode.SHADOW, 0.1)],
)
def test_a_share_that_is_none_is_refused(tmp_path: Path, mode: Mode, share: float | None) -> None:
    home = stored_home(tmp_path)
    with pytest.raises(UsageError, match="this is no share of the accounts"):
        start(home, "2", mode, share=share, said=SAID, at=now())
    assert challenger_changes(home) == ()
