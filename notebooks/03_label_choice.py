# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What is a loss, and when does it happen?
#
# For a data scientist who is about to trust a label, or to change it. Which endings are losses, on which day one
# counts, what that day does to the base rate and to how hard the task is, which labels are not final yet, and what a
# horizon means. Losses are counted here a second time and in a plainer way than in `training/`; part 7 compares the
# two.
#
# It needs a home with features built: `make demo SERVE=0`, or `pulse ingest` and `pulse build` on your own data. The
# home is `PULSE_HOME`, by default `../.pulse`. Nothing is written.

# %%
import json
import os
from collections import defaultdict

import altair as alt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from features.cohort import built_as_ofs, read_cohort
from features.identity import open_resolved
from features.settings import HOME_VARIABLE, Home
from features.vocabulary import HORIZONS_DAYS, CohortStatus
from features.warehouse import Warehouse
from training.model import load_bundle

HEADLINE = 90  # days; the horizon that charts of one horizon are drawn for
GRACE = pd.Timedelta(days=30)  # a renewal signed this late is still a renewal (training/config.py: grace)
LABEL_LAG = pd.Timedelta(days=30)  # a notice may be recorded this late (training/config.py: label_lag)
BLUE, ORANGE, GREY, PALE = "#2166ac", "#b35806", "#9aa5b1", "#92c5de"
alt.renderers.enable("svg")  # pictures inside the notebook: no script, no internet
alt.data_transformers.disable_max_rows()


@alt.theme.register("pulse", enable=True)
def pulse_theme() -> alt.theme.ThemeConfig:
    """One look for all charts."""
    return {
        "config": {
            "title": {
                "anchor": "start",
                "fontSize": 15,
                "subtitleFontSize": 12,
                "subtitleColor": "#52606d",
                "offset": 12,
            },
            "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#e4e7eb"},
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 400},
            "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None},
            "view": {"stroke": None},
        }
    }


def say(text: str) -> None:
    """Show a sentence that was put together from numbers."""
    display(Markdown(text))


def share(part: float, whole: float) -> str:
    """A share in words; of nothing there is none."""
    return f"{part / whole:.1%}" if whole else "none"


# %%
home = Home.from_environment({HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or "../.pulse"})
warehouse = Warehouse(home)
warehouse.require_rows("accounts_history", "contracts_history")  # MissingStateError says what to run first
cohort = read_cohort(home)
newest = built_as_ofs(home)[-1]
at_risk = cohort[cohort["cohort_status"] == CohortStatus.AT_RISK].reset_index(drop=True)
CUT = pd.Timestamp(newest)  # what was known then; set an earlier day to see a label change its mind
say(
    f"Everything below is as known on **{CUT:%d %b %Y}**: {len(at_risk):,} account-weeks at risk of "
    f"{at_risk['account_id'].nunique():,} accounts."
)

# %% [markdown]
# ## 1. Which endings are losses?
#
# A contract ends when somebody says so (a notice, a cancellation, a termination for non-payment) or when its term runs
# out in silence. An *account* is lost when its last contract ends, nobody took the word back, and nothing followed
# within the grace of 30 days. Only rows that were available at the cut are read.

# %%
TERMS = """
WITH versions AS (
    SELECT *, ROW_NUMBER() OVER (
        PARTITION BY contract_id, valid_from ORDER BY available_at DESC, row_hash) AS version
    FROM contracts_history WHERE available_at <= '{cut}'
), states AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY contract_id, start_on ORDER BY valid_from DESC, account_id) AS recency
    FROM versions WHERE version = 1 AND op = 'upsert'
)
SELECT account_id, contract_id, start_on, end_on FROM states WHERE recency = 1 ORDER BY contract_id, start_on
"""
EVENTS = """
WITH versions AS (
    SELECT *, ROW_NUMBER() OVER (
        PARTITION BY contract_event_id ORDER BY available_at DESC, row_hash) AS version
    FROM contract_events WHERE available_at <= '{cut}'
)
SELECT contract_id, type, event_at, effective_on, available_at FROM versions
WHERE version = 1 AND op = 'upsert' ORDER BY contract_id, event_at, available_at, type
"""
BUYERS = """
SELECT account_id, acquired_by_account_id AS buyer, ROW_NUMBER() OVER (
    PARTITION BY account_id ORDER BY valid_from DESC, available_at DESC, row_hash) AS recency
FROM accounts_history WHERE available_at <= '{cut}' AND op = 'upsert'
"""
WORDS = {
    "notice_given": "notice",
    "cancelled": "cancelled in mid-term",
    "expired": "expired",
    "terminated_nonpayment": "ended by the vendor",
}
TAKES_BACK = {"notice_withdrawn", "signed", "renewed"}
LOST, VENDOR = "lost", "ended by the vendor"


def day(moment: object) -> pd.Timestamp:
    """A calendar day as its first moment, UTC; NaT where there is none."""
    return pd.to_datetime(moment, utc=True)


def end_of_contract(terms: list[dict], events: list[dict], heard: pd.Timestamp) -> dict:
    """How one contract stands: ``fate``, and where it ended the decision, its effect and when it could be known."""
    last = terms[-1]
    end, begin = day(last["end_on"]), day(last["start_on"])
    said = [e for e in events if e["type"] in WORDS and (day(e["effective_on"]) > begin or len(terms) == 1)]
    taken_back = [
        any(
            answer["type"] in TAKES_BACK
            and answer["event_at"] > word["event_at"]
            and answer["event_at"] - max(day(word["effective_on"]), day(word["effective_on"]) if pd.isna(end) else end)
            <= GRACE
            for answer in events
        )
        for word in said
    ]
    standing = [word for word, back in zip(said, taken_back, strict=True) if not back]
    if any(event["type"] == "merged_into" for event in events):
        return {"fate": "merged into another contract"}
    if standing:
        word = standing[0]  # the earliest word decides; the expiry that follows only carries it out
        effect = day(word["effective_on"]) if pd.isna(end) else min(end, day(word["effective_on"]))
        decided = min(word["event_at"], effect)
        return {"fate": LOST, "decided": decided, "effect": effect, "known": word["available_at"], "how": word["type"]}
    if pd.isna(end) or end > heard:
        return {"fate": "the notice was taken back" if said else "goes on"}
    if heard - end < GRACE:
        return {"fate": "ran out, still within the grace"}
    return {"fate": LOST, "decided": end, "effect": end, "known": end + GRACE, "how": "expired"}


def count_losses(cut: pd.Timestamp) -> tuple[pd.DataFrame, pd.Series]:
    """Per lost account its decision, effect, moment of knowledge and kind; and every account's fate in words."""
    with open_resolved(warehouse) as engine:
        when = {"cut": cut.isoformat()}
        terms, events = defaultdict(list), defaultdict(list)
        for row in engine.fetch(TERMS.format(**when)).to_pylist():
            terms[row["contract_id"]].append(row)
        for row in engine.fetch(EVENTS.format(**when)).to_pylist():
            events[row["contract_id"]].append(row)
        buyers = engine.fetch(f"SELECT * FROM ({BUYERS.format(**when)}) AS b WHERE recency = 1").to_pandas()
    spoken = [row["available_at"] for rows in events.values() for row in rows]
    began = [day(row["start_on"]) for rows in terms.values() for row in rows if day(row["start_on"]) <= cut]
    heard = min(cut, max([*spoken, *began]))  # a source that fell silent is no customer who left
    per_contract = pd.DataFrame(
        {"account_id": rows[-1]["account_id"], **end_of_contract(rows, events[name], heard)}
        for name, rows in terms.items()
    ).reindex(columns=["account_id", "fate", "decided", "effect", "known", "how"])
    still = per_contract[per_contract["fate"] != LOST].groupby("account_id")["fate"].agg(" and ".join)
    ended = per_contract[per_contract["fate"] == LOST].sort_values("decided").groupby("account_id")
    told = ended[["decided", "how"]].last().join(ended[["effect", "known"]].max())
    fates = still.reindex(per_contract["account_id"].unique())
    fates[fates.index.isin(told.index) & fates.notna()] = "lost one contract, kept another"
    fates = fates.fillna(LOST)
    bought = buyers.dropna(subset=["buyer"]).set_index("account_id")["buyer"]
    goes_on = bought[bought.map(fates).ne(LOST)].index.intersection(fates.index[fates == LOST])
    fates[goes_on] = "bought by another account"
    lost = told[told.index.isin(fates.index[fates == LOST])].copy()
    lost["kind"] = lost["how"].map(WORDS)
    for name in ("decided", "effect", "known"):
        lost[name] = pd.to_datetime(lost[name], utc=True)
    fates[lost.index[lost["kind"] == VENDOR]] = VENDOR
    return lost, fates


lost, fates = count_losses(CUT)
own_will = lost[lost["kind"] != VENDOR]
told = fates.value_counts().rename_axis("fate").rename("accounts").reset_index()
told["counts as"] = np.select(
    [told["fate"] == LOST, told["fate"] == VENDOR, told["fate"].str.contains("grace")],
    ["a loss", "censored", "not known yet"],
    "no loss",
)
kinds = ["a loss", "censored", "not known yet", "no loss"]
bars = alt.Chart(told).encode(
    x=alt.X("accounts:Q", scale=alt.Scale(domainMax=float(told["accounts"].max()) * 1.1)),
    y=alt.Y("fate:N", sort="-x", title=None, axis=alt.Axis(labelLimit=300)),
)
display(
    (
        bars.mark_bar().encode(
            color=alt.Color("counts as:N", sort=kinds, scale=alt.Scale(domain=kinds, range=[ORANGE, PALE, BLUE, GREY]))
        )
        + bars.mark_text(align="left", dx=4, fontSize=12).encode(text=alt.Text("accounts:Q", format=","))
    ).properties(width=480, height=28 * len(told), title="What became of every account")
)
absent = [
    word
    for word, found in {
        "taken back notices": fates.str.contains("taken back").any(),
        "mergers": fates.str.contains("merged|bought").any(),
        "endings by the vendor": (fates == VENDOR).any(),
        "accounts that kept another contract": fates.str.contains("kept another").any(),
    }.items()
    if not found
]
say(
    f"**{len(own_will):,}** of {len(fates):,} accounts were lost of their own will. "
    + (f"Not in this data: {', '.join(absent)}; each would be a loss by mistake if nobody asked." if absent else "")
)

# %% [markdown]
# Who ended it? A customer who leaves and a vendor who stops serving somebody who does not pay are two questions. The
# second is **censored**: from the day the vendor ends a contract nobody can say whether the customer would have stayed.
# And how late do renewals come? Each gap below the grace would be a false loss on the day that the old term ended.

# %%
lost_by = lost.assign(quarter=lost["decided"].dt.tz_localize(None).dt.to_period("Q").dt.to_timestamp())
by_quarter = lost_by.groupby(["quarter", "kind"]).size().rename("accounts").reset_index()
if by_quarter.empty:
    say("No account was lost, so there is nothing to draw.")
else:
    names = [kind for kind in WORDS.values() if kind in set(by_quarter["kind"])]
    shades = dict(zip(WORDS.values(), [BLUE, ORANGE, GREY, PALE], strict=True))
    display(
        alt.Chart(by_quarter)
        .mark_bar()
        .encode(
            x=alt.X("yearquarter(quarter):O", title=None, axis=alt.Axis(labelAngle=-45)),
            y=alt.Y("accounts:Q", title="accounts lost"),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=names, range=[shades[name] for name in names])
            ),
        )
        .properties(width=620, height=180, title="Losses by the quarter of the decision")
    )
with open_resolved(warehouse) as engine:
    spans = engine.fetch(TERMS.format(cut=CUT.isoformat())).to_pandas()
before = pd.to_datetime(spans.groupby("contract_id")["end_on"].shift())
gap = (pd.to_datetime(spans["start_on"]) - before).dt.days - 1
followed = gap.notna().sum()
late = gap.between(1, GRACE.days).sum()
say(
    f"Of {followed:,} terms that followed another of the same contract, {late:,} began 1 to {GRACE.days} days late "
    f"({share(late, followed)}) and {(gap > GRACE.days).sum():,} later than that: those accounts left and came back."
)

# %% [markdown]
# ## 2. On which day?
#
# The customer decides on one day, the contract ends on another, and the vendor hears of it on a third. How far are they
# apart?

# %%
apart = pd.DataFrame(
    {
        "from the decision to the last day": (own_will["effect"] - own_will["decided"]).dt.days,
        "from the decision to our knowing": (own_will["known"] - own_will["decided"]).dt.total_seconds() / 86_400,
    }
)
if apart.empty:
    say("Nobody left of their own will: there are no days to compare.")
else:
    days_apart = apart.melt(var_name="what", value_name="days")
    display(
        alt.Chart(days_apart)
        .mark_bar(color=BLUE)
        .encode(
            x=alt.X("days:Q", bin=alt.Bin(step=7), title="days, in weeks"),
            y=alt.Y("count():Q", title="accounts"),
            row=alt.Row("what:N", header=alt.Header(labelOrient="top", labelAnchor="start"), spacing=14),
        )
        .properties(width=560, height=110, title="Three days that are easily taken for one")
        .resolve_scale(y="independent")
    )
    middle = apart.median()
    within = (apart["from the decision to our knowing"] <= LABEL_LAG.days).mean()
    say(
        f"The median loss is decided **{middle.iloc[0]:.0f} days** before its last day and known "
        f"{middle.iloc[1]:.0f} days after the decision; {within:.0%} are known within the {LABEL_LAG.days} days that "
        "training waits for."
    )

# %% [markdown]
# So what does a label on the *last day* ask? Walk back from the last day of every lost account: how many had a notice
# on file, in plain sight? To foresee those is to read the mail.

# %%
ahead = np.arange(0, 183, 7)
in_sight = pd.DataFrame(
    {
        "days": ahead,
        "share": [(own_will["known"] <= own_will["effect"] - pd.Timedelta(days=int(d))).mean() for d in ahead],
    }
).dropna()
if not in_sight.empty:
    line = alt.Chart(in_sight).encode(
        x=alt.X("days:Q", title="days before the last day", scale=alt.Scale(domain=[182, 0], nice=False)),
        y=alt.Y("share:Q", title="notice on file", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
    )
    rules = alt.Chart(pd.DataFrame({"days": [60, 90]})).mark_rule(strokeDash=[4, 4], color="#52606d").encode(x="days:Q")
    display(
        (line.mark_area(opacity=0.2, color=ORANGE) + line.mark_line(color=ORANGE, strokeWidth=2.5) + rules).properties(
            width=560,
            height=180,
            title=alt.Title("How much of leaving is in plain sight", subtitle="dashed: 60 and 90 days"),
        )
    )
    at = {d: (own_will["known"] <= own_will["effect"] - pd.Timedelta(days=d)).mean() for d in (30, 60, 90)}
    say(
        "With a notice on file: "
        + ", ".join(f"**{found:.0%}** of the lost accounts {d} days before the last day" for d, found in at.items())
        + ". A label on the decision has no such rows: accounts under notice are `lost_pending`, out of the task."
    )

# %% [markdown]
# ## 3. What the choice of the day does to the task
#
# The same losses under three choices: on the decision, among accounts at risk (ours); on the last day, among the same
# accounts; on the last day with accounts under notice left in. Rows whose label is not final are left out of all three.


# %%
def labels(rows: pd.DataFrame, *, on: str, horizon: int, cut: pd.Timestamp, found: pd.DataFrame) -> pd.Series:
    """1 lost of its own will within the horizon, 0 not, null: not final, gone already, or ended by the vendor."""
    final = rows["as_of"] + pd.Timedelta(days=horizon) + GRACE + LABEL_LAG <= cut
    days = (rows["account_id"].map(found[on]) - rows["as_of"]).dt.total_seconds() / 86_400
    inside = days <= horizon
    by_vendor = inside & rows["account_id"].map(found["kind"]).eq(VENDOR)
    return inside.astype(float).where(final & ~(days <= 0) & ~by_vendor)


ours = {h: labels(at_risk, on="decided", horizon=h, cut=CUT, found=lost) for h in HORIZONS_DAYS}
pending = cohort[cohort["cohort_status"] == CohortStatus.LOST_PENDING]
everyone = pd.concat([at_risk, pending], ignore_index=True)
CHOICES = {
    "the decision, at risk (ours)": (at_risk, "decided"),
    "the last day, at risk": (at_risk, "effect"),
    "the last day, with those under notice": (everyone, "effect"),
}
rates = pd.DataFrame(
    {"label on": name, "horizon": horizon, "rate": y.mean(), "rows": int(y.notna().sum()), "positives": int(y.sum())}
    for name, (rows, on) in CHOICES.items()
    for horizon in HORIZONS_DAYS
    for y in [labels(rows, on=on, horizon=horizon, cut=CUT, found=lost)]
)
if rates["rows"].sum() == 0:
    say("No label is final yet: the built weeks are younger than horizon, grace and recording lag together.")
else:
    colours = alt.Scale(domain=list(CHOICES), range=[BLUE, GREY, ORANGE])
    display(
        alt.Chart(rates.dropna())
        .mark_bar()
        .encode(
            x=alt.X("horizon:O", title="horizon, days", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("label on:N", sort=list(CHOICES)),
            y=alt.Y("rate:Q", title="share of rows that leave", axis=alt.Axis(format="%")),
            color=alt.Color(
                "label on:N", sort=list(CHOICES), scale=colours, legend=alt.Legend(orient="top", title=None)
            ),
        )
        .properties(width=560, height=200, title="Base rate by horizon and by the day that counts")
    )
    display(
        rates.pivot_table(index="label on", columns="horizon", values="positives", sort=False)
        .style.format("{:,.0f}")
        .set_caption("Rows labelled 1; one account is one in every week before it leaves")
    )

# %% [markdown]
# Base rates move; but does the task stay the same? A rule without any model: *list who has given notice*.

# %%
of_all = labels(everyone, on="effect", horizon=HEADLINE, cut=CUT, found=lost)
noticed = everyone["cohort_status"] == CohortStatus.LOST_PENDING
hits, leavers, stayers = int((of_all[noticed] == 1).sum()), int((of_all == 1).sum()), int((of_all == 0).sum())
if not leavers or not stayers:
    say(f"Nothing to compare at {HEADLINE} days: of the final labels {leavers:,} are 1 and {stayers:,} are 0.")
else:
    false = int((of_all[noticed] == 0).sum())
    rule_auc = (hits / leavers + 1 - false / stayers) / 2
    say(
        f"With labels on the last day and accounts under notice left in, that rule finds **{share(hits, leavers)}** of "
        f"the {leavers:,} rows that leave within {HEADLINE} days, {share(hits, hits + false)} of what it lists is "
        "right, "
        f"and its AUC is **{rule_auc:.2f}** (0.5 is a coin). It saves nobody: the decision has been made. With labels "
        "on the decision it lists nobody, and its AUC is 0.50 by construction."
    )

# %% [markdown]
# ## 4. Which labels are final?
#
# A label closes at `as_of + horizon`, and is final after the grace (a late renewal may still come) and the recording
# lag (a notice may still be on somebody's desk). Until then a 0 only says: nothing heard.

# %%
state = []
gone = at_risk["account_id"].map(lost["decided"]) <= at_risk["as_of"]
vendor = at_risk["account_id"].map(lost["kind"]).eq(VENDOR)
for horizon in HORIZONS_DAYS:
    closes = at_risk["as_of"] + pd.Timedelta(days=horizon)
    y = ours[horizon]
    final = closes + GRACE + LABEL_LAG <= CUT
    state.append(
        pd.DataFrame(
            {
                "as_of": at_risk["as_of"],
                "horizon": f"{horizon} days",
                "label": np.select(
                    [y.notna(), final & vendor & ~gone, final, closes <= CUT],
                    ["final", "ended by the vendor", "decided before, not yet known", "closed, not final"],
                    "still open",
                ),
            }
        )
    )
states = pd.concat(state)
order = ["final", "ended by the vendor", "decided before, not yet known", "closed, not final", "still open"]
year = states[states["as_of"] > CUT - pd.Timedelta(weeks=52)]
weekly = year.groupby(["horizon", "as_of", "label"]).size().rename("rows").reset_index()
weekly["place"] = weekly["label"].map(order.index)
display(
    alt.Chart(weekly)
    .mark_bar(width=8)
    .encode(
        x=alt.X("as_of:T", title=None, axis=alt.Axis(format="%b %y", tickCount="month", labelAngle=-45)),
        y=alt.Y("rows:Q", stack="normalize", title=None, axis=alt.Axis(format="%", tickCount=2)),
        color=alt.Color(
            "label:N", sort=order, scale=alt.Scale(domain=order, range=[BLUE, PALE, "#1f2933", ORANGE, GREY])
        ),
        order=alt.Order("place:Q"),
        row=alt.Row(
            "horizon:N",
            sort=[f"{h} days" for h in HORIZONS_DAYS],
            header=alt.Header(labelOrient="top", labelAnchor="start"),
            spacing=12,
        ),
    )
    .properties(width=520, height=48, title="Which labels of the last year may be read at the cut")
)
unread = states[states["label"].isin(order[3:])].groupby("horizon", sort=False).size()
of = len(at_risk)
say(
    "Not final at the cut, of all rows at risk: "
    + ", ".join(f"{share(unread.get(f'{h} days', 0), of)} at {h} days" for h in HORIZONS_DAYS)
    + ". Without a label for good: "
    + ", ".join(f"{(states['label'] == name).sum():,} that were {name}" for name in order[1:3])
    + ". (Who has decided and not yet said so is scored as if at risk; no label is fair to that row.)"
)

# %% [markdown]
# What would reading them early cost? Take the final positives and ask how many were known so many days after their
# horizon had closed. What lies left of the dashed line is missing from any "live precision" that is read so early.

# %%
waits = np.arange(0, GRACE.days + LABEL_LAG.days + 1, 3)
early = []
for horizon in HORIZONS_DAYS:
    y = ours[horizon]
    ones = at_risk[y == 1]
    delay = (ones["account_id"].map(lost["known"]) - ones["as_of"]).dt.total_seconds() / 86_400 - horizon
    early += [{"horizon": f"{horizon} days", "days": d, "known": (delay <= d).mean()} for d in waits if len(ones)]
if not early:
    say("No final positive label, so nothing can be said about reading early.")
else:
    known_by = pd.DataFrame(early)
    names = [f"{h} days" for h in HORIZONS_DAYS]
    closing = alt.Chart(pd.DataFrame({"days": [GRACE.days + LABEL_LAG.days]})).mark_rule(strokeDash=[4, 4])
    display(
        (
            alt.Chart(known_by)
            .mark_line(strokeWidth=2.5)
            .encode(
                x=alt.X("days:Q", title="days after the horizon closed"),
                y=alt.Y("known:Q", title="positives known", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)),
                color=alt.Color(
                    "horizon:N", sort=names, scale=alt.Scale(domain=names, range=[ORANGE, GREY, BLUE, PALE])
                ),
            )
            + closing.encode(x="days:Q")
        ).properties(width=520, height=200, title="Positives that are known by then")
    )
    on_the_day = known_by[known_by["days"] == 0].set_index("horizon")["known"]
    say(
        "Read on the very day that the horizon closes, these shares of the positives would be missing: "
        + ", ".join(f"{1 - found:.0%} at {name}" for name, found in on_the_day.items())
        + "."
    )

# %% [markdown]
# ## 5. What a horizon means
#
# 90 days ahead is not one question. For an account whose date to decide falls inside it asks *will they renew*; for the
# others, *will they leave in mid-term*. Read the rates of the two apart before reading their mixture.

# %%
wait = (pd.to_datetime(at_risk["decision_on"], utc=True) - at_risk["as_of"]).dt.days
meaning = []
for horizon in HORIZONS_DAYS:
    y = ours[horizon]
    for name, rows in {"inside": wait <= horizon, "later": wait > horizon, "no dated decision": wait.isna()}.items():
        some = y[rows].dropna()
        accounts = at_risk.loc[some.index[some == 1], "account_id"].nunique()
        meaning.append({"horizon": horizon, "decision": name, "rows": len(some), "left": accounts, "rate": some.mean()})
meaning = pd.DataFrame(meaning)
shown = meaning.dropna()
if shown.empty:
    say("No label is final, so no horizon can be told apart from another.")
else:
    dues = ["inside", "later", "no dated decision"]
    display(
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("horizon:O", title="horizon, days", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("decision:N", sort=dues),
            y=alt.Y("rate:Q", title="share of rows that leave", axis=alt.Axis(format="%")),
            color=alt.Color(
                "decision:N", sort=dues, scale=alt.Scale(domain=dues, range=[ORANGE, BLUE, GREY]), title="decision"
            ),
        )
        .properties(width=520, height=200, title="Leaving within the horizon, by when the account decides")
    )
    table = meaning.pivot_table(index="horizon", columns="decision", values=["rows", "left"], aggfunc="sum")
    display(table.style.format("{:,.0f}").set_caption("Rows with a final label, and distinct accounts that left"))
    whole = shown[shown["horizon"] == HEADLINE].set_index("decision")
    if {"inside", "later"} <= set(whole.index):
        say(
            f"At {HEADLINE} days **{whole.loc['inside', 'rate']:.1%}** of the rows with a decision inside leave, and "
            f"**{whole.loc['later', 'rate']:.1%}** of those that decide later. Whoever knows only the calendar can "
            f"tell these two groups apart; whether a model knows more must be asked inside the first "
            "(`02_model_review`, part 2)."
        )

# %% [markdown]
# ## 6. How many leavers is that?
#
# Weekly rows multiply leavers: an account that leaves is a 1 in each of the weeks before. Evidence grows with accounts,
# not with rows; every interval in this product redraws accounts.

# %%
counted = []
for horizon in HORIZONS_DAYS:
    y = ours[horizon]
    rows = at_risk[y.notna()]
    left = at_risk.loc[y == 1, "account_id"]
    counted.append(
        {
            "horizon": f"{horizon} days",
            "rows with a final label": y.notna().sum(),
            "rows labelled 1": len(left),
            "accounts that left": left.nunique(),
            "rows per leaver": len(left) / left.nunique() if len(left) else np.nan,
            "base rate": y.mean(),
            "newest week that may be read": f"{rows['as_of'].max():%d %b %Y}" if len(rows) else "none",
        }
    )
display(
    pd.DataFrame(counted)
    .style.format(
        {
            "rows with a final label": "{:,}",
            "rows labelled 1": "{:,}",
            "rows per leaver": "{:.1f}",
            "base rate": "{:.1%}",
        },
        na_rep="none",
    )
    .hide(axis="index")
)

# %% [markdown]
# ## 7. Is it what the model was judged by?
#
# The same labels, counted in this notebook, against the stored evaluation of the newest judged model: the same weeks,
# the same cut. A difference is a finding: `training/labels.py` also follows contracts that move between accounts, and
# of an account that came back it takes the first loss.

# %%
judged = sorted((folder.parent.name for folder in home.reports.glob("[0-9]*/evaluation.json")), key=int)
if not judged:
    say("No model has been judged here, so there is nothing to compare with: run `pulse train --as-of DATE`.")
else:
    version = judged[-1]
    document = json.loads((home.reports / version / "evaluation.json").read_text())
    facts = load_bundle(home.bundles / version).facts
    cut_then = pd.Timestamp(facts["data_cut"])
    lost_then, _ = count_losses(cut_then)
    first, last = (pd.Timestamp(document["block"][name]) for name in ("first_as_of", "last_as_of"))
    steps = max(document["block"]["snapshots"] - 1, 1)
    weeks = {first + step * (last - first) / steps for step in range(steps + 1)}
    block = at_risk[at_risk["as_of"].isin(weeks)]
    compared = []
    for ahead_days, found in document["horizons"].items():
        y = labels(block, on="decided", horizon=int(ahead_days), cut=cut_then, found=lost_then)
        stored = found["auc_pooled"]
        compared.append(
            {
                "horizon": f"{ahead_days} days",
                "rows here": int(y.notna().sum()),
                "leavers here": block.loc[y == 1, "account_id"].nunique(),
                "rows judged": stored["rows"],
                "leavers judged": stored["outcomes"],
            }
        )
    compared = pd.DataFrame(compared)
    display(
        compared.style.hide(axis="index").set_caption(
            f"Version {version}, weeks {first:%d %b %Y} to {last:%d %b %Y}, as known on {cut_then:%d %b %Y}"
        )
    )
    same = compared["rows here"].eq(compared["rows judged"]) & compared["leavers here"].eq(compared["leavers judged"])
    if same.all():
        say("**The same** rows and leavers at every horizon: two counts, made in two ways, agree.")
    else:
        differing = ", ".join(compared.loc[~same, "horizon"])
        say(f"**They differ** at {differing}. Find out why before quoting either.")

# %% [markdown]
# ## 8. What no label says

# %%
limits = {
    "Why": "A label says that they left, not what made them.",
    "A smaller contract": "An account that halves its seats and stays is a 0 here. `pulse train --target contraction`.",
    "Who was saved": "An account that was called and stayed is a 0, as is one that never thought of leaving.",
    "The newest weeks": (
        f"Nothing after {CUT - pd.Timedelta(days=HEADLINE) - GRACE - LABEL_LAG:%d %b %Y} has a final label at "
        f"{HEADLINE} days. Numbers that speak of later weeks speak of something else."
    ),
}
say("\n".join(f"- **{title}.** {limit}" for title, limit in limits.items()))
