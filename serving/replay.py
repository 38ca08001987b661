"""Does a score that was told come out again, byte for byte, from what was known then?

Grain in: entries of the ledger. Grain out: one :class:`Replayed` each. The ledger keeps the value of every feature that
a score was told from, the version that told it, the hash of that version's files, and the reasons with their words. So
nothing that comes later is asked: no warehouse, no feature store, no calibration of today. What is derived anew is
compared with what was told column by column, then reason by reason; the first difference is named.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from features.errors import IntegrityError, UnknownAccount
from features.progress import Progress, silent
from features.settings import Home
from serving.assessment import Assessment, assess
from serving.ledger import Ledger
from serving.ledger_replayed import Told, told_at
from serving.ledger_tables import CATALOGUE_HASH, packed_explanation, score_row
from serving.scored_rows import records
from training.model import Bundle, load_bundle

_AT_ONCE = 500
_STAGE = "replay scores"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first field that is not as it was told; values as JSON would write them."""

    field: str
    told: str
    again: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one entry. ``fields`` were compared; ``with_words`` when its reasons were, too."""

    account_id: str
    as_of: datetime
    scored_at: datetime
    model_version: str
    fields: int
    with_words: bool
    difference: Difference | None

    def line(self) -> str:
        """One line for a person."""
        what = f"{self.account_id} at {self.as_of.date()}, told {self.scored_at:%Y-%m-%d %H:%M} by {self.model_version}"
        if self.difference is None:
            return f"{what}: equal in {self.fields} fields{'' if self.with_words else ' (no reasons to compare)'}"
        return f"{what}: {self.difference.field} was {self.difference.told} and is {self.difference.again}"


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What came of all of them."""

    replayed: tuple[Replayed, ...]

    @property
    def different(self) -> tuple[Replayed, ...]:
        """Those that did not come out again."""
        return tuple(one for one in self.replayed if one.difference is not None)

    def lines(self, most: int = 20) -> list[str]:
        """The report for people: what differs, or the one that was asked for, and how many in all."""
        shown = self.replayed if len(self.replayed) <= most else self.different[:most]
        equal = len(self.replayed) - len(self.different)
        return [*(one.line() for one in shown), f"{equal} of {len(self.replayed)} scores came out again byte for byte"]

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        different = [
            {
                "account_id": one.account_id,
                "as_of": one.as_of,
                "scored_at": one.scored_at,
                "model_version": one.model_version,
                "field": one.difference.field,
                "told": one.difference.told,
                "again": one.difference.again,
            }
            for one in self.different
            if one.difference
        ]
        return {"scores": len(self.replayed), "equal": len(self.replayed) - len(different), "different": different}

    def failure(self) -> IntegrityError | None:
        """None when every score came out again."""
        if not self.different:
            return None
        first = self.different[0].difference
        return IntegrityError(
            "scores that were told do not come out again",
            expected=f"{len(self.replayed)} scores as they were told",
            found=f"{len(self.different)} that differ, the first in {first.field if first else 'nothing'}",
            todo="restore the model's files and the state from a backup; after an upgrade, see whether words changed",
        )


def replay(home: Home, at: datetime, *, account_id: str | None = None, progress: Progress = silent) -> ReplayReport:
    """Derive again every score that was told at the newest ``as_of`` at or before a moment, of one account or of all.

    Raises:
        UnknownAccount: nothing was told by then.
        ServiceUnavailable: the ledger does not answer.
    """
    ledger = Ledger(home)
    try:
        with ledger.connected() as connection:
            told = told_at(connection, at, account_id)
    finally:
        ledger.close()
    if not told:
        raise UnknownAccount(
            "no score was told by then",
            expected="an account, and a date at or after its first score",
            found=f"none at or before {at.date()}",
            todo="list what was told with GET /v1/accounts/ACCOUNT/history",
        )
    replayed: list[Replayed] = []
    for version in sorted({one.row["model_version"] for one in told}):
        of_version = [one for one in told if one.row["model_version"] == version]
        model = _model(home, version, of_version[0].bundle_hashes)
        for start in range(0, len(of_version), _AT_ONCE):
            replayed += _again(of_version[start : start + _AT_ONCE], model)
            progress(_STAGE, len(replayed), len(told))
    return ReplayReport(tuple(sorted(replayed, key=lambda one: (one.account_id, one.scored_at))))


def _model(home: Home, version: str, known: Sequence[str]) -> Bundle | Difference:
    """The model of a version, or in what its files differ from those that scored."""
    try:
        bundle = load_bundle(home.bundles / version)
    except IntegrityError as failure:
        return Difference("model", "the files of its version", failure.found)
    if known and bundle.content_hash not in known:
        return Difference("model", " or ".join(known), bundle.content_hash)
    return bundle


def _again(told: Sequence[Told], model: Bundle | Difference) -> Iterator[Replayed]:
    if isinstance(model, Difference):
        yield from (_replayed(one, 0, model) for one in told)
        return
    for one in told:
        if not one.is_sound:
            yield _replayed(one, 1, Difference("features_hash", one.row["features_hash"], "of other kept values"))
    sound = [one for one in told if one.is_sound]
    today = [one for one in sound if one.catalogue_hash == CATALOGUE_HASH]
    if today:
        rows = pd.concat([one.features() for one in today], ignore_index=True)
        with_words = any(one.explanation for one in today)
        for one, assessment in zip(today, assess(rows, model, reasons=with_words), strict=True):
            yield _compared(one, _row_again(one, assessment), packed_explanation(assessment.explanation))
    for one in sound:
        if one.catalogue_hash != CATALOGUE_HASH:
            # Told by another catalogue: the model still reads its own columns, the facts beside it are not its words.
            yield _compared(one, records(model.score(one.features()))[0], b"")


def _row_again(one: Told, assessment: Assessment) -> dict[str, Any]:
    moments = {name: one.row[name] for name in ("channel", "scored_at", "data_watermark")}
    again = score_row(assessment, channel="", scored_at=assessment.as_of, data_watermark=None)
    return again | moments


def _compared(one: Told, again: Mapping[str, Any], explanation: bytes) -> Replayed:
    fields = [name for name in one.row if name in again and name not in ("account_id", "as_of")]
    wrong = (name for name in fields if _written(one.row[name]) != _written(again[name]))
    name = next(wrong, None)
    if name is not None:
        return _replayed(one, len(fields), Difference(name, _written(one.row[name]), _written(again[name])))
    if not (one.explanation and explanation):
        return _replayed(one, len(fields), None)
    documents = [json.loads(zlib.decompress(packed)) for packed in (one.explanation, explanation)]
    parts = [dict(_leaves("explanation", document)) for document in documents]
    places = list(dict.fromkeys([*parts[0], *parts[1]]))
    place = next((place for place in places if parts[0].get(place) != parts[1].get(place)), None)
    difference = Difference(place, parts[0].get(place, "nothing"), parts[1].get(place, "nothing")) if place else None
    return _replayed(one, len(fields) + len(places), difference, with_words=True)


def _leaves(place: str, document: Any) -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for name, part in document.items():
            yield from _leaves(f"{place}.{name}", part)
    elif isinstance(document, list):
        for number, part in enumerate(document):
            yield from _leaves(f"{place}[{number}]", part)
    else:
        yield place, _written(document)


def _written(value: Any) -> str:
    # The shortest text that gives the same double: equal texts are equal bits, and -0.0 is not 0.0.
    plain = value.item() if hasattr(value, "item") else value
    return json.dumps(plain, ensure_ascii=False, default=str)


def _replayed(one: Told, fields: int, difference: Difference | None, *, with_words: bool = False) -> Replayed:
    return Replayed(
        account_id=one.account_id,
        as_of=one.as_of,
        scored_at=one.scored_at,
        model_version=one.row["model_version"],
        fields=fields,
        with_words=with_words,
        difference=difference,
    )
