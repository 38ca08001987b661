"""Features of a small company: the text tables of one case, put on top of two accounts with a contract.

``a1`` is a studio in the US with 10 seats, ``a2`` another; both have one contract from 2 January 2023 for three years.
Only the steps that a view needs are run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from features.steps import STEPS, step_sql
from tests.features.sql_case import step_rows

AS_OF = "2024-07-01"
"""A Monday. 26 weeks before it is 2024-01-01, 52 weeks before it 2023-07-03."""

COMPANY = {
    "accounts_history": """
        account_id | valid_from | segment | hq_tz | country
        a1         | 2023-01-02 | studio  | UTC   | US
        a2         | 2023-01-02 | studio  | UTC   | US
    """,
    "contracts_history": """
        contract_id | valid_from | account_id | start_on   | end_on     | term_months | currency | acv_minor
        c1          | 2023-01-02 | a1         | 2023-01-02 | 2025-12-31 | 36          | USD      | 1000000
        c2          | 2023-01-02 | a2         | 2023-01-02 | 2025-12-31 | 36          | USD      | 2000000
    """,
    "subscription_lines_history": """
        line_id | valid_from | contract_id | product_sku | quantity
        l1      | 2023-01-02 | c1          | suite       | 10
        l2      | 2023-01-02 | c2          | suite       | 40
    """,
}


@cache
def _steps_for(view: str) -> tuple[str, ...]:
    """The steps that a view rests on, directly or not, in their order."""
    needed, unread = {view}, [view]
    while unread:
        read = set(re.findall(r"(?:FROM|JOIN)\s+(\w+)", step_sql(unread.pop()))) & set(STEPS) - needed
        needed |= read
        unread += sorted(read)
    return tuple(step for step in STEPS if step in needed)


def view_rows(view: str, tables: Mapping[str, Any], *, as_of: str | Sequence[str] = AS_OF) -> list[dict[str, Any]]:
    """Every row of a view over the company and the case's tables, by account and as_of."""
    return step_rows({**COMPANY, **tables}, view, as_of=as_of, steps=_steps_for(view))


def features_of_account(
    view: str, tables: Mapping[str, Any], *, account: str = "a1", as_of: str | Sequence[str] = AS_OF
) -> Any:
    """The features of one account: a dict, or a list of dicts where several ``as_of`` are asked for."""
    rows = [row for row in view_rows(view, tables, as_of=as_of) if row["account_id"] == account]
    return rows[0] if isinstance(as_of, str) else rows
