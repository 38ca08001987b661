"""Do plain arrays say what a table says, to the last bit?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.errors import DataContractError, IntegrityError
from training.bundle import OFFSET_OWNERS, Bundle
from training.columns import Columns, coded, joined, missing_in, or_nothing, parts_of, words_in
from training.inputs import KEYS, WORDS, numbers_of

from .bundle_case import trained


def bundle() -> Bundle:
    return trained().bundle


def some(count: int = 60, seed: int = 1) -> pd.DataFrame:
    """Feature rows of any date and status; some are of no segment, and of none that the model has seen."""
    rows = trained().world.snapshots.sample(count, random_state=seed).reset_index(drop=True)
    rows.loc[3, "segment"], rows.loc[4, "segment"], rows.loc[5, "phase"] = None, "never seen", None
    rows.loc[6, ["usable_weeks", "term_months", "days_to_decision"]] = np.nan
    return rows


def as_columns(rows: pd.DataFrame, *, without: str = "") -> Columns:
    numbers = tuple(name for name in bundle().needed_columns if name not in (*WORDS, without))
    words = {name: rows[name].to_numpy(dtype=object) for name in WORDS if name not in (*KEYS, without)}
    return Columns(numbers, rows[list(numbers)].to_numpy(np.float64), words)


def bits(told: Any) -> Any:
    return told.tobytes() if isinstance(told, np.ndarray) and told.dtype.kind == "f" else list(told)


def same(ours: npt.NDArray[np.float64], table: pd.DataFrame) -> None:
    assert np.ascontiguousarray(ours).tobytes() == np.ascontiguousarray(table.to_numpy(np.float64)).tobytes()


def test_scores_of_columns_are_those_of_the_table() -> None:
    rows = some()
    table, scores = bundle().score(rows), bundle().scores(as_columns(rows))
    assert [*KEYS, *scores] == list(table.columns)
    for name, told in scores.items():
        expected = table[name].to_numpy()
        assert bits(np.broadcast_to(told, len(rows)).astype(expected.dtype)) == bits(expected), name


def test_what_explains_them_is_that_of_the_table() -> None:
    rows = some()
    columns, table = as_columns(rows), bundle().score(rows)
    why = bundle().why(columns, bundle().scores(columns))
    same(why.feature_points, bundle().feature_points(rows))
    same(why.expected, bundle().expected(rows))
    same(np.column_stack(list(why.offset_points.values())), bundle().offset_points(rows))
    assert list(why.offset_points) == list(OFFSET_OWNERS)
    assert why.grade_reasons == bundle().grade_reasons(rows, table)
    assert bits(why.own_weights) == bits(bundle().own_weights(rows))
    assert bundle().abstains(columns).tolist() == bundle().abstains(rows).tolist()
    # A table is taken as it is, too.
    again = bundle().why(rows, {name: table[name].to_numpy() for name in table})
    assert bits(again.feature_points) == bits(why.feature_points)


def test_one_row_alone_has_the_bits_it_has_among_others() -> None:
    columns = as_columns(some())
    scores = bundle().scores(columns)
    why = bundle().why(columns, scores)
    for place in range(len(columns)):
        alone = columns.part(place, place + 1)
        told = bundle().scores(alone)
        for name, each in scores.items():
            assert bits(np.atleast_1d(told[name])) == bits(
                np.atleast_1d(each)[place : place + 1] if isinstance(each, np.ndarray) else np.atleast_1d(each)
            ), name
        one = bundle().why(alone, told)
        assert bits(one.feature_points[0]) == bits(np.ascontiguousarray(why.feature_points[place]))
        assert one.grade_reasons == why.grade_reasons[place : place + 1]


def test_the_size_of_a_part_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = as_columns(some())
    scores = bundle().scores(columns)
    monkeypatch.setattr("training.bundle._ROWS_AT_ONCE", 7)
    for name, told in bundle().scores(columns).items():
        assert bits(np.atleast_1d(told)) == bits(np.atleast_1d(scores[name])), name


@pytest.mark.parametrize("name", ["nps_last", "days_to_decision", "phase", "cohort_status", "usable_weeks"])
def test_a_missing_column_is_refused_by_its_name(name: str) -> None:
    short = as_columns(some(), without=name)
    scores = bundle().scores(as_columns(some()))
    for ask in (bundle().scores, lambda rows: bundle().why(rows, scores)):
        with pytest.raises(IntegrityError) as refused:
            ask(short)
        assert refused.value.found == name


def test_infinity_and_an_account_that_nobody_knows_are_refused() -> None:
    rows = some()
    with pytest.raises(DataContractError, match=r"nps_last \(1 rows\)"):
        bundle().scores(as_columns(rows.assign(nps_last=[np.inf, *rows["nps_last"][1:]])))
    with pytest.raises(DataContractError, match="1 of 60"):
        bundle().scores(as_columns(rows.assign(cohort_status=[None, *rows["cohort_status"][1:]])))


def test_no_rows_have_no_scores() -> None:
    nobody = as_columns(some()).part(0, 0)
    scores = bundle().scores(nobody)
    assert {len(told) for told in scores.values() if isinstance(told, np.ndarray)} == {0}
    assert len(bundle().why(nobody, scores).feature_points) == 0


def test_rows_are_chosen_and_parted_in_order() -> None:
    rows = Columns(("a", "b"), np.arange(10.0).reshape(5, 2), {"w": np.array(list("vwxyz"), dtype=object)})
    chosen = rows.chosen(np.array([True, False, False, True, True]))
    assert (chosen["a"].tolist(), chosen["w"].tolist(), len(chosen)) == ([0.0, 6.0, 8.0], ["v", "y", "z"], 3)
    assert [len(part) for part in parts_of(rows, 2)] == [2, 2, 1]
    assert [words_in(part, "w").tolist() for part in parts_of(rows, 2)] == [["v", "w"], ["x", "y"], ["z"]]
    assert rows.doubles(("b", "a"))[1].tolist() == [3.0, 2.0]
    assert numbers_of(rows, ["b"])[:, 0].tolist() == [1.0, 3.0, 5.0, 7.0, 9.0]
    with pytest.raises(KeyError):
        rows["c"]


def test_what_was_found_of_parts_is_put_together_in_order() -> None:
    parts = [{"x": np.array([1.0, 2.0]), "v": "1"}, {"x": np.array([3.0]), "v": "1"}]
    whole = joined(parts)
    assert (whole["x"].tolist(), whole["v"]) == ([1.0, 2.0, 3.0], "1")


@pytest.mark.parametrize("count", [0, 1, 7, 100, 101, 5000])
def test_words_are_numbered_as_pandas_numbers_them(count: int) -> None:
    # Law: one row alone and the same row among many are looked up in the same place.
    draw = np.random.default_rng(count)
    words = draw.choice(np.array(["studio", "agency", "", None, float("nan")], dtype=object), size=count)
    codes, names = coded(words)
    expected, found = pd.factorize(words)
    assert (codes.tolist(), names) == (expected.tolist(), list(found))
    assert missing_in(words) == int(pd.isna(words).sum())


def test_what_is_missing_counts_as_nothing_as_numpy_has_it() -> None:
    numbers = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5, 1e308])
    assert or_nothing(numbers).tobytes() == np.nan_to_num(numbers).tobytes()
