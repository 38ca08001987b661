"""How many decisions does the history hold, and how many contracts have not come to theirs yet?

Input grain: contract terms of the warehouse and the outcomes, as known at the cut. Output grain: one row per length of
term. A model learns from decisions; a term that still runs is right-censored and says only that nobody left so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa

from features.identity import open_resolved
from features.settings import Home
from features.vocabulary import require_utc
from features.warehouse import Warehouse
from training.config import TrainingConfig

# One row per term: the latest state of a contract that began on a day. A contract that ran without end until it was
# cancelled has no term.
_TERMS = """
WITH known AS (
    SELECT c.contract_id, c.account_id, c.start_on, c.end_on, c.term_months, c.op,
        MAX(CASE WHEN c.end_on IS NULL THEN 1 ELSE 0 END) OVER (PARTITION BY c.contract_id, c.start_on) AS was_open,
        ROW_NUMBER() OVER (
            PARTITION BY c.contract_id, c.start_on ORDER BY c.valid_from DESC, c.available_at DESC, c.row_hash
        ) AS recency
    FROM contracts_history AS c CROSS JOIN census_cut AS l
    WHERE c.available_at <= l.data_cut
)
SELECT account_id, start_on, end_on, term_months FROM known
WHERE recency = 1 AND op = 'upsert' AND was_open = 0
"""


@dataclass(frozen=True, slots=True)
class TermCensus:
    """Terms of one length in months: how many came to their end, how many of these were the last, how many run on."""

    term_months: int
    decided: int
    left: int
    running: int

    def line(self) -> str:
        """The same in words."""
        months = "1-month terms" if self.term_months == 1 else f"{self.term_months}-month terms"
        if not self.decided:
            return f"{months}: none of {self.running} has come to its end (right-censored: nothing can be learnt yet)"
        share = self.left / self.decided
        return f"{months}: {self.decided} decisions, {self.left} left ({share:.0%}), {self.running} still run"


def census_of_terms(
    home: Home, decided: pd.DataFrame, *, data_cut: datetime, config: TrainingConfig
) -> tuple[TermCensus, ...]:
    """Count terms by length, shortest first; ``decided`` comes from :func:`training.labels.outcomes` at the same cut.

    A term counts as decided when its end and the grace lie at or before ``data_cut``; contracts without end have none.
    """
    cut = require_utc(data_cut)
    with open_resolved(Warehouse(home)) as engine:
        engine.name_rows("census_cut", pa.table({"data_cut": pa.array([cut], pa.timestamp("us", tz="UTC"))}))
        terms = engine.fetch(_TERMS).to_pandas()
    starts, ends = (pd.to_datetime(terms[name], utc=True) for name in ("start_on", "end_on"))
    went = terms["account_id"].map(decided.set_index("account_id")["decided_at"])
    over = ends + config.grace <= pd.Timestamp(cut)
    left = over & pd.to_datetime(went, utc=True).between(starts, ends + pd.Timedelta(days=1))
    counted = pd.DataFrame({"term_months": terms["term_months"], "decided": over, "left": left, "running": ~over})
    return _census(counted.dropna(subset="term_months"))


def _census(counted: pd.DataFrame) -> tuple[TermCensus, ...]:
    sums = counted.groupby("term_months").sum().sort_index()
    columns = (sums.index, sums["decided"], sums["left"], sums["running"])
    return tuple(TermCensus(*map(int, row)) for row in zip(*columns, strict=True))
