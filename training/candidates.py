"""Which columns does somebody think of adding, and what would they look like in the training rows?

Grain in: a Parquet or CSV file from outside with ``account_id`` and columns; perhaps ``as_of`` (one row per account and
snapshot) or ``exported_at`` (one row per account and export). Grain out: the rows of the snapshots. An export is joined
by account alone, its newest row to every date, as whoever has no history does it: whether that is harmless is what the
leak check finds out.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.errors import UsageError
from training.leaks import Candidates

ACCOUNT, AS_OF, EXPORTED_AT = "account_id", "as_of", "exported_at"
_KEYS = {ACCOUNT, AS_OF, EXPORTED_AT}


def read_candidates(path: Path, snapshots: pd.DataFrame) -> Candidates:
    """The columns of a file over rows of (account_id, as_of), in their order; null where the file has no row.

    Raises:
        UsageError: the file cannot be read, lacks ``account_id``, has no other column, or has two rows for one key.
    """
    given = _read(path)
    columns = [str(name) for name in given.columns if name not in _KEYS]
    if ACCOUNT not in given or not columns:
        raise _unfit(path, f"{ACCOUNT}, perhaps {AS_OF} or {EXPORTED_AT}, and columns to judge", "other columns")
    given = given.assign(**{ACCOUNT: given[ACCOUNT].astype("string")})
    for name in (AS_OF, EXPORTED_AT):
        if name in given:
            given[name] = _moments(path, given[name])
    key = [ACCOUNT, *(name for name in (AS_OF, EXPORTED_AT) if name in given)]
    if doubled := int(given.duplicated(key).sum()):
        raise _unfit(path, f"one row per {' and '.join(key)}", f"{doubled} rows more")
    rows = snapshots[[ACCOUNT, AS_OF]].astype({ACCOUNT: "string"})
    if AS_OF in given:
        joined = rows.merge(given[[ACCOUNT, AS_OF, *columns]], how="left", on=[ACCOUNT, AS_OF])
        return Candidates(path.name, joined[columns])
    newest = given.sort_values(EXPORTED_AT) if EXPORTED_AT in given else given
    newest = newest.drop_duplicates(ACCOUNT, keep="last")
    joined = rows.merge(newest[[ACCOUNT, *columns]], how="left", on=ACCOUNT)
    return Candidates(path.name, joined[columns], _edits(given, columns))


def _edits(given: pd.DataFrame, columns: list[str]) -> pd.DataFrame | None:
    # Between the last two exports: what changed in each account that stands in both.
    exports = sorted(given[EXPORTED_AT].dropna().unique()) if EXPORTED_AT in given else []
    if len(exports) < 2:  # noqa: PLR2004 - before and after
        return None
    before, after = (given[given[EXPORTED_AT] == moment].set_index(ACCOUNT) for moment in exports[-2:])
    both = before.index.intersection(after.index)
    then, now = before.loc[both, columns], after.loc[both, columns]
    changed = (then != now) & ~(then.isna() & now.isna())
    edits: pd.DataFrame = changed.fillna(value=True).astype(bool).reset_index()
    return edits.assign(before=exports[-2], after=exports[-1])


def _read(path: Path) -> pd.DataFrame:
    try:
        # Backed by Arrow, so that an integer with gaps stays one, and a flag a flag.
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as cause:
        raise _unfit(path, "a readable Parquet or CSV file", type(cause).__name__) from None


def _moments(path: Path, column: pd.Series) -> pd.Series:
    try:
        return pd.to_datetime(column, utc=True).astype("datetime64[us, UTC]")
    except (ValueError, TypeError):
        raise _unfit(path, f"moments in {column.name}", "something else") from None


def _unfit(path: Path, expected: str, found: str) -> UsageError:
    return UsageError(
        f"{path.name} cannot be judged", expected=expected, found=found, todo="correct the file and try again"
    )
