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
# # Does knowing campaigns help, here?
#
# For a data scientist who is asked whether campaign phases are worth it. A stored comparison of ways of scoring on
# identical rows: with every feature, with the phase removed, with the traditional few, with the contract's dates alone.
# The interval comes first and the number second: one comparison of usual size can print +17 % where the truth is +1 %.
#
# It needs a home with a stored comparison: `pulse compare --as-of DATE` (see `docs/experiments.md`). The home is
# `PULSE_HOME`, by default `../.pulse`. Nothing is computed again and nothing is written.

# %%
import json
import os
from statistics import NormalDist

import altair as alt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.settings import HOME_VARIABLE, Home
from features.store import FeatureStore
from features.vocabulary import CohortStatus, Phase
from features.warehouse import Warehouse

COMPARISON = None  # a folder such as "comparison-2024-12-30-1a2b3c4d"; None: the newest, with a phase-blind arm first
AWARE, BLIND, TRADITIONAL, TIMING = "full", "phase_blind", "traditional", "timing"
YARDSTICK = 0.17  # a gain that is quoted for campaign-aware scoring; here only a measure of what luck can print
SLICES = {"window": "decision due", "campaign": "in or just after a campaign", "pooled": "all (flatters)"}
METRICS = {"ap": "average precision, relative", "auc": "AUC", "log_loss": "log-loss"}
SEED = 7
PHASE_COLOURS = {"pre": "#92c5de", "active": "#2166ac", "post": "#f4a582", "off": "#9aa5b1", "none": "#cfd6dd"}
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
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 400},
            "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None},
            "view": {"stroke": None},
        }
    }


def say(text: str) -> None:
    """Show a sentence that was put together from numbers."""
    display(Markdown(text))


def gain_told(gain: dict, *, relative: bool = True) -> str:
    """A gain behind its interval, or why there is none."""
    if gain["value"] is None:
        return f"not known: {gain['reason']}"
    form = "+z.0%" if relative else "+z.3f"
    if gain["low"] is None:
        return f"no interval ({gain['reason']}), point {gain['value']:{form}}"
    return f"{gain['low']:{form}} to {gain['high']:{form}}, middle {gain['value']:{form}}"


# %%
home = Home.from_environment({HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or "../.pulse"})
stored = {path.parent.name: json.loads(path.read_text()) for path in home.reports.glob("comparison-*/comparison.json")}
# By the day that was known, then by when it was made.
made = {name: (home.reports / name / "comparison.json").stat().st_mtime for name in stored}
newest_first = sorted(stored, key=lambda name: (stored[name]["data_cut"], made[name]), reverse=True)
with_blind = [name for name in newest_first if stored[name]["first_arm"] == AWARE and BLIND in stored[name]["arms"]]
chosen = COMPARISON or next(iter([*with_blind, *newest_first]), None)
if chosen not in stored:
    raise MissingStateError(
        "no comparison of arms is stored" if chosen is None else f"{chosen} is not stored",
        expected="reports/comparison-DATE-RUN/comparison.json in the home",
        found=", ".join(newest_first) or "none",
        todo="run `pulse compare --as-of DATE` on a home with built features",
    )
told = stored[chosen]
days, first = told["plan"]["headline_days"], told["first_arm"]
titles = {name: arm["title"] for name, arm in told["arms"].items()}
others = [name for name in told["arms"] if name != first]
window = told["slices"]["window"]
say(
    f"**{chosen}**: {', '.join(titles.values())}, on {told['rows']:,} identical rows of {told['accounts']:,} "
    "accounts in "
    f"{told['snapshots']} snapshots that no arm had seen, {told['first_as_of'][:10]} to {told['last_as_of'][:10]}. "
    f"{window['leavers'] or 0:,} accounts left at a decision that was due within {days} days; the evidence is of "
    "that size."
)
if BLIND not in told["arms"] or first != AWARE:
    say(
        "It does not hold phase-aware against **phase-blind** scoring, so it cannot say what campaigns are worth: run "
        "`pulse compare --as-of DATE --arms full,phase_blind`."
    )

# %% [markdown]
# ## 1. What was compared
#
# Every arm learns from the same rows, searches equally long, and is judged on the same last weeks. *Phase-blind* is the
# fair opponent: the same sources and formulas with an empty campaign calendar. A gain over *traditional* comes mostly
# from more sources, and a gain over *timing* says only that something beside the calendar was learnt.

# %%
display(
    pd.DataFrame(
        {
            "arm": arm["title"],
            "what it is": arm["about"],
            **{SLICES[part]: told["slices"][part]["arms"][name]["ap"]["value"] for part in told["slices"]},
        }
        for name, arm in told["arms"].items()
    )
    .style.format(dict.fromkeys(SLICES.values(), "{:.3f}"), na_rep="not known")
    .hide(axis="index")
    .set_caption("Average precision; compare down a column, never across (base rates differ)")
)
if TIMING in told["arms"]:
    near, far = (told["slices"][part]["arms"][TIMING]["auc"]["value"] for part in ("window", "pooled"))
    if near is not None and far is not None:
        say(
            f"The contract's dates alone have an AUC of **{far:.2f}** over all accounts and **{near:.2f}** where a "
            "decision "
            "is due (0.5 is a coin). So nothing below is read from the pooled rows."
        )

# %% [markdown]
# ## 2. The gain, with its interval
#
# Paired: the same redrawn accounts for both arms. Right of the dashed line the first arm is better. An interval that
# crosses it shows nothing, whatever its dot.

# %%
gains = pd.DataFrame(
    {
        "against": titles[other],
        "rows": SLICES[part],
        "metric": metric,
        "words": ", ".join(contrast["words"]),
        "effect": contrast["effect"],
        "least": contrast["least_detectable"],
        **{end: contrast["gain"][end] for end in ("value", "low", "high")},
    }
    for part, found in told["slices"].items()
    for other, by_metric in found["contrasts"].items()
    for metric, contrast in by_metric.items()
)


def interval_chart(rows: pd.DataFrame, title: str) -> alt.LayerChart:
    """Relative gains in average precision as dots with intervals, one colour for each set of rows."""
    sets = [name for name in SLICES.values() if name in set(rows["rows"])]
    base = alt.Chart(rows).encode(
        y=alt.Y("against:N", sort=[titles[other] for other in others], title=None, axis=alt.Axis(labelLimit=240)),
        yOffset=alt.YOffset("rows:N", sort=sets),
        color=alt.Color(
            "rows:N",
            title=None,
            sort=sets,
            scale=alt.Scale(domain=list(SLICES.values()), range=[BLUE, ORANGE, GREY]),
            legend=alt.Legend(orient="top", values=sets),
        ),
    )
    ends = [max(-1.0, min(-0.25, rows["low"].min() * 1.05)), min(2.0, max(0.25, rows["high"].max() * 1.05))]
    scale = alt.Scale(domain=ends, clamp=True, nice=False)
    beyond = rows["low"].min() < ends[0] or rows["high"].max() > ends[1]
    note = {"subtitle": "what lies beyond the edges is drawn at them; the table has the numbers"} if beyond else {}
    x = alt.X("low:Q", title=f"gain of {titles[first]} in average precision", scale=scale, axis=alt.Axis(format="+.0%"))
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(strokeDash=[4, 4], color="#52606d").encode(x="x:Q")
    return (
        zero
        + base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
        + base.mark_circle(size=90, opacity=1).encode(x=alt.X("value:Q", scale=scale))
    ).properties(width=520, height=58 * max(rows["against"].nunique(), 1), title=alt.Title(title, **note))


precision = gains[(gains["metric"] == "ap") & gains["low"].notna()]
if precision.empty:
    say("No gain could be measured: too few accounts left in the judged weeks.")
else:
    display(interval_chart(precision, "Paired gains, 95 % intervals, graded by what happened"))
display(
    pd.DataFrame(
        {
            "rows": SLICES[part],
            "against": titles[other],
            "in": METRICS[metric],
            "interval": gain_told(contrast["gain"], relative=metric == "ap"),
            "reading": ", ".join(contrast["words"]),
        }
        for part, found in told["slices"].items()
        for other, by_metric in found["contrasts"].items()
        for metric, contrast in by_metric.items()
        if part == "window" or metric == "ap"
    )
    .style.hide(axis="index")
    .set_caption("The one number asked about is average precision where a decision is due; the others are for reading")
)
say("\n".join(f"- {finding}" for finding in told["findings"]))
repeats = told["plan"]["repeats"]
say(
    f"The intervals hold the luck of who left and of {repeats} searches and fits of each arm."
    if repeats > 1
    else "Each arm was searched and fitted once, so that luck is **not** in the intervals: `--repeats 3` adds it."
)

# %% [markdown]
# ## 3. Could these rows have shown it?
#
# *Underpowered* means that the interval is wider than the effect that was asked for: then neither a gain nor its
# absence is shown. "We found no effect" and "there is none" are two sentences.

# %%
power = [(titles[other], by_metric["ap"]) for other, by_metric in window["contrasts"].items()]
display(
    pd.DataFrame(
        {
            "against": title,
            "effect asked for": contrast["effect"],
            "smallest gain found in 4 of 5 samples": contrast["least_detectable"],
            "leavers there are": window["leavers"],
            "leavers needed": contrast["leavers_needed"],
            "reading": ", ".join(contrast["words"]),
        }
        for title, contrast in power
    )
    .style.format(
        {
            "effect asked for": "{:+.0%}",
            "smallest gain found in 4 of 5 samples": "{:+.0%}",
            "leavers there are": "{:,.0f}",
            "leavers needed": "{:,.0f}",
        },
        na_rep="not known",
    )
    .hide(axis="index")
    .set_caption("Average precision where a decision is due")
)
weak = [title for title, contrast in power if "underpowered" in contrast["words"]]
blank = [title for title, contrast in power if "undefined" in contrast["words"]]
say(
    f"Underpowered against: **{', '.join(weak) or 'none'}**."
    + (f" Not measurable against: {', '.join(blank)}." if blank else "")
)
if told["least_relative_fall"] is not None:
    say(
        f"And a trial: with {told['accounts']:,} accounts in two halves, a fall of the {days}-day rate of leaving by "
        f"**{told['least_relative_fall']:.0%}** or more would be found in four of five trials, a smaller one would not."
    )
else:
    say("A trial that splits these accounts in two halves could not even show that nobody leaves any more.")

# %% [markdown]
# ## 4. What luck alone prints
#
# Suppose that phases were worth nothing, or one percent, and this comparison was made again and again on other accounts
# of the same kind. The width of the interval says which gains it would print. (Normal approximation, from the
# interval's width.)

# %%
yard = window["contrasts"].get(BLIND, {}).get("ap", {}).get("gain") if first == AWARE else None
if not yard or yard["low"] is None:
    say("There is no interval against the phase-blind arm, so luck has no width to be drawn with.")
else:
    error = (yard["high"] - yard["low"]) / (2 * NormalDist().inv_cdf(0.975))
    at = np.linspace(-4 * error, max(4 * error, YARDSTICK * 1.1), 161)
    truths = {"truth: nothing": 0.0, "truth: +1 %": 0.01, "truth: +5 %": 0.05}
    printed = pd.DataFrame(
        {"printed": x, "truth": name, "density": NormalDist(true, error).pdf(x)}
        for name, true in truths.items()
        for x in at
    )
    marks = pd.DataFrame({"x": [yard["value"], YARDSTICK], "what": ["printed here", f"{YARDSTICK:+.0%}"]})
    rules = alt.Chart(marks).encode(x="x:Q")
    display(
        (
            alt.Chart(printed)
            .mark_line(strokeWidth=2.5)
            .encode(
                x=alt.X("printed:Q", title="gain that a comparison prints", axis=alt.Axis(format="+.0%")),
                y=alt.Y("density:Q", axis=None),
                color=alt.Color(
                    "truth:N",
                    title=None,
                    sort=list(truths),
                    scale=alt.Scale(domain=list(truths), range=[GREY, BLUE, ORANGE]),
                ),
            )
            + rules.mark_rule(strokeDash=[4, 4], color="#1f2933")
            + rules.mark_text(dy=-6, y=0, baseline="bottom", fontSize=11, clip=False).encode(text="what:N")
        ).properties(
            width=520, height=180, title="Gains over phase-blind that luck prints, with as many leavers as here"
        )
    )
    chance = {name: 1 - NormalDist(true, error).cdf(YARDSTICK) for name, true in truths.items()}
    wrong = NormalDist(0.01, error).cdf(0)
    say(
        f"A comparison of this size prints {YARDSTICK:+.0%} or more with a chance of "
        f"**{chance['truth: nothing']:.1%}** "
        f"where phases are worth nothing and {chance['truth: +1 %']:.1%} where they are worth one percent; and where "
        f"they are worth one percent it prints a loss with a chance of **{wrong:.0%}**. Its own number is "
        f"{yard['value']:+.0%} ({yard['low']:+.0%} to {yard['high']:+.0%})."
    )

# %% [markdown]
# ## 5. Free of luck, where the truth is known
#
# A made-up company has known chances to leave. Graded with them it no longer matters who happened to leave, so the
# interval shrinks to what models and accounts differ by. Real data has no such line.

# %%
if told["truth"] is None:
    say(
        "This comparison was graded by outcomes alone. On a made-up company, `pulse compare --truth COMPANY/truth` "
        "adds "
        "grades with true chances; on real data nothing can."
    )
else:
    soft = pd.DataFrame(
        {
            "against": titles[other],
            "rows": SLICES[part],
            "graded": graded,
            **{end: by_metric["ap"]["gain"][end] for end in ("value", "low", "high")},
        }
        for graded, slices in (("by outcomes", told["slices"]), ("with truth", told["truth"]))
        for part, found in slices.items()
        for other, by_metric in found["contrasts"].items()
    ).dropna()
    if not soft[soft["graded"] == "with truth"].empty:
        display(interval_chart(soft[soft["graded"] == "with truth"], "The same gains, graded with true chances"))
    lines = []
    for other, by_metric in told["truth"]["window"]["contrasts"].items():
        by_truth, by_luck = by_metric["ap"]["gain"], window["contrasts"][other]["ap"]["gain"]
        lines.append(f"- {titles[other]}: with truth {gain_told(by_truth)}; by outcomes {gain_told(by_luck)}")
    say("Where a decision is due, against\n" + "\n".join(lines))

# %% [markdown]
# ## 6. All comparisons of this home
#
# Whoever runs ten and reports the best has measured patience. Read all of them; the same question asked again on the
# same accounts is not a second sample.

# %%
display(
    pd.DataFrame(
        {
            "comparison": name,
            "known on": stored[name]["data_cut"][:10],
            "against": titles_of["title"],
            "repeats": stored[name]["plan"]["repeats"],
            "gain where a decision is due": gain_told(
                stored[name]["slices"]["window"]["contrasts"][other]["ap"]["gain"]
            ),
            "reading": ", ".join(stored[name]["slices"]["window"]["contrasts"][other]["ap"]["words"]),
        }
        for name in newest_first
        for other, titles_of in stored[name]["arms"].items()
        if other != stored[name]["first_arm"]
    )
    .style.hide(axis="index")
    .set_caption(f"{len(stored)} stored")
)

# %% [markdown]
# ## 7. Context: usage by phase
#
# How far does usage follow phases here? That is a fact about work, not about leaving: a pattern that everybody shows
# can be large and tell nothing about who goes. Core actions per week of a sample of participants, own quiet weeks = 1.

# %%
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
newest = built_as_ofs(home)[-1]
recent = [as_of for as_of in built_as_ofs(home) if as_of > newest - pd.Timedelta(weeks=52)]
cohort = read_cohort(home, recent)
known = cohort[cohort["cohort_status"] == CohortStatus.AT_RISK]
accounts = pd.Series(known["account_id"].unique())
accounts = accounts.sample(min(80, len(accounts)), random_state=SEED)
rows = known[known["account_id"].isin(accounts)].reset_index(drop=True)
rows["phase"] = FeatureStore(home).historical(rows[["account_id", "as_of"]])["phase"].to_numpy()
with Warehouse(home).engine() as engine:
    weekly = engine.fetch(WEEKLY).to_pandas()
weekly["as_of"] = pd.to_datetime(weekly["week_start"], utc=True) + pd.Timedelta(weeks=1)  # the week is over then
rows = rows.merge(weekly[["account_id", "as_of", "actions"]], on=["account_id", "as_of"], how="left")
rows["actions"] = rows["actions"].fillna(0.0)
quiet = rows[rows["phase"].isin(["off", "none"])].groupby("account_id")["actions"].mean()
part = rows.loc[rows["phase"] == "active", "account_id"].unique()
rows["quiet"] = rows["account_id"].map(quiet)
of_participants = rows[rows["account_id"].isin(part) & rows["quiet"].gt(0)]
if of_participants.empty:
    say("No account of the sample had both active and quiet weeks with usage in the last year: no picture to draw.")
else:
    each = of_participants.groupby(["account_id", "phase"])[["actions", "quiet"]].mean().reset_index()
    each["level"] = each["actions"] / each["quiet"]
    phases = [str(phase) for phase in Phase if phase in set(each["phase"])]
    middle = each.groupby("phase")["level"].quantile([0.25, 0.5, 0.75]).unstack()
    middle = middle.set_axis(["low", "middle", "high"], axis=1).reset_index()
    colour = alt.Color(
        "phase:N",
        sort=phases,
        legend=None,
        scale=alt.Scale(domain=phases, range=[PHASE_COLOURS[phase] for phase in phases]),
    )
    base = alt.Chart(middle).encode(y=alt.Y("phase:N", sort=phases, title=None), color=colour)
    display(
        (
            base.mark_rule(strokeWidth=8, opacity=0.5).encode(
                x=alt.X("low:Q", title="own quiet weeks = 1", axis=alt.Axis(tickCount=6)), x2="high:Q"
            )
            + base.mark_circle(size=140, opacity=1).encode(x=alt.X("middle:Q", scale=alt.Scale(zero=True)))
        ).properties(
            width=520,
            height=140,
            title=alt.Title("Usage by phase", subtitle="dot: median participant; bar: quartiles over participants"),
        )
    )
    active = each[each["phase"] == "active"]
    pooled = active["actions"].sum() / active["quiet"].sum()
    say(
        f"In active weeks the {len(active):,} participants of the sample work at **{pooled:.1f}** times their quiet "
        "level "
        f"taken together; the median participant at {active['level'].median():.1f} times (the first is "
        "led by large accounts)."
    )

# %% [markdown]
# ## 8. What this does not say

# %%
campaign = told["slices"]["campaign"]
limits = {
    "Whether campaigns matter": (
        "It says whether *this encoding* of phases ranks *these accounts* better, in these weeks."
    ),
    "What a better score saves": (
        "A better order is worth what is done with it. That needs a trial (`06_replay_trial`)."
    ),
    "Other seasons": (
        f"The judged weeks are {told['first_as_of'][:10]} to {told['last_as_of'][:10]}; campaigns outside them were "
        "not "
        "judged."
    ),
    "Accounts in campaigns": (
        f"{campaign['rows']:,} rows and {campaign['leavers'] or 0:,} leavers stand behind the numbers for accounts "
        "in or "
        "just after a campaign."
    ),
    "The luck of the past": "All arms learnt from the same history. Another history would have taught each otherwise.",
}
say("\n".join(f"- **{title}.** {limit}" for title, limit in limits.items()))
