"""How do rows of features lie in memory while a model reads them?

Grain: one row per account and ``as_of``. A table of pandas costs more to make and to look into than the score of one
row; plain arrays cost next to nothing, for one row and for a million. What reads rows takes either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Words = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
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
        return self.numbers[:, _places(self.names, (name,))[0]] if words is None else words

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
    starts = range(0, max(len(rows), 1), at_once)
    if isinstance(rows, Columns):
        return [rows.part(start, start + at_once) for start in starts]
    return [rows.iloc[start : start + at_once] for start in starts]


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was found of the parts of some rows: arrays one after the other, single values once."""
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


@lru_cache(maxsize=256)
def _places(there: tuple[str, ...], wanted: tuple[str, ...]) -> npt.NDArray[np.int64]:
    place = {name: number for number, name in enumerate(there)}
    return np.array([place[name] for name in wanted], dtype=np.int64)
