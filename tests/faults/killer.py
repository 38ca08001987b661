"""How is a process that we started ended without a chance to tidy up?

Children are forked from one process that has imported what they need, so that the hundredth costs no more than its
work. Only processes that were started here are ever killed, by their own handle.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

PATIENCE = 60.0


class Child:
    """One process of ours; it says something once when it is ready."""

    def __init__(self, process: ForkServerProcess, says: Connection) -> None:
        self._process = process
        self._says = says

    @property
    def number(self) -> int:
        """The system's number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def hear(self) -> Any:
        """Wait for the next thing that the child says; a child that ended instead raises EOFError."""
        assert self._says.poll(PATIENCE), "the child says nothing"
        return self._says.recv()

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until it is gone."""
        self._process.kill()
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None


class Nursery:
    """Starts children that have imported some modules already."""

    def __init__(self, *modules: str) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.conftest", "tests.faults.children", *modules])

    @contextmanager
    def child(self, work: Callable[..., None], *arguments: Any) -> Iterator[Child]:
        """Run ``work(say, *arguments)`` in a process; it is killed at the end if it still runs."""
        hears, says = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(says, *arguments), daemon=True)
        process.start()
        says.close()
        child = Child(process, hears)
        try:
            yield child
        finally:
            child.kill()
            hears.close()

    @contextmanager
    def together(self, work: Callable[..., None], each: Sequence[Sequence[Any]]) -> Iterator[list[Child]]:
        """Several children at the same time, one per sequence of arguments."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.child(work, *arguments)) for arguments in each]
