"""How does a large question leave room for small ones?

A thread that computes holds the interpreter, and whoever asks for one account waits meanwhile. So a large question is
answered piece by piece, and of several large ones one piece at a time: a small one stands beside one other thread at
most, whose longest step is that of one piece, and nothing that was made for a piece waits to be looked through when
memory is tidied up. Small questions take no turn and wait for nobody.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from threading import Lock
from typing import TypeVar

AT_ONCE = 250
"""Accounts in one piece: a tenth of a second; smaller pieces cost as much for each as for what is in it."""

_Opened = TypeVar("_Opened")
_Asked = TypeVar("_Asked")


class Turns:
    """The turns of one process. Safe to use from several threads."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = Lock()

    def each(self, ids: Sequence[str], answer: Callable[[Sequence[str]], None]) -> None:
        """Have every different id answered once, in order, a piece at a time; what ``answer`` raises ends it."""
        different = list(dict.fromkeys(ids))
        turn = self._lock if len(different) > self._at_once else nullcontext()
        for piece in self._pieces(different):
            with turn:
                answer(piece)

    def _pieces(self, ids: Sequence[str]) -> Iterator[Sequence[str]]:
        return (ids[start : start + self._at_once] for start in range(0, len(ids), self._at_once))


def settled(opener: Callable[[_Asked], _Opened]) -> Callable[[_Asked], _Opened]:
    """The same opener; after it has opened once, what the process stands on is no longer looked through for garbage.

    Libraries, tables and the first model stay for good; to look through them takes a third of a second, in which
    nobody is answered. Later models are looked through as ever, or what is left of them would stay, too.
    """
    done = Lock()

    def open_and_settle(asked: _Asked) -> _Opened:
        opened = opener(asked)
        if done.acquire(blocking=False):  # never given back: once per process
            gc.collect()
            gc.freeze()
        return opened

    return open_and_settle
