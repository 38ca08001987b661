"""Is a row looked up to the same bits alone and among many, in NumPy and in machine code?"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest

from training import group_lookup
from training.group_lookup import GroupLookup
from training.machine_code import TILE, add_groups, add_groups_of_few, add_totals
from training.periods import Floats

from .booster_case import INPUTS, SERVED, nasty_rows, rows
from .test_group_tables import tables

SIZES = (0, 1, 2, 12, 13, 57)
"""Of batches: none, one, the most that are looked up one by one, and more."""


@lru_cache(maxsize=16)
def warm(name: str) -> GroupLookup:
    lookup = GroupLookup(tables(name))
    lookup.warm()
    return lookup


def assert_same(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right, strict=True)


@pytest.mark.parametrize("name", SERVED)
def test_machine_code_and_numpy_give_the_same_bits(name: str) -> None:
    cold = GroupLookup(tables(name))
    asked = nasty_rows()
    assert_same(warm(name).told(asked), cold.told(asked))
    np.testing.assert_array_equal(warm(name).margins(asked), cold.margins(asked))
    assert (warm(name).warmed, cold.warmed) == (True, False)


@pytest.mark.parametrize("name", SERVED)
def test_a_row_has_the_same_bits_in_every_batch(name: str) -> None:
    # Law 7 where it is made. Every way of looking up meets every size.
    asked = nasty_rows()
    margins, groups = warm(name).told(asked)
    for lookup in (warm(name), GroupLookup(tables(name))):
        for size in SIZES:
            assert_same(lookup.told(asked[:size]), (margins[:size], groups[:size]))
            np.testing.assert_array_equal(lookup.margins(asked[:size]), margins[:size])


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("shared", [0, 1, 9, INPUTS - 1, INPUTS])
def test_rows_that_begin_alike_have_the_bits_of_whole_rows(name: str, shared: int) -> None:
    # What the start decides is looked up once: wherever the parting lies, however many ways there are, one row or many.
    asked = nasty_rows()
    others = [asked, asked[::-1], rows(len(asked), seed=8)]
    endings = np.stack([other[:, shared:] for other in others])
    whole = [np.hstack([asked[:, :shared], ending]) for ending in endings]
    expected = np.stack([warm(name).margins(one) for one in whole])
    for lookup in (warm(name), GroupLookup(tables(name))):
        for size in SIZES:
            for ways in (1, 3):
                told = lookup.continued(asked[:size, :shared], endings[:ways, :size])
                np.testing.assert_array_equal(told, expected[:ways, :size], strict=True)
    np.testing.assert_array_equal(expected[0], warm(name).told(asked)[0])


def test_tiles_meet_without_a_seam() -> None:
    asked = np.resize(nasty_rows(), (2 * TILE + 3, nasty_rows().shape[1]))
    known = len(nasty_rows())
    margins, groups = warm("depth six").told(nasty_rows())
    told = warm("depth six").told(asked)
    turns = np.arange(len(asked)) % known
    assert_same(told, (margins[turns], groups[turns]))
    np.testing.assert_array_equal(warm("depth six").margins(asked), margins[turns])
    ways = warm("depth six").continued(asked[:, :9], np.stack([asked[:, 9:], asked[:, 9:]]))
    np.testing.assert_array_equal(ways, np.stack([margins[turns]] * 2))


@pytest.mark.parametrize("few", [5, 40])
def test_the_form_of_the_array_changes_nothing(few: int) -> None:
    asked = nasty_rows()[-few:]
    told = warm("depth six").told(asked)
    frozen = asked.copy()
    frozen.flags.writeable = False
    wide = np.zeros((few, 2 * asked.shape[1]))
    wide[:, ::2] = asked
    for other in (np.asfortranarray(asked), frozen, wide[:, ::2]):
        assert_same(warm("depth six").told(other), told)
        assert_same(GroupLookup(tables("depth six")).told(other), told)


def test_threads_share_a_lookup() -> None:
    asked = np.resize(nasty_rows(), (600, nasty_rows().shape[1]))
    expected = warm("depth six").told(asked)
    with ThreadPoolExecutor(4) as pool:
        for told in pool.map(lambda _: warm("depth six").told(asked), range(24)):
            assert_same(told, expected)


def test_few_rows_never_wait_for_a_compiler_and_many_do_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tables("pairs")
    monkeypatch.setattr(group_lookup, "_MACHINE_CODE_PAYS", 100 * made.bits.size)
    lookup = GroupLookup(made)
    asked = rows(60, seed=4)
    first = lookup.told(asked)
    assert not lookup.warmed
    second = lookup.told(asked)  # 120 rows in all: more than 100
    assert lookup.warmed
    assert_same(first, second)


def test_whoever_tells_how_many_rows_will_come_need_not_wait_until_it_pays() -> None:
    made = tables("pairs")
    pays = 1 + group_lookup._MACHINE_CODE_PAYS // made.bits.size
    few, many = GroupLookup(made), GroupLookup(made)
    few.expect(pays // 2)
    many.expect(pays)
    assert (few.warmed, many.warmed) == (False, True)
    assert_same(few.told(nasty_rows()), many.told(nasty_rows()))


def test_numpy_takes_many_rows_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = GroupLookup(tables("pairs")).told(nasty_rows())
    monkeypatch.setattr(group_lookup, "_BITS_AT_ONCE", 7 * tables("pairs").bits.size)
    assert_same(GroupLookup(tables("pairs")).told(nasty_rows()), expected)


@pytest.mark.parametrize("add", [add_groups, add_groups_of_few, add_totals])
def test_machine_code_is_kept_in_memory_only_and_frees_the_interpreter(add: object) -> None:
    # numba's cache on disk is made of pickles, which nothing of ours may read.
    assert add.stats.cache_path is None  # type: ignore[attr-defined]
    assert add.targetoptions["nogil"] is True  # type: ignore[attr-defined]
    warm("pairs")
    assert len(add.signatures) == 1  # type: ignore[attr-defined]  # one form of arguments: compiled once per process


def test_neither_the_model_door_nor_a_few_lookups_load_the_compiler() -> None:
    code = (
        "import sys, training.model\n"
        "from tests.training.test_trees import trees_of\n"
        "from tests.training.booster_case import OWNERS, rows\n"
        "from training.group_lookup import GroupLookup\n"
        "from training.group_tables import tables_of\n"
        "lookup = GroupLookup(tables_of(trees_of('pairs'), OWNERS))\n"
        "lookup.told(rows(50)), lookup.margins(rows(50))\n"
        "print(sorted({'numba', 'llvmlite'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
