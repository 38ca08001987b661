"""How does a person ask for a made-up company?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, command
from features.progress import Progress
from features.vocabulary import parse_moment

REGIMES = (
    "campaign, no_campaign_effect, drift, drift_price, drift_instrumentation, drift_calendar, drift_loading, dirty, "
    "leak_trap, thin, treated, treated_null, shock"
)
"""The simulator's regimes, written down here so that help need not load it; a test holds both equal."""
SIZES = "tiny (60 accounts, 104 weeks), demo (1,500, 208), power (12,000, 208)"


def add_to(app: typer.Typer) -> None:
    """Give a program the command."""
    command(app)(simulate)


def simulate(
    progress: Progress,
    *,
    out: Annotated[Path, typer.Option(help="Folder for the tables; the truth goes into its sub-folder truth/.")],
    regime: Annotated[str, typer.Option(help=f"Which made-up world: {REGIMES}.")] = "campaign",
    size: Annotated[str, typer.Option(help=f"How large: {SIZES}.")] = "demo",
    accounts: Annotated[int | None, typer.Option(min=1, help="Number of accounts, whatever the size says.")] = None,
    weeks: Annotated[int | None, typer.Option(min=1, help="Length in weeks, whatever the size says.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same company.")] = 7,
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "2021-01-04",
) -> Answer:
    """Make up a company whose true risks are known."""
    from features.simulator import regime_named, size_named
    from features.simulator import simulate as make_company

    chosen, world = size_named(size), regime_named(regime)
    made = make_company(
        regime=regime,
        accounts=accounts or chosen.accounts,
        weeks=weeks or chosen.weeks,
        seed=seed,
        start=parse_moment(start).date(),
        out=out,
        progress=progress,
    )
    lines = [
        f"{out}: {len(made.rows)} tables, {sum(made.rows.values()):,} rows",
        f"  {regime}: {world.meaning}",
        *(f"  {name:<28}{count:>14,}" for name, count in sorted(made.rows.items())),
    ]
    return Answer(lines, {"regime": regime, "accounts": made.accounts, "weeks": made.weeks, "rows": made.rows})
