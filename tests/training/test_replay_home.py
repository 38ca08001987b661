"""What is replayed and refitted from a home: the weeks a model never saw, the live model beside it, parts left out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import UsageError, exit_code
from features.settings import Home
from features.vocabulary import Subcategory
from tests.walk_case import Told, pulse
from training import ablation_report, lifecycle, promotions
from training.ablation import _bench, _season, campaign_year
from training.ablation_parts import Ablation
from training.bundle import Bundle
from training.given import given
from training.judging import judge
from training.material import Material, gather
from training.packing import write_bundle
from training.pilot import _stretch
from training.pilot_parts import Pilot
from training.segments import LIVE
from training.splits import block_of
from training.weeks import gather_weeks, reasons_kept, scored_weeks, still_open, timing_risk

from .lifecycle_case import SMALL, Trained, stored_portfolio, trained


@dataclass(frozen=True)
class Stood:
    """A home with the portfolio, its model as version 1 on disk, and what a training has on the table."""

    home: Home
    made: Trained
    material: Material
    cut: datetime

    @property
    def block(self) -> datetime:
        """The first day that the model never learnt from."""
        return self.made.split.final.test_first


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Stood:
    made = trained()
    home = stored_portfolio(tmp_path_factory.mktemp("replay") / "home", made.world)
    made.write(home.bundles / "1")
    return Stood(home, made, gather(home, made.world.data_cut, SMALL), made.world.data_cut)


def asked(stood: Stood, bundle: Bundle, *words: object) -> Told:
    """What a command says when this bundle is the registered one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lifecycle, "bundle_of", lambda *_: bundle)
        return pulse(*words, home=stood.home.root)


@pytest.fixture(scope="module")
def answer(stood: Stood) -> Told:
    costs = stood.home.root / "costs.yaml"
    costs.write_text("currency: EUR\nproactive: 400\nreactive: 2500\n")
    return asked(stood, stood.made.bundle, "pilot", "--as-of", stood.cut.isoformat(), "--costs", costs)


@pytest.fixture(scope="module")
def told(answer: Told) -> Pilot:
    return Pilot.model_validate({name: part for name, part in answer.document.items() if name != "page"})


@pytest.fixture(scope="module")
def refit(stood: Stood) -> Told:
    fewer = SMALL.model_copy(update={"least_events": 10})
    # Few rounds: what is tested is who sees what, not how well it is learnt.
    facts = {**stood.made.bundle.facts, "rounds": 15}
    return asked(stood, replace(stood.made.bundle, config=fewer, facts=facts), "ablation", "--no-alone")


@pytest.fixture(scope="module")
def refitted(refit: Told) -> Ablation:
    return Ablation.model_validate(
        {name: part for name, part in refit.document.items() if name not in {"document", "page"}}
    )


@pytest.fixture(scope="module")
def weeks(stood: Stood) -> Material:
    return still_open(gather_weeks(stood.home, stood.material, stood.block, stood.cut))


def test_only_weeks_that_the_model_never_learnt_from_are_replayed(stood: Stood, told: Pilot) -> None:
    assert told.first_week == stood.block
    assert stood.made.development["closes_at"].max() <= pd.Timestamp(told.first_week)
    assert told.last_week <= stood.cut - SMALL.settling
    assert (told.version, told.as_of) == ("1", stood.cut)


def test_every_policy_raises_as_many_alerts(told: Pilot) -> None:
    numbers = {name: record.alerts for name, record in told.policies.items()}
    assert set(numbers) == {"champion", "health", "timing_only", "renewal_date"}
    assert len(set(numbers.values())) == 1
    assert numbers["champion"] > 10
    assert told.day_one > 0


def test_a_trial_that_would_reach_into_what_was_learnt_from_is_refused(stood: Stood) -> None:
    with pytest.raises(UsageError, match="learnt from weeks") as refused:
        _stretch(stood.block, stood.block - timedelta(weeks=4), stood.cut)
    assert f"say --from {stood.block.date()}" in refused.value.todo
    early = asked(stood, stood.made.bundle, "pilot", "--as-of", (stood.cut - timedelta(weeks=4)).isoformat())
    assert early.code == exit_code(refused.value)
    assert "on what it learnt from" in early.stderr


def test_a_trial_too_short_to_judge_is_refused(stood: Stood) -> None:
    with pytest.raises(UsageError, match="too short"):
        _stretch(stood.block, None, stood.block + timedelta(days=181))
    assert _stretch(stood.block, None, stood.block + timedelta(days=182))[0] == stood.block


def test_the_trial_is_told_in_lines_a_page_and_a_document(stood: Stood, answer: Told, told: Pilot) -> None:
    assert answer.code == 0
    for word in ("this model less renewal-date rule:", "this model less timing alone:", "reactive", "note: "):
        assert word in answer.stdout
    page = stood.home.reports / "1" / "pilot.html"
    assert answer.document["page"] == str(page)
    assert Pilot.model_validate(json.loads((page.parent / "pilot.json").read_text())) == told
    html = page.read_text()
    assert html.count("data:image/png;base64,") == 2
    assert all(f'<th scope="row">{phase}</th>' in html for phase in told.phases)
    assert "http" not in html
    assert " None" not in html


def test_the_calendar_learns_nothing_that_was_final_only_after_the_trial_began(stood: Stood, weeks: Material) -> None:
    expected = timing_risk(stood.material, weeks.snapshots, stood.block, SMALL)
    decided = stood.material.decided
    later = decided["decided_at"] > pd.Timestamp(stood.block) - SMALL.settling
    other = replace(stood.material, decided=decided[~later].reset_index(drop=True))
    np.testing.assert_array_equal(timing_risk(other, weeks.snapshots, stood.block, SMALL), expected)
    earlier = replace(stood.material, decided=decided[decided.index % 2 == 0].reset_index(drop=True))
    assert (timing_risk(earlier, weeks.snapshots, stood.block, SMALL) != expected).any()


def test_days_to_leaving_are_those_of_decisions_that_are_final(stood: Stood, weeks: Material) -> None:
    rows = scored_weeks(stood.made.bundle, weeks, np.zeros(len(weeks.cohort)))
    decided = stood.material.decided.set_index("account_id")
    known = rows["days_to_leaving"].notna()
    when = rows["account_id"].map(decided["decided_at"])
    final = when <= pd.Timestamp(stood.cut - SMALL.settling)
    assert known.equals(final & when.notna())
    assert (rows.loc[known, "days_to_leaving"] > 0).all()
    # Notice is given 8 weeks before the midnight of the last day.
    assert (rows["days_to_last_day"] - rows["days_to_leaving"])[known].between(55, 56).all()


def test_reasons_are_compared_with_the_snapshot_before_where_health_is_calm(stood: Stood, weeks: Material) -> None:
    bundle, snapshots = stood.made.bundle, weeks.snapshots
    health = bundle.score(snapshots)["health"].to_numpy()
    kept = reasons_kept(bundle, snapshots, health)
    (place, *_) = np.flatnonzero(~np.isnan(kept))
    account, as_of = snapshots.loc[place, ["account_id", "as_of"]]
    mine = snapshots[(snapshots["account_id"] == account) & (snapshots["as_of"] <= as_of)].sort_values("as_of").tail(2)
    points = bundle.feature_points(mine)[list(bundle.model_features)].abs()
    strongest = [set(row.nlargest(3).index) for _, row in points.iterrows()]
    assert kept[place] == pytest.approx(len(strongest[0] & strongest[1]) / 3)
    assert abs(np.diff(health[mine.index])[0]) < 3
    assert np.isnan(reasons_kept(bundle, snapshots, np.arange(len(snapshots)) * 10.0)).all()


def live_home(stood: Stood, root: Path, version: str, **facts: object) -> Home:
    """The same home with a live model of its own; its bundle differs from version 1 in these facts."""
    home = Home(root=root).prepare()
    for shared in ("snapshots", "feast", "warehouse"):
        (root / shared).symlink_to(stood.home.root / shared)
    made = stood.made
    bundle = replace(made.bundle, version=version, facts={**made.bundle.facts, **facts})
    write_bundle(home.bundles / version, bundle, made.reference_rows)
    promotions.promote(home, version, who="ada", why="", verdict={"passed": True}, at=stood.cut)
    return home


def test_without_a_live_model_or_as_the_live_model_itself_nothing_is_compared(stood: Stood, tmp_path: Path) -> None:
    final = stood.made.split.final
    for home in (stood.home, live_home(stood, tmp_path / "home", "1")):
        found = given(home, "1", stood.material, final)
        assert (found.live, found.no_rival, found.note) == (None, "", "")
        assert found.weeks.cohort["as_of"].between(final.test_first, final.test_last).all()


def test_a_new_model_is_compared_with_the_live_one_on_identical_rows(
    stood: Stood, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.judging._pictures", lambda *_: ())
    home = live_home(stood, tmp_path / "home", "9")
    final, folder = stood.made.split.final, stood.home.bundles / "1"
    beside = given(home, "1", stood.material, final)
    assert beside.live is not None
    found = judge(stood.made.bundle, folder, stood.material, final, given=beside).evaluation
    assert found.regressions.rival == LIVE
    assert found.deltas[LIVE].auc_window.value == 0
    assert {one.auc_pooled.value for one in found.regressions.segments.values()} == {0}


def test_a_live_model_that_learnt_from_the_block_is_no_rival(stood: Stood, tmp_path: Path) -> None:
    final = replace(stood.made.split.final, test_first=stood.block - timedelta(weeks=20))
    found = given(live_home(stood, tmp_path / "home", "9"), "1", stood.material, final)
    assert found.live is None
    assert found.no_rival == "live version 9 has learnt from this block"


def test_a_damaged_live_model_does_not_keep_a_new_one_from_being_judged(stood: Stood, tmp_path: Path) -> None:
    home = live_home(stood, tmp_path / "home", "9")
    with (home.bundles / "9" / "model.txt").open("a") as file:
        file.write("\n")
    found = given(home, "1", stood.material, stood.made.split.final)
    assert (found.live, found.no_rival) == (None, "")
    assert found.note.startswith("live version 9 was not asked: ")


def test_the_final_block_is_found_again_from_the_facts_of_a_bundle(stood: Stood) -> None:
    assert block_of(stood.material.as_ofs, stood.made.bundle.facts, SMALL) == stood.made.split.final


def test_each_part_is_left_out_once_and_each_campaign_year(refitted: Ablation) -> None:
    parts = {feature_named(name).subcategory for name in MODEL_FEATURES}
    assert set(refitted.without) == {str(part) for part in Subcategory if part in parts}
    for part, arm in refitted.without.items():
        own = sum(str(feature_named(name).subcategory) == part for name in MODEL_FEATURES)
        assert arm.features == len(MODEL_FEATURES) - own
    assert refitted.alone == {}
    assert refitted.fits == 1 + len(refitted.without) + len(refitted.seasons)
    assert len(refitted.seasons) >= 1


def test_a_season_without_which_too_few_leavers_are_left_is_named_and_not_judged(
    stood: Stood, refitted: Ablation
) -> None:
    bench = _bench(stood.material, stood.made.bundle)
    outcomes = _season(stood.material, bench, stood.made.bundle, 2022)
    assert isinstance(outcomes, int)
    assert outcomes < SMALL.least_events
    thin = refitted.model_copy(update={"too_thin": {"2022/23": outcomes}, "seasons": {}})
    told = f"  2022/23         not judged: {outcomes} accounts left in the other years, too few to learn from"
    assert told in ablation_report.lines(thin)


def test_what_a_part_is_worth_is_the_paired_difference_of_two_rankings(refitted: Ablation) -> None:
    whole = refitted.whole.auc_window.value
    for arm in refitted.without.values():
        assert arm.lead.auc_window.value == pytest.approx(whole - arm.ranking.auc_window.value)
        assert arm.words.startswith(("ahead", "behind", "no difference shown", "undefined"))
    assert any(arm.lead.auc_pooled.value != 0 for arm in refitted.without.values())


def test_a_season_left_out_is_judged_on_its_own_rows(stood: Stood, refitted: Ablation) -> None:
    years = campaign_year(stood.material.cohort["as_of"])
    for name, season in refitted.seasons.items():
        inside = int((years == int(name[:4])).sum())
        assert 0 < season.rows <= inside
        assert season.words
    assert sum(season.rows for season in refitted.seasons.values()) > 100


def test_a_campaign_year_begins_in_july() -> None:
    moments = pd.Series(pd.to_datetime(["2023-06-30", "2023-07-01", "2024-03-20"], utc=True))
    assert campaign_year(moments).tolist() == [2022, 2023, 2023]


def test_the_ablation_is_told_in_lines_and_kept(stood: Stood, refit: Told, refitted: Ablation) -> None:
    assert refit.code == 0
    assert all(f"  {name}" in refit.stdout for name in (*refitted.without, *refitted.seasons))
    assert "alone" not in refit.stdout
    kept = stood.home.reports / "1" / "ablation.json"
    assert refit.document["document"] == str(kept)
    assert Ablation.model_validate(json.loads(kept.read_text())) == refitted
    page = Path(refit.document["page"])
    assert page == kept.with_suffix(".html")
    assert all(name.replace("_", " ") in page.read_text() for name in refitted.without)
