"""What can go wrong, and what does each failure tell the person who meets it?

One family. Each error carries what was expected, what was found and what to do; one map below gives it an
exit code (``serving`` maps the same family to HTTP). No error carries an account's data: names of tables and columns,
row numbers and counts only.
"""

from __future__ import annotations


class PulseError(Exception):
    """The root of every failure that a person can do something about."""

    def __init__(self, title: str, *, expected: str, found: str, todo: str) -> None:
        super().__init__(title)
        self.title = title
        self.expected = expected
        self.found = found
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.title}: expected {self.expected}; found {self.found}; {self.todo}"

    def facts(self) -> dict[str, str]:
        """The same as a JSON object, for ``--json`` and for HTTP problem documents."""
        return {
            "error": type(self).__name__,
            "title": self.title,
            "expected": self.expected,
            "found": self.found,
            "todo": self.todo,
        }


class UsageError(PulseError):
    """A command or call was given something that it cannot mean."""


class ConfigError(PulseError):
    """A settings, mapping or rule file says something that is not allowed."""


class DataContractError(PulseError):
    """Input breaks the contract of a canonical table so that nothing of it may be taken."""


class RowsQuarantined(PulseError):
    """Good rows were taken; some rows were refused and lie in quarantine with a reason."""


class MissingStateError(PulseError):
    """Something that an earlier step makes is not there yet."""


class UnknownAccount(PulseError):
    """No account has this id at this date."""


class IntegrityError(PulseError):
    """A stored file is not the one that was written: its hash, rows or columns differ."""


class GateRefused(PulseError):
    """A model was judged and may not go live."""


class LeakFound(GateRefused):
    """Columns know the outcome before it happened: nothing may be trained on them."""


class NoUsableSignal(PulseError):
    """The data cannot support a model: too few outcomes, or no skill beyond timing."""


class DriftFound(PulseError):
    """The live model no longer holds, or may not: somebody has to look."""


class ServiceUnavailable(PulseError):
    """A store or server that this step needs does not answer."""


class StorageFull(ServiceUnavailable):
    """There is no space left to write; what was written before is whole and can be read."""


EXIT_OK = 0
EXIT_UNEXPECTED = 1
"""A defect of ours: the trace is shown, please report it."""


_EXIT_CODES: dict[type[PulseError], int] = {
    UsageError: 2,
    ConfigError: 2,
    DataContractError: 3,
    RowsQuarantined: 4,
    MissingStateError: 5,
    UnknownAccount: 6,
    IntegrityError: 7,
    LeakFound: 11,
    GateRefused: 8,
    NoUsableSignal: 9,
    StorageFull: 13,
    ServiceUnavailable: 10,
    DriftFound: 12,
}


def exit_code(error: PulseError) -> int:
    """The process exit code for a failure; the table in the README is checked against this map."""
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), EXIT_UNEXPECTED)
