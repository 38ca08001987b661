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
# # A tour of the data
#
# For a data scientist on day one. What is loaded, who is judged, why a wrap looks like churn, what was known when, and
# which features say the same thing. Everything is read through the doors of `features/`; nothing is written.
#
# It needs a home with features built: `make demo SERVE=0`, or `pulse ingest` and `pulse build` on your own data. The
# home is `PULSE_HOME`, by default `../.pulse`. Open this file in VS Code, or in JupyterLab with jupytext.

# %%
import os

import altair as alt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from features.catalogue import MODEL_FEATURES, feature_named, features_of
from features.cohort import built_as_ofs, read_cohort
from features.events import ENVELOPE, TABLES
from features.settings import HOME_VARIABLE, Home
from features.store import FeatureStore
from features.vocabulary import CohortStatus, Phase, Subcategory
from features.warehouse import Warehouse

SEED = 7  # samples are the same on every run
PHASE_COLOURS = {"pre": "#92c5de", "active": "#2166ac", "post": "#f4a582", "off": "#cfd6dd", "none": "#eceff2"}
STATUS_COLOURS = {"at_risk": "#2166ac", "onboarding": "#92c5de", "lost_pending": "#b2182b"}
BLUE, ORANGE, GREY = "#2166ac", "#b35806", "#9aa5b1"
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
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
            "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None},
            "view": {"stroke": None},
        }
    }


def say(text: str) -> None:
    """Show a sentence that was put together from numbers."""
    display(Markdown(text))


# %%
home = Home.from_environment({HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or "../.pulse"})
warehouse, store = Warehouse(home), FeatureStore(home)
warehouse.require_rows("accounts_history", "contracts_history")  # MissingStateError says what to run first
cohort = read_cohort(home)
snapshots = built_as_ofs(home)
newest = snapshots[-1]
say(
    f"**{len(snapshots)} weekly snapshots**, {snapshots[0]:%d %b %Y} to {newest:%d %b %Y}: {len(cohort):,} "
    f"account-weeks of {cohort['account_id'].nunique():,} accounts."
)

# %% [markdown]
# ## 1. What is loaded
#
# One row per canonical table that holds anything. A table that is missing here adds no features; it never adds zeros.

# %%
LOADED = """
    SELECT COUNT(*) AS n_rows, MIN(event_at) AS first_event, MAX(event_at) AS last_event,
           STRING_AGG(DISTINCT source_system, ', ' ORDER BY source_system) AS sources
    FROM {table}
"""
with warehouse.engine() as engine:
    loaded = pd.DataFrame(
        {"table": table, "one row is": TABLES[table].grain, **engine.fetch(LOADED.format(table=table)).to_pylist()[0]}
        for table in warehouse.loaded_tables()
    )
absent = [table for table in TABLES if table not in set(loaded["table"])]
display(
    loaded.sort_values("n_rows", ascending=False)
    .rename(columns={"n_rows": "rows", "first_event": "first event", "last_event": "last event"})
    .style.format({"rows": "{:,}", "first event": "{:%Y-%m-%d}", "last event": "{:%Y-%m-%d}"})
    .hide(axis="index")
)
say(f"Nothing is loaded into: {', '.join(absent) or 'none; every table has rows'}.")

# %% [markdown]
# ## 2. Who is judged
#
# The cohort is the same for training and scoring: live accounts that could still leave. Accounts that are too new are
# `onboarding`; accounts under notice are `lost_pending`. Both are scored and shown apart; neither teaches the model.

# %%
standing = cohort.groupby(["as_of", "cohort_status"]).size().rename("accounts").reset_index()
statuses = [str(status) for status in CohortStatus]
display(
    alt.Chart(standing)
    .mark_area(interpolate="step-after")
    .encode(
        x=alt.X("as_of:T", title=None),
        y=alt.Y("accounts:Q", title="accounts"),
        color=alt.Color(
            "cohort_status:N",
            title="status",
            scale=alt.Scale(domain=statuses, range=[STATUS_COLOURS[status] for status in statuses]),
        ),
        order=alt.Order("cohort_status:N"),
    )
    .properties(width=680, height=200, title="Who could leave, week by week")
)

# %% [markdown]
# A churn model is judged at decisions, and decisions are few. How many fall due from the newest snapshot on?

# %%
latest = cohort[(cohort["as_of"] == newest) & (cohort["cohort_status"] == CohortStatus.AT_RISK)]
latest = latest.reset_index(drop=True)
dated = latest.dropna(subset=["decision_on"]).copy()
dated["month"] = pd.to_datetime(dated["decision_on"]).dt.to_period("M").dt.to_timestamp()
if dated.empty:
    say("No contract has a dated decision: every account can leave in any billing cycle.")
else:
    due = dated.groupby(["month", "segment"]).size().rename("decisions").reset_index()
    display(
        alt.Chart(due)
        .mark_bar()
        .encode(
            x=alt.X("yearmonth(month):T", title=None, axis=alt.Axis(format="%b %Y", labelAngle=-45)),
            y=alt.Y("decisions:Q", title="accounts"),
            color=alt.Color("segment:N", scale=alt.Scale(range=["#2166ac", "#92c5de", "#b35806", GREY])),
        )
        .properties(width=680, height=200, title=f"Decisions due per month, as known on {newest:%d %b %Y}")
    )
say(f"{len(latest) - len(dated):,} of {len(latest):,} accounts at risk have no dated decision (evergreen contracts).")

# %% [markdown]
# What is decided, in money. Amounts of different currencies are never added up.

# %%
today = store.historical(latest[["account_id", "as_of"]])
today["within 90 days"] = today["days_to_decision"].between(0, 90)
value = today.pivot_table("annual_value", "currency", "within 90 days", aggfunc=["count", "sum"], fill_value=0)
value.columns = [
    f"{'accounts' if what == 'count' else 'annual value'}, {'due' if due else 'later'}" for what, due in value
]
display(value.style.format("{:,.0f}").set_caption("due = a decision within 90 days; later = after that, or undated"))

# %% [markdown]
# ## 3. The year has phases
#
# An account is before (`pre`), in (`active`) or after (`post`) a campaign, quiet between campaigns (`off`), or has had
# none for long (`none`). The rest of this tour reads a sample of accounts over the last year.

# %%
year = [as_of for as_of in snapshots if as_of > newest - pd.Timedelta(weeks=52)]
accounts = latest["account_id"].sample(min(250, len(latest)), random_state=SEED)
asked = cohort[cohort["as_of"].isin(year) & cohort["account_id"].isin(accounts)]
sample = store.historical(asked[["account_id", "as_of"]])

phases = [phase for phase in map(str, Phase) if phase in set(sample["phase"])]
by_week = sample.groupby(["as_of", "phase"]).size().rename("accounts").reset_index()
by_week["place"] = by_week["phase"].map(list(map(str, Phase)).index)
if len(phases) < 2:
    say(f"All of the {accounts.size} accounts are in phase `{', '.join(phases)}` all year long.")
display(
    alt.Chart(by_week)
    .mark_area(interpolate="step-after")
    .encode(
        x=alt.X("as_of:T", title=None, axis=alt.Axis(format="%b %y", tickCount="month")),
        y=alt.Y("accounts:Q", stack="normalize", title="share of accounts", axis=alt.Axis(format="%")),
        color=alt.Color(
            "phase:N", sort=phases, scale=alt.Scale(domain=phases, range=[PHASE_COLOURS[p] for p in phases])
        ),
        order=alt.Order("place:Q", sort="descending"),
    )
    .properties(width=680, height=200, title=f"Phases over the year ({accounts.size} accounts)")
)

# %% [markdown]
# Who takes part in what? This is the calendar as it is believed now. It is hindsight, good for pictures and wrong for
# features: a feature at an `as_of` sees only what was believed then.

# %%
TAKING_PART = """
    WITH runs AS (
        SELECT *, ROW_NUMBER() OVER (
            PARTITION BY campaign_instance_id ORDER BY known_from DESC, available_at DESC) AS place
        FROM campaign_instances_history
    ),
    parts AS (
        SELECT *, ROW_NUMBER() OVER (
            PARTITION BY account_id, campaign_instance_id ORDER BY known_from DESC, available_at DESC) AS place
        FROM account_campaigns_history
    )
    SELECT p.account_id, r.campaign_id, r.campaign_instance_id, r.label,
           COALESCE(p.own_active_start_local, r.active_start_local) AS start_on,
           COALESCE(p.own_active_end_local, r.active_end_local) AS end_on
    FROM parts AS p
    INNER JOIN runs AS r ON p.campaign_instance_id = r.campaign_instance_id
    WHERE p.place = 1 AND r.place = 1 AND p.op = 'upsert' AND r.op = 'upsert'
      AND p.participation <> 'declined' AND p.confidence >= 0.5 AND r.status <> 'cancelled'
"""
with warehouse.engine() as engine:
    taking_part = engine.fetch(TAKING_PART).to_pandas()
taking_part["start"] = pd.to_datetime(taking_part["start_on"], utc=True)
taking_part["wrap"] = pd.to_datetime(taking_part["end_on"], utc=True) + pd.Timedelta(days=1)
if taking_part.empty:
    say("No account takes part in a campaign here, so every account is in phase `none` and part 4 has nothing to show.")
else:
    runs = taking_part[taking_part["wrap"] > year[0]].groupby("label")
    calendar = runs.agg(start=("start", "median"), wrap=("wrap", "median"), accounts=("account_id", "nunique"))
    display(
        alt.Chart(calendar.reset_index())
        .mark_bar(height=14)
        .encode(
            x=alt.X("start:T", title=None),
            x2="wrap:T",
            y=alt.Y("label:N", title=None, sort=alt.EncodingSortField("start")),
            color=alt.Color("accounts:Q", title="accounts", scale=alt.Scale(scheme="blues", domainMin=0)),
        )
        .properties(width=560, title="Campaigns of the last year and those known to come: active weeks")
    )

# %% [markdown]
# ## 4. A wrap looks like churn
#
# Take every participation with room around it (no other campaign of the account is active in the 20 weeks before its
# end or the 16 weeks after), line them up at the end of the campaign, and look at core actions per week, in units of
# the account's own median week of the window.

# %%
BEFORE, AFTER = 20, 16
WEEKLY = """
    SELECT account_id, week_start, CAST(SUM(actions) AS DOUBLE) AS actions
    FROM (
        SELECT account_id, DATE_TRUNC('week', usage_date) AS week_start, events AS actions
        FROM usage_daily WHERE op = 'upsert' AND COALESCE(feature_code, 'core') = 'core'
        UNION ALL
        SELECT account_id, CAST(DATE_TRUNC('week', event_at) AS DATE), 1
        FROM usage_events WHERE op = 'upsert' AND feature_family = 'core'
    )
    GROUP BY account_id, week_start
"""
one = ["account_id", "campaign_instance_id"]
pairs = taking_part.merge(taking_part, on="account_id", suffixes=("", "_other"))
pairs = pairs[pairs["campaign_instance_id"] != pairs["campaign_instance_id_other"]]
crowded = pairs[
    (pairs["start_other"] < pairs["wrap"] + pd.Timedelta(weeks=AFTER + 1))
    & (pairs["wrap_other"] > pairs["wrap"] - pd.Timedelta(weeks=BEFORE))
]
alone = taking_part[~taking_part.set_index(one).index.isin(crowded.set_index(one).index)]
with warehouse.engine() as engine:
    weekly = engine.fetch(WEEKLY).to_pandas()
weekly["as_of"] = pd.to_datetime(weekly["week_start"], utc=True) + pd.Timedelta(weeks=1)  # the week is over then

around = alone[[*one, "wrap"]].merge(cohort[["account_id", "as_of"]], on="account_id")
around["week"] = np.floor((around["as_of"] - around["wrap"]) / pd.Timedelta(weeks=1)).astype(int)
around = around[around["week"].between(-BEFORE, AFTER)]
around = around[around.groupby(one)["week"].transform("size") == BEFORE + AFTER + 1]  # watched all the way
around = around.merge(weekly[["account_id", "as_of", "actions"]], on=["account_id", "as_of"], how="left")
around["actions"] = around["actions"].fillna(0.0)
around = around.sort_values([*one, "week"]).reset_index(drop=True)
grouped = around.groupby(one)["actions"]
around["level"] = around["actions"] / grouped.transform("median").replace(0, np.nan)
month = grouped.transform(lambda weeks: weeks.rolling(4).sum())
around["raw"] = month / month.groupby([around[name] for name in one]).shift(4).replace(0, np.nan) - 1
wraps = around[one].drop_duplicates()
can_show_wraps = len(wraps) >= 20
if not taking_part.empty:
    enough = "" if can_show_wraps else " Under 20 there is no picture worth drawing; this part ends here."
    say(f"{len(wraps):,} participations can be followed all the way.{enough}")


# %%
def quartile_band(rows: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """Lower quartile, median and upper quartile per week for each column, under the name it is shown by."""
    told = [
        rows.groupby("week")[column].quantile([0.25, 0.5, 0.75]).unstack().set_axis(["low", "middle", "high"], axis=1)
        for column in columns
    ]
    return pd.concat(told, keys=columns.values(), names=["what", "week"]).reset_index()


def band_chart(bands: pd.DataFrame, colours: list[str], title: str, *, y_format: str) -> alt.LayerChart:
    """A line at the median inside a band between the quartiles, over weeks around the wrap."""
    ends = [int(bands["week"].min()), int(bands["week"].max())]
    base = alt.Chart(bands).encode(
        x=alt.X("week:Q", title="weeks after the end of the campaign", scale=alt.Scale(domain=ends, nice=False)),
        color=alt.Color(
            "what:N",
            title=None,
            scale=alt.Scale(domain=list(bands["what"].unique()), range=colours),
            legend=alt.Legend(orient="top", labelLimit=400, symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=3),
        ),
    )
    wrap = alt.Chart(pd.DataFrame({"week": [0]})).mark_rule(strokeDash=[4, 4], color="#1f2933").encode(x="week:Q")
    axis = alt.Axis(format=y_format)
    low_high = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title=None, axis=axis), y2="high:Q")
    return (low_high + base.mark_line(strokeWidth=2.5).encode(y="middle:Q") + wrap).properties(
        width=680, height=220, title=alt.Title(title, subtitle="median and quartiles over participations")
    )


if can_show_wraps:
    told = quartile_band(around, {"level": "core actions of the week, own median week = 1"})
    display(band_chart(told, ["#52606d"], "Usage around the end of a campaign", y_format=".1f"))

# %% [markdown]
# What does a generic health score see? It compares the last four weeks with the four before. What do our features see?
# They compare with what this account and its segment do *in such a phase*, by what was known at the time.

# %%
if can_show_wraps:
    watched = around.merge(wraps.sample(min(150, len(wraps)), random_state=SEED), on=one)
    known = store.historical(watched[["account_id", "as_of"]])
    watched["par"] = np.expm1(known["usage_par_w4"])
    told = quartile_band(
        watched[watched["week"] >= 8 - BEFORE],
        {"raw": "raw: last 4 weeks against the 4 before", "par": "usage_par_w4: against expectation for the phase"},
    )
    display(band_chart(told, [ORANGE, BLUE], "The same weeks, read in two ways", y_format="+.0%"))
    fourth = watched[watched["week"] == 4]
    say(
        f"Four weeks after the wrap the raw change is **{fourth['raw'].median():+.0%}** for the median account, and "
        f"below -40 % for {fourth['raw'].lt(-0.4).mean():.0%} of them. Against expectation the median is "
        f"**{fourth['par'].median():+.0%}**, and {fourth['par'].lt(-0.4).mean():.0%} are below -40 %."
    )

# %% [markdown]
# And can these numbers tell who leaves? Six weeks after each wrap, compare accounts that gave notice or ended within
# the next half year with the others. 0.5 is a coin; below 0.5 the number points the wrong way. (This is a first look at
# raw contract events. Labels with their censoring are made in `training/`.)

# %%
SIGNS = {"usage_par_w13": -1, "active_seats_par_w26": -1, "collab_par_w26": -1, "post_drop_flag": 1}


def chance_to_rank(value: pd.Series, leaves: pd.Series) -> float:
    """How often does a leaver have the higher value than a stayer? Ties count half (the area under the ROC curve)."""
    known, count = value.notna(), leaves[value.notna()].sum()
    above = value[known].rank()[leaves[known]].sum() - count * (count + 1) / 2
    return above / (count * (known.sum() - count)) if 0 < count < known.sum() else np.nan


if can_show_wraps:
    with warehouse.engine() as engine:
        endings = engine.fetch(
            "SELECT account_id, event_at AS left_at FROM contract_events "
            "WHERE op = 'upsert' AND type IN ('notice_given', 'cancelled', 'expired')"
        ).to_pandas()
    sixth = around[around["week"] == 6].reset_index(drop=True)
    wait = (sixth[["account_id", "as_of"]].merge(endings, on="account_id", how="left")).dropna()
    wait = wait[(wait["left_at"] >= wait["as_of"]) & (wait["left_at"] < wait["as_of"] + pd.Timedelta(weeks=26))]
    left = sixth.set_index(["account_id", "as_of"]).index.isin(wait.set_index(["account_id", "as_of"]).index)
    left = pd.Series(left)
    if left.sum() < 10:
        say(f"Only {left.sum()} of these accounts left within half a year: too few to compare.")
    else:
        known = store.historical(sixth[["account_id", "as_of"]])
        ranked = {"raw change over four weeks": chance_to_rank(-sixth["raw"], left)}
        ranked |= {
            f"{feature_named(name).label} ({name})": chance_to_rank(known[name] * s, left) for name, s in SIGNS.items()
        }
        table = pd.DataFrame({"says of the leaver 'worse'": ranked}).rename_axis(
            f"{left.sum()} left, {(~left).sum()} stayed"
        )
        display(table.style.format("{:.2f}"))

# %% [markdown]
# ## 5. What was known when
#
# Each row carries two times: `event_at`, when it happened, and `available_at`, when it could be known here. A snapshot
# at `as_of` takes a row exactly when `available_at <= as_of`. How late do rows come, and how many miss the first
# snapshot after they happened?

# %%
LAGS = """
    SELECT COUNT(*) AS rows_read,
           QUANTILE_CONT(DATE_DIFF('second', event_at, available_at) / 86400.0, [0.1, 0.5, 0.999]) AS days,
           AVG(CASE WHEN available_at > DATE_TRUNC('week', event_at) + INTERVAL 7 DAY THEN 1.0 ELSE 0.0 END) AS missed
    FROM {table} WHERE row_hash % {every} = 0
"""
with warehouse.engine() as engine:
    lags = pd.DataFrame(
        # Of a large table every n-th row, by its hash: the same rows on every run.
        {"table": table, **engine.fetch(LAGS.format(table=table, every=1 + rows // 200_000)).to_pylist()[0]}
        for table, rows in warehouse.loaded_tables().items()
    ).query("rows_read > 0")
lags[["p10", "p50", "p999"]] = lags["days"].to_list()
scale = alt.Scale(type="symlog", constant=0.1)
base = alt.Chart(lags).encode(y=alt.Y("table:N", title=None, sort=list(lags.sort_values(["p50", "p999"])["table"])))
ticks = alt.Axis(values=[0, 0.1, 1, 7, 30, 90, 365], format="~g")
display(
    (
        base.mark_rule(color=GREY).encode(
            x=alt.X("p10:Q", title="days (log scale)", scale=scale, axis=ticks), x2="p999:Q"
        )
        + base.mark_circle(size=80, opacity=1, color=BLUE).encode(x=alt.X("p50:Q", scale=scale))
        + base.mark_tick(thickness=3, opacity=1, color=ORANGE).encode(x=alt.X("p999:Q", scale=scale))
    ).properties(
        width=480,
        title=alt.Title("How late rows come", subtitle="dot: median; orange: 999 of 1,000 rows are known by then"),
    )
)
late = lags[lags["missed"] > 0].sort_values("missed", ascending=False).set_index("table")[["missed", "p50", "p999"]]
late.columns = ["misses the first snapshot", "median days", "99.9 % by (days)"]
display(
    late.style.format({"misses the first snapshot": "{:.1%}", "median days": "{:.2f}", "99.9 % by (days)": "{:.1f}"})
)

# %% [markdown]
# One account, one snapshot: what was known then of the eight weeks before, and what of them is known now? The account
# is the one with the most actions of a week that missed the snapshot at its end.

# %%
MOST_LATE = """
    SELECT account_id, DATE_TRUNC('week', event_at) + INTERVAL 7 DAY AS as_of, SUM(events) AS late
    FROM usage_daily
    WHERE op = 'upsert' AND event_at >= '{first}' AND event_at < '{last}'
      AND available_at > DATE_TRUNC('week', event_at) + INTERVAL 7 DAY
    GROUP BY account_id, as_of ORDER BY late DESC, account_id, as_of LIMIT 1
"""
WEEKS_OF_ONE = """
    SELECT DATE_TRUNC('week', usage_date) AS week,
           CASE WHEN available_at <= '{as_of}' THEN 'known then' ELSE 'came later' END AS seen, SUM(events) AS actions
    FROM usage_daily
    WHERE account_id = '{account}' AND op = 'upsert' AND event_at < '{as_of}'
      AND event_at >= CAST('{as_of}' AS TIMESTAMPTZ) - INTERVAL 56 DAY
    GROUP BY week, seen
"""
ROWS_OF_ONE = """
    SELECT SUM(CASE WHEN available_at <= '{as_of}' THEN 1 ELSE 0 END) AS "known then", COUNT(*) AS "known now"
    FROM {table} WHERE account_id = '{account}' AND event_at < '{as_of}'
      AND event_at >= CAST('{as_of}' AS TIMESTAMPTZ) - INTERVAL 182 DAY
"""
with warehouse.engine() as engine:
    found = engine.fetch(MOST_LATE.format(first=year[0].isoformat(), last=newest.isoformat())).to_pylist()
    if found:
        where = {"account": found[0]["account_id"].replace("'", "''"), "as_of": found[0]["as_of"].isoformat()}
        weeks_of_one = engine.fetch(WEEKS_OF_ONE.format(**where)).to_pandas().astype({"actions": float})
        tables = [t for t in warehouse.loaded_tables() if "account_id" in {c.name for c in TABLES[t].columns}]
        rows_of_one = {t: engine.fetch(ROWS_OF_ONE.format(table=t, **where)).to_pylist()[0] for t in tables}
if not found:
    say("No usage came after the snapshot that should have seen it, so then and now are the same here.")
else:
    display(
        alt.Chart(weeks_of_one)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(week):O", title="week", axis=alt.Axis(format="%d %b", labelAngle=0)),
            y=alt.Y("actions:Q", title="actions"),
            color=alt.Color(
                "seen:N",
                title=None,
                scale=alt.Scale(domain=["known then", "came later"], range=[BLUE, ORANGE]),
            ),
        )
        .properties(width=480, height=200, title=f"One account before {where['as_of'][:10]}: as known then, and since")
    )
    then_now = pd.DataFrame(rows_of_one).T.astype("Int64").query("`known now` > 0")
    display(then_now.rename_axis("rows of the last 26 weeks in"))
    say(
        "A snapshot is never made better afterwards: training sees these weeks with the orange part missing, as "
        f"scoring did. The envelope that makes it possible: {', '.join(f'`{column.name}`' for column in ENVELOPE)}."
    )

# %% [markdown]
# ## 6. What is missing, and where
#
# A null feature says "no basis", never "fine", and the model treats it so. Shares of missing values per part and phase:

# %%
model = [feature_named(name) for name in MODEL_FEATURES]
by_phase = sample.groupby("phase")[list(MODEL_FEATURES)].agg(lambda values: values.isna().mean()).T
by_phase["part"] = [str(feature.subcategory) for feature in model]
missing = by_phase.groupby("part").mean().rename_axis(columns="phase").stack().rename("share").reset_index()
parts = [str(part) for part in Subcategory]
heat = alt.Chart(missing).encode(
    x=alt.X("phase:N", sort=phases, title=None, axis=alt.Axis(labelAngle=0, orient="top")),
    y=alt.Y("part:N", sort=parts, title=None),
)
display(
    (
        heat.mark_rect().encode(
            color=alt.Color("share:Q", title="null", scale=alt.Scale(scheme="oranges", domain=[0, 1]))
        )
        + heat.mark_text(fontSize=12).encode(text=alt.Text("share:Q", format=".0%"))
    ).properties(width=400, height=230, title="Share of model features without a value")
)
nulls = sample[list(MODEL_FEATURES)].isna().mean().sort_values(ascending=False).head(10)
display(
    pd.DataFrame(
        {"feature": f"{feature_named(name).label} ({name})", "null": share, "null means": feature_named(name).null}
        for name, share in nulls.items()
    )
    .style.format({"null": "{:.0%}"})
    .hide(axis="index")
    .set_caption("The ten features that are missing most often")
)

# %% [markdown]
# ## 7. Which features move together
#
# Rank correlation over the sample. Features of one family tell nearly the same story: an explanation may name either,
# and a chart of one feature alone leaves out what its sisters do.

# %%
rho = sample[list(MODEL_FEATURES)].rank().corr(min_periods=200)
above_diagonal = np.triu(np.ones(rho.shape, dtype=bool), 1)
pairs = rho.where(above_diagonal).stack().rename_axis(["one", "other"]).rename("rho").reset_index()
pairs["strength"] = pairs["rho"].abs()
strongest = pairs[pairs["strength"] >= 0.7].nlargest(15, "strength")
for side in ("one", "other"):
    pairs[f"part of {side}"] = [str(feature_named(name).subcategory) for name in pairs[side]]
    strongest[side] = [f"{feature_named(name).label} ({name})" for name in strongest[side]]
if strongest.empty:
    say("No two features move together with a rank correlation of 0.7 or more.")
else:
    display(strongest[["one", "other", "rho"]].style.format({"rho": "{:+.2f}"}).hide(axis="index"))

# %%
across = pairs.groupby(["part of one", "part of other"])["strength"].quantile(0.9).reset_index()
grid = alt.Chart(across).encode(
    x=alt.X("part of other:N", sort=parts, title=None, axis=alt.Axis(labelAngle=-30, orient="top")),
    y=alt.Y("part of one:N", sort=parts, title=None),
)
display(
    (
        grid.mark_rect().encode(
            color=alt.Color("strength:Q", title="rho", scale=alt.Scale(scheme="blues", domain=[0, 1]))
        )
        + grid.mark_text(fontSize=12).encode(text=alt.Text("strength:Q", format=".2f"))
    ).properties(
        width=440,
        height=230,
        title=alt.Title(
            "How strongly parts move together", subtitle="|rank correlation|, 90th percentile of the pairs"
        ),
    )
)

# %% [markdown]
# ## Where next
#
# - `features/catalogue.py`: every feature with its unit, window, meaning of null and expected direction.
# - `features/sql/`: how each is computed; `tests/features/` shows each rule as a table in and a value out.
# - `02_model_review`: may the model be trusted? `03_label_choice`: what is a loss?
# - `04_explanation_review`: are its reasons worth reading? `05_campaign_effect`: does knowing campaigns help?
# - `06_replay_trial`: would it have helped?

# %%
counts = [(str(part), len([f for f in features_of(part) if f.name in MODEL_FEATURES])) for part in Subcategory]
say(f"{len(MODEL_FEATURES)} model features: " + ", ".join(f"{part} {count}" for part, count in counts) + ".")
