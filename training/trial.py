"""Which accounts were alerted, in which arm of a trial, and since when?

Input grain: alerts and interventions of the warehouse, as known at the cut. Output grain: one row per alert. The arm
stands in ``external_refs`` of the alert (``arm:control``), or in ``assigned_arm`` of the work on it. An account belongs
to the arm of its first alert, whatever was done later (intention to treat): who is worked on in spite of the draw is
no longer a random account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa

from features.errors import MissingStateError
from features.identity import open_resolved
from features.settings import Home
from features.vocabulary import require_utc
from features.warehouse import Warehouse

_ALERTS = """
WITH versions AS (
    SELECT a.*, ROW_NUMBER() OVER (PARTITION BY a.alert_id ORDER BY a.available_at DESC, a.row_hash) AS version
    FROM alerts AS a CROSS JOIN trial_cut AS l
    WHERE a.available_at <= l.data_cut
),
arms AS (
    SELECT i.alert_id, MIN(i.assigned_arm) AS arm FROM interventions AS i CROSS JOIN trial_cut AS l
    WHERE i.available_at <= l.data_cut AND i.op = 'upsert' AND i.assigned_arm IS NOT NULL
    GROUP BY i.alert_id
),
parents AS (
    SELECT h.account_id, h.parent_account_id,
        ROW_NUMBER() OVER (
            PARTITION BY h.account_id ORDER BY h.valid_from DESC, h.available_at DESC, h.row_hash
        ) AS recency
    FROM accounts_history AS h CROSS JOIN trial_cut AS l
    WHERE h.available_at <= l.data_cut
)
SELECT v.account_id, COALESCE(p.parent_account_id, v.account_id) AS cluster_id, v.created_at, v.risk_90,
    v.external_refs, m.arm AS worked_arm
FROM versions AS v
LEFT JOIN arms AS m ON m.alert_id = v.alert_id
LEFT JOIN parents AS p ON p.account_id = v.account_id AND p.recency = 1
WHERE v.version = 1 AND v.op = 'upsert'
ORDER BY v.account_id, v.created_at, v.alert_id
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """Alerts by account and moment: account_id, cluster_id (the parent account), created_at, risk_90 (null: not said).

    ``arm`` is the account's and null where none is on record; ``moved`` counts accounts with alerts in a second arm.
    """

    alerts: pd.DataFrame
    moved: int

    @property
    def entries(self) -> pd.DataFrame:
        """The first alert of each account."""
        return self.alerts.drop_duplicates("account_id", keep="first", ignore_index=True)

    @property
    def sizes(self) -> dict[str, int]:
        """Accounts per arm, by name."""
        counted = self.entries["arm"].value_counts()
        return {str(arm): int(counted[arm]) for arm in sorted(counted.index)}


def read_trial(home: Home, data_cut: datetime) -> Trial:
    """The alerts of a home with the arms of their accounts, as known at ``data_cut``.

    Raises:
        MissingStateError: no alert is on record.
    """
    with open_resolved(Warehouse(home)) as engine:
        cut = pa.array([require_utc(data_cut)], pa.timestamp("us", tz="UTC"))
        engine.name_rows("trial_cut", pa.table({"data_cut": cut}))
        alerts = engine.fetch(_ALERTS).to_pandas()
    if alerts.empty:
        raise MissingStateError(
            "no alert is on record",
            expected="rows in the table alerts, known by the date asked about",
            found="none",
            todo="bring alerts (and interventions) in; docs/measuring.md says what a trial needs",
        )
    alerts["created_at"] = pd.to_datetime(alerts["created_at"], utc=True).astype("datetime64[us, UTC]")
    said = alerts.pop("external_refs").astype("string").str.extract(r"\barm:(\w+)", expand=False)
    own = said.fillna(alerts.pop("worked_arm").astype("string")).astype(object)
    first = own.groupby(alerts["account_id"]).transform("first")
    others = (own.notna() & (own != first)).groupby(alerts["account_id"]).any()
    return Trial(alerts.assign(arm=first.where(first.notna(), None)), int(others.sum()))
