"""Which findings of a watch were told before?

Input: a watch, and the document of the last look at an earlier date; before the first look stands the level as it was
when the model was made, which its evaluation tells. Output: the same watch, each finding with the first of the looks
in a row at which it was there. An alarm is raised once and stays open until its evidence returns or another version
answers it: a version has looks of its own. A look at a date is the same however often it is taken.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from training.watch_parts import Finding, Watch

_FINDINGS = TypeAdapter(tuple[Finding, ...])
_NAME = "watch-%Y-%m-%d.json"


def remembered(found: Watch, before: tuple[Finding, ...]) -> Watch:
    """The watch with the dates of what ``before``, the findings of the last look, told already."""
    since = {one.name: one.since for one in before}
    told = tuple(one.model_copy(update={"since": since.get(one.name, one.since)}) for one in found.findings)
    return found.model_copy(update={"findings": told})


def last_look(folder: Path, as_of: datetime) -> tuple[Finding, ...] | None:
    """The findings of the last look before ``as_of`` that a folder of reports keeps; None where there was none.

    A look of a release that kept no findings counts as one without any.
    """
    earlier = [path for path in folder.glob("watch-*.json") if path.name < as_of.strftime(_NAME)]
    if not earlier:
        return None
    kept = json.loads(max(earlier, key=lambda path: path.name).read_text())
    return _FINDINGS.validate_python(kept.get("findings", []))
