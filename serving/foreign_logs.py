"""What becomes of the words that libraries, and crashes, would write to the log?

Their texts may hold what a client sent. So one line in our form takes their place: who wrote it, how grave it is, of
which kind the error was and where it happened; never its words.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from serving.request_log import Tell


class ForeignLog(logging.Handler):
    """Tells that a library had something to say."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        error = record.exc_info[1] if record.exc_info else None
        place = _place(error.__traceback__) if error else f"{record.filename}:{record.lineno}"
        kind = {"kind": type(error).__name__} if error else {}
        self._tell("library", {"logger": record.name, "level": record.levelname, "where": place, **kind})


@contextmanager
def taken_over(tell: Tell) -> Iterator[None]:
    """Let every library, every thread and the process itself speak in our form in here."""
    root, ours, before = logging.getLogger(), ForeignLog(tell), (threading.excepthook, sys.excepthook)
    silenced = [
        (logger, handler)
        for logger in (root, *map(logging.getLogger, root.manager.loggerDict))
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    for logger, handler in silenced:
        logger.removeHandler(handler)
    root.addHandler(ours)
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda crash: tell("defect", _crash(crash.exc_type, crash.exc_traceback))
    sys.excepthook = lambda kind, _error, trace: tell("defect", _crash(kind, trace))
    try:
        yield
    finally:
        threading.excepthook, sys.excepthook = before
        logging.captureWarnings(capture=False)
        root.removeHandler(ours)
        for logger, handler in silenced:
            logger.addHandler(handler)


def _crash(kind: type[BaseException], trace: TracebackType | None) -> dict[str, str]:
    return {"kind": kind.__name__, "where": _place(trace)}


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else "unknown"
