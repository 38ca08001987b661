"""What do the steps go on from whose sums run on from snapshot to snapshot, and what are its columns?

Each relation has rows of a step's kept answer: those of the last settled snapshot, or (of a step that speaks only of
changes) the newest of each key up to it. Where nothing is settled, it is empty.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

NOTHING_SETTLED = datetime(1900, 1, 1, tzinfo=UTC)
_MOMENT = pa.timestamp("us", tz="UTC")
_BY_ACCOUNT = (("account_id", pa.string()), ("as_of", _MOMENT))

_WINDOWS = (
    *("usable_weeks", "usage_rows", "core_w1", "core_w4", "core_w13", "collab_w8", "collab_w13", "collab_w26"),
    *("all_w13", "seat_weeks_w1", "seat_weeks_w4", "seat_weeks_w8", "seat_weeks_w13", "seat_weeks_w26"),
    *("seat_weeks_w52", "seat_weeks_w56", "user_days_w4", "sessions_w4", "active_seconds_w4", "quiet_core_w52"),
    *("quiet_collab_w52", "quiet_seat_weeks_w52", "quiet_weeks_w52", "users_w4", "families_w13"),
    "shared_families_w13",
)
_PHASE_SUMS = ("weeks", "base_core", "base_collab", "base_users", "core_events", "collab_events", "users")
_SO_FAR = ("measured", "unexpected", "expected", "core", "collab", "users", "typical", "pars", "x", "xx", "y", "xy")


def _columns(*names: str, of: pa.DataType) -> list[tuple[str, pa.DataType]]:
    return [(name, of) for name in names]


SETTLED_ROWS = {
    "usage_windows": (
        "settled_windows",
        pa.schema(
            [
                *(("account_id", pa.string()), ("week_start", _MOMENT), ("as_of", _MOMENT)),
                *(("last_core_on", pa.date32()), *_columns(*_WINDOWS, of=pa.int64())),
            ]
        ),
    ),
    "segment_levels": (
        "settled_levels",
        pa.schema(
            [
                *(("segment", pa.string()), ("as_of", _MOMENT)),
                *_columns("core_events", "collab_events", "users", "seat_weeks", of=pa.int64()),
                *_columns("core_per_seat", "collab_per_seat", "users_per_seat", of=pa.float64()),
            ]
        ),
    ),
    "phase_sums": (
        "settled_phase_sums",
        pa.schema(
            [
                *(("account_id", pa.string()), ("segment", pa.string()), ("phase", pa.string()), ("as_of", _MOMENT)),
                *_columns(*_PHASE_SUMS, of=pa.int64()),
            ]
        ),
    ),
    "phase_multipliers": (
        "settled_multipliers",
        pa.schema(
            [
                *(("segment", pa.string()), ("phase", pa.string()), ("as_of", _MOMENT)),
                *_columns("weeks", "core_logs", "collab_logs", "users_logs", of=pa.int64()),
                *_columns("core", "collab", "users", of=pa.float64()),
            ]
        ),
    ),
    "usage_pars": (
        "settled_pars",
        pa.schema(
            [
                *(*_BY_ACCOUNT, ("week_no", pa.int64()), ("par_w1", pa.int64()), ("usage_rows", pa.int64())),
                *(("seat_ratio", pa.float64()), *_columns(*(f"{name}_so_far" for name in _SO_FAR), of=pa.int64())),
            ]
        ),
    ),
}
"""By step: the relation's name, and the columns of the step's answer."""

LATEST = {
    "phase_sums": "SELECT account_id, segment, phase, MAX(as_of) AS as_of, "
    + ", ".join(f"arg_max({name}, as_of) AS {name}" for name in _PHASE_SUMS)
    + " FROM kept_phase_sums GROUP BY account_id, segment, phase"
}
"""The queries of steps that speak only of changes."""
