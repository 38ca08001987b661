"""How do rows of features lie in memory while a model reads them?

Grain: one row per account and ``as_of``. A table of pandas costs more to make and to look into than the score of one
row; plain arrays cost next to nothing, for one row and for a million. What reads rows takes either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Words = npt.NDArray[np.object_]

_FEW = 100
"""Words up to which a dictionary is quicker than pandas."""

_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Columns:
    """n rows: ``numbers`` (n, names) with NaN for null, ``words`` by name with None or NaN for null."""

    names: tuple[str, ...]
    numbers: npt.NDArray[np.float64]
    words: Mapping[str, Words]

    def __len__(self) -> int:
        return len(self.numbers)

    def __contains__(self, name: object) -> bool:
        return name in self.words or name in self.names

    def __getitem__(self, name: str) -> npt.NDArray[np.float64] | Words:
        words = self.words.get(name)
        return self.numbers[:, self._place[name]] if words is None else words

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return _place_by_name(self.names)

    @property
    def there(self) -> frozenset[str]:
        """The names of all columns."""
        return _all_names(self.names, tuple(self.words))

    def doubles(self, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """The named numbers, shape (n, names); ``KeyError`` for a name that is not there."""
        return self.numbers[:, _places(self.names, names)]

    def part(self, start: int, stop: int) -> Columns:
        """The rows from one place to another."""
        return self._of(slice(start, stop))

    def chosen(self, mask: npt.NDArray[np.bool_]) -> Columns:
        """The rows where the mask is true."""
        return self._of(mask)

    def _of(self, rows: slice | npt.NDArray[np.bool_]) -> Columns:
        return Columns(self.names, self.numbers[rows], {name: words[rows] for name, words in self.words.items()})


Rows: TypeAlias = pd.DataFrame | Columns


def parts_of(rows: Rows, at_once: int) -> list[Rows]:
    """The rows, so many at a time; at least one part, so that no rows give an empty answer with all its columns."""
    if len(rows) <= at_once:
        return [rows]
    starts = range(0, len(rows), at_once)
    if isinstance(rows, Columns):
        return [rows.part(start, start + at_once) for start in starts]
    return [rows.iloc[start : start + at_once] for start in starts]


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was found of the parts of some rows: arrays one after the other, single values once."""
    if len(parts) == 1:
        return dict(parts[0])
    return {
        name: np.concatenate([part[name] for part in parts]) if isinstance(told, np.ndarray) else told
        for name, told in parts[0].items()
    }


def words_in(rows: Rows, name: str) -> Words:
    """A column of words."""
    column = rows[name]
    return column.to_numpy(dtype=object) if isinstance(column, pd.Series) else np.asarray(column, dtype=object)


def doubles_in(rows: Rows, name: str) -> npt.NDArray[np.float64]:
    """A column of numbers."""
    return np.asarray(rows[name], dtype=np.float64)


def or_nothing(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same, where what is missing counts as nothing and what is infinite as the largest number there is."""
    # As `numpy.nan_to_num`, whose care for arrays of every kind costs ten times as much for one row.
    held = np.where(np.isnan(numbers), 0.0, numbers)
    return np.maximum(np.minimum(held, _LARGEST), -_LARGEST)


def coded(words: Words) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """The place of each word among the different ones, in the order in which they come; -1 for a missing one."""
    if len(words) > _FEW:
        codes, names = pd.factorize(words)
        return codes.astype(np.int64, copy=False), list(names)
    # Pandas takes a twentieth of a millisecond to find out of which kind one word is.
    found: dict[Any, int] = {}
    places = [-1 if is_missing(word) else found.setdefault(word, len(found)) for word in words]
    return np.array(places, dtype=np.int64), list(found)


def missing_in(words: Words) -> int:
    """How many words are missing."""
    return sum(map(is_missing, words)) if len(words) <= _FEW else int(pd.isna(words).sum())


def is_missing(word: object) -> bool:
    """Is it no word: None or NaN?"""
    return word is None or word != word  # noqa: PLR0124  NaN is the only value unlike itself


@lru_cache(maxsize=256)
def _all_names(numbers: tuple[str, ...], words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(numbers).union(words)


@lru_cache(maxsize=256)
def _places(there: tuple[str, ...], wanted: tuple[str, ...]) -> npt.NDArray[np.int64]:
    place = _place_by_name(there)
    return np.array([place[name] for name in wanted], dtype=np.int64)


@lru_cache(maxsize=64)
def _place_by_name(there: tuple[str, ...]) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(there)}
