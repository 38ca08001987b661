"""Does a kept search go on with its own rows and beliefs only, and say clearly why not with others?"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from features.errors import MissingStateError, UsageError
from training.capacity import capacity_for
from training.config import ScoreScale
from training.effort import ALONE, Effort
from training.kept_study import About, about, opened
from training.periods import MODEL_INPUTS
from training.search_space import suggested_params
from training.study import Best, Study, is_clearly_less

from .bundle_case import SMALL, trained

FULL = capacity_for(10_000, SMALL)
OVER = About(data="ab" * 32, rows=100, settings={"seed": 7, "folds": 3})


def over(**options: Any) -> About:
    """What a search over the small portfolio is."""
    made = trained()
    given = {"rows": made.development, "folds": made.split.walk_forward, "config": SMALL, "capacity": FULL, **options}
    return about(given["rows"], given["folds"], given["config"], given["capacity"])


def with_trials(study: Study, count: int) -> None:
    for number in range(count):
        trial = study.ask(1, 0)
        trial.suggest_float("rate", 0, 1)
        study.complete(trial, Best({"depth": number}, rounds=3, value=1.0 - number / 10))


def refusal(effort: Effort, what: About) -> str:
    with pytest.raises(MissingStateError, match="no search to go on with") as refused, opened(effort, what):
        pass
    assert "--resume" in refused.value.todo
    return refused.value.found


def test_the_same_rows_and_settings_have_the_same_name_in_any_process() -> None:
    assert over().name == over().name
    # A digest of the process would differ elsewhere: the documents are plain.
    assert About(**json.loads(json.dumps(asdict(over())))) == over()
    assert over().rows == len(trained().development)


def test_anything_that_could_change_what_is_found_changes_the_name() -> None:
    rows, folds = trained().development, trained().split.walk_forward
    first = rows.iloc[[0]].index
    moved = rows.assign(y=rows["y"].where(~rows.index.isin(first), 1 - rows["y"]))
    others = [
        over(rows=moved),
        over(rows=rows.assign(weight=rows["weight"] * 1.0001)),
        over(rows=rows.iloc[1:]),
        over(rows=rows.iloc[::-1]),
        over(rows=rows.drop(columns=[MODEL_INPUTS[3]])),
        over(folds=folds[1:]),
        over(config=SMALL.model_copy(update={"seed": 1})),
        over(config=SMALL.model_copy(update={"max_rounds": 7})),
        over(capacity=replace(FULL, most_depth=1)),
    ]
    names = [over().name, *(other.name for other in others)]
    assert len(set(names)) == len(names)


def test_how_much_is_tried_is_not_part_of_the_name() -> None:
    assert over(config=SMALL.model_copy(update={"trials": 99})).name == over().name


def test_finished_trials_are_there_again_and_those_under_way_are_not(tmp_path: Path) -> None:
    with opened(Effort(studies=tmp_path), OVER) as (study, folder):
        with_trials(study, 2)
        study.ask(1, 0)
        study.give_back(study.ask(1, 0))
        kept = study.tried()
    assert folder == tmp_path / OVER.name
    with opened(Effort(studies=tmp_path, resume=True), OVER) as (study, _):
        assert study.tried() == kept
        assert study.best() == Best({"depth": 1}, rounds=3, value=0.9)
        assert study.ask(1, 0).number == 2


def tried(*others: tuple[float, ...]) -> Study:
    """A study of the usual settings (a loss of 0.2 in each of four folds) and of others with these losses per fold."""
    study = Study.in_memory()
    for number, losses in enumerate([(0.2, 0.2, 0.2, 0.2), *others]):
        trial = study.ask(1, 0)
        suggested_params(trial, FULL)
        study.complete(trial, Best({"number": number}, 3, sum(losses) / len(losses), losses))
    return study


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ((), 0),
        # Less in the mean, by one lucky fold.
        (((0.19, 0.2, 0.2, 0.2),), 0),
        # Less in every fold by about as much.
        (((0.199, 0.1985, 0.199, 0.1988), (0.1, 0.3, 0.2, 0.21)), 1),
        (((0.21, 0.21, 0.21, 0.21),), 0),
    ],
)
def test_the_usual_settings_give_way_to_a_clear_gain_alone(others: tuple[tuple[float, ...], ...], chosen: int) -> None:
    assert tried(*others).best().params == {"number": chosen}


def test_a_gain_that_one_fold_alone_shows_is_none() -> None:
    assert not is_clearly_less([0.1], [0.2])
    assert not is_clearly_less([], [])
    assert is_clearly_less([0.1, 0.1], [0.2, 0.2])
    assert not is_clearly_less([0.2, 0.2], [0.2, 0.2])


def test_without_the_usual_settings_the_least_loss_is_chosen(tmp_path: Path) -> None:
    with opened(Effort(studies=tmp_path), OVER) as (study, _):
        with_trials(study, 3)
        assert study.best().params == {"depth": 2}


def test_a_line_that_was_cut_off_and_a_lock_that_was_left_do_no_harm(tmp_path: Path) -> None:
    with opened(Effort(studies=tmp_path), OVER) as (study, folder):
        with_trials(study, 2)
    journal = folder / "trials.journal"
    with journal.open("a") as written:
        written.write('{"op_code": 4, "wor')
    (folder / "trials.journal.lock").symlink_to(journal)
    with opened(Effort(studies=tmp_path, resume=True), OVER) as (study, _):
        assert study.finished == 2
        with_trials(study, 1)
        assert study.finished == 3
    assert Study.joined(journal).finished == 3


def test_without_resume_a_search_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        with opened(Effort(studies=tmp_path), OVER) as (study, _):
            assert study.finished == 0
            with_trials(study, 1)


def test_a_search_of_other_data_or_settings_cannot_go_on_and_the_difference_is_told(tmp_path: Path) -> None:
    effort = Effort(studies=tmp_path, resume=True)
    assert refusal(effort, OVER) == "none was ever begun"
    with opened(Effort(studies=tmp_path), OVER):
        pass
    assert refusal(effort, replace(OVER, data="cd" * 32, rows=120)) == (
        "one of other data (100 account periods; now 120)"
    )
    assert refusal(effort, replace(OVER, settings={"seed": 8, "folds": 4})) == (
        "one of the same data with another folds, seed"
    )


def test_settings_are_told_by_the_names_they_have_in_a_recipe(tmp_path: Path) -> None:
    with opened(Effort(studies=tmp_path), over()):
        pass
    other = SMALL.model_copy(update={"seed": 1, "scale": ScoreScale(green_from=70.0)})
    assert refusal(Effort(studies=tmp_path, resume=True), over(config=other)) == (
        "one of the same data with another scale, seed"
    )


def test_a_search_that_is_running_is_not_begun_a_second_time(tmp_path: Path) -> None:
    effort = Effort(studies=tmp_path)
    with opened(effort, OVER) as (study, _):
        with_trials(study, 1)
        with pytest.raises(UsageError, match="running already"), opened(effort, OVER):
            pass
        assert study.finished == 1
    with opened(Effort(studies=tmp_path, resume=True), OVER) as (study, _):
        assert study.finished == 1


def test_what_is_not_kept_cannot_be_opened() -> None:
    with pytest.raises(UsageError, match="nothing is kept"), opened(ALONE, OVER):
        pass
