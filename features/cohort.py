"""Who could still leave, on each date?

Grain out: one row per live account and built ``as_of``. Training and scoring read the same cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from features.build import COHORT, built_as_ofs, snapshot_dataset
from features.errors import MissingStateError
from features.settings import Home
from features.vocabulary import require_utc
from features.warehouse import open_engine

__all__ = ["built_as_ofs", "read_cohort"]


def read_cohort(home: Home, as_ofs: Sequence[datetime] | None = None) -> pd.DataFrame:
    """The cohort at the given dates (all built ones by default), sorted by ``as_of`` and ``account_id``.

    Days are ``datetime.date``; ``end_on`` and ``decision_on`` are null for contracts without an end.

    Raises:
        MissingStateError: nothing is built, or a date that is asked for is not.
        IntegrityError: a snapshot file is not the one that was written.
    """
    dataset = snapshot_dataset(home, COHORT)
    stored = {
        datetime.fromisoformat(entry.facts["as_of"]): path
        for entry, path in zip(dataset.entries(), dataset.files(), strict=True)
    }
    wanted = tuple(stored) if as_ofs is None else tuple(dict.fromkeys(require_utc(as_of) for as_of in as_ofs))
    missing = [as_of for as_of in wanted if as_of not in stored]
    if not stored or missing:
        raise MissingStateError(
            "the cohort is not built",
            expected="a snapshot at every date that is asked for",
            found=f"none at {missing[0].date()}, and {len(missing) - 1} more" if missing else "no snapshot at all",
            todo="run `pulse build` over these dates",
        )
    with open_engine() as engine:
        # Asked for no date, the answer still has every column.
        engine.name(COHORT, [stored[as_of] for as_of in wanted or stored], same_columns=True)
        none = "" if wanted else "LIMIT 0"
        rows: pd.DataFrame = engine.fetch(f"SELECT * FROM {COHORT} ORDER BY as_of, account_id {none}").to_pandas()
        return rows
