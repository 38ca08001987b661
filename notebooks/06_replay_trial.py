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
# # Would it have helped?
#
# For a data scientist who must answer a lead's question: had we worked by this model, would we have known earlier? A
# stored replay of past weeks as if live, against an alert 90 days before a contract ends and against a model of the
# calendar, each with the same number of alerts. It shows *when* one would have known; not whom one would have kept.
#
# It needs a home with a stored replay: `pulse pilot --as-of DATE` (see `docs/measuring.md`). The home is `PULSE_HOME`,
# by default `../.pulse`. Nothing is replayed again and nothing is written.

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
from features.vocabulary import CohortStatus, Phase
from training import promotions

REPLAY = None  # a version such as "3"; None: the live one, or the newest with a stored replay
MODEL, CALENDAR, RULE = "champion", "timing_only", "renewal_date"
POLICIES = {MODEL: "this model", "health": "its health score", CALENDAR: "calendar alone", RULE: "renewal-date rule"}
MEASURES = {
    "precision": "alerts that were right",
    "recall": "leavers alerted",
    "early_before_decision": "8 weeks before the decision",
    "early_before_end": "13 weeks before the end",
    "early_value": "their value, 8 weeks before",
}
RELATIVE_FALL = 0.13  # a fall of churn that is often hoped for; here only to ask how many accounts would show it
HOLDOUTS = (0.1, 0.2, 0.5)  # shares of accounts that a trial would never alert
FEW = 10  # leavers; with fewer a share is an anecdote
COLOURS = {"this model": "#2166ac", "its health score": "#92c5de", "calendar alone": "#b35806"}
COLOURS |= {"renewal-date rule": "#52606d"}
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


def written(estimate: dict, *, unit: str = "%") -> str:
    """A measure with its interval, or why there is none."""
    if estimate["value"] is None:
        return estimate["reason"] or "not measured"
    form = ".0%" if unit == "%" else ".0f"
    if estimate["low"] is None:
        return f"{estimate['value']:{form}} (no interval: {estimate['reason']})"
    return f"{estimate['value']:{form}} ({estimate['low']:{form}} to {estimate['high']:{form}})"


# %%
home = Home.from_environment({HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or "../.pulse"})
stored = sorted((path.parent.name for path in home.reports.glob("[0-9]*/pilot.json")), key=int, reverse=True)
live = promotions.current(home)
of_live = [live.version] if live and live.version in stored else []
version = REPLAY or next(iter([*of_live, *stored]), None)
if version not in stored:
    raise MissingStateError(
        "no replay trial is stored" if version is None else f"version {version} was not replayed",
        expected="reports/VERSION/pilot.json in the home",
        found=f"replays of: {', '.join(stored) or 'no version'}",
        todo="run `pulse pilot --as-of DATE`" + (f" with `--model {version}`" if version else ""),
    )
trial = json.loads((home.reports / version / "pilot.json").read_text())
policies = [name for name in POLICIES if name in trial["policies"]]
state = "is live" if live and live.version == version else "is not live"
say(
    f"Version **{version}** ({state}), replayed week by week from {trial['first_week'][:10]} to "
    f"{trial['last_week'][:10]} "
    f"with the outcomes known on {trial['as_of'][:10]}: {trial['weeks']} weeks, {trial['accounts']:,} accounts, "
    f"**{trial['leavers']} leavers** that anybody could have been warned of."
)
say("\n".join(f"- {note}" for note in trial["notes"]))

# %% [markdown]
# ## 1. Equal volume
#
# Who alerts everybody misses nobody. So the renewal-date rule sets the number of alerts, and each other policy gets as
# many, evenly spread. Alerts that are too young for their 26 weeks are not graded for precision.

# %%
counts = [trial["policies"][name]["alerts"] for name in policies]
say(
    f"**{trial['alerts_per_four_weeks']:.0f}** new alerts in four weeks for every policy, and {trial['day_one']:,} "
    "on the "
    "first day's list, which is not graded. Alerts in all: "
    + ", ".join(f"{POLICIES[name]} {count:,}" for name, count in zip(policies, counts, strict=True))
    + ". "
    + (
        f"Alerts up to {trial['judged_until'][:10]} have had their 26 weeks."
        if trial["judged_until"]
        else "No alert has had its 26 weeks yet, so none can be called right or wrong."
    )
)
display(
    pd.DataFrame(
        {
            "policy": POLICIES[name],
            **{title: written(trial["policies"][name][measure]) for measure, title in MEASURES.items()},
            "median lead, days": written(trial["policies"][name]["lead_days"], unit="days"),
        }
        for name in policies
    )
    .style.hide(axis="index")
    .set_caption("95 % intervals over redrawn accounts")
)
parts = pd.DataFrame(
    {
        "policy": POLICIES[name],
        "measure": title,
        **{end: trial["policies"][name][measure][end] for end in ("value", "low", "high")},
    }
    for name in policies
    for measure, title in MEASURES.items()
).dropna(subset=["value"])
if parts.empty:
    say("Nothing could be measured: nobody left in time to be judged.")
else:
    names = [POLICIES[name] for name in policies]
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(parts).encode(
        y=alt.Y("measure:N", sort=list(MEASURES.values()), title=None, axis=alt.Axis(labelLimit=240)),
        yOffset=alt.YOffset("policy:N", sort=names),
        color=alt.Color(
            "policy:N",
            sort=names,
            title=None,
            legend=alt.Legend(orient="top"),
            scale=alt.Scale(domain=names, range=[COLOURS[name] for name in names]),
        ),
    )
    display(
        (
            base.mark_rule(strokeWidth=2).encode(
                x=alt.X("low:Q", title="share", scale=scale, axis=alt.Axis(format="%")), x2="high:Q"
            )
            + base.mark_circle(size=80, opacity=1).encode(x=alt.X("value:Q", scale=scale))
        ).properties(width=480, height=300, title="What each policy would have brought, with as many alerts")
    )

# %% [markdown]
# ## 2. How early?
#
# Of all leavers, the share that had been alerted so many days before they decided. A rule that looks 90 days before the
# *end* comes late where the notice is due 60 days before it: read the curve at the day on which there is still time to
# act.

# %%
curves = pd.DataFrame(
    {"policy": POLICIES[name], "days": days, "share": found}
    for name in policies
    for days, found in zip(trial["lead_curve_days"], trial["lead_curves"].get(name, ()), strict=False)
)
if curves.empty or not trial["leavers"]:
    say("There is no curve to draw without leavers.")
else:
    names = [POLICIES[name] for name in policies]
    early = alt.Chart(pd.DataFrame({"days": [56]})).mark_rule(strokeDash=[4, 4], color="#52606d").encode(x="days:Q")
    display(
        (
            alt.Chart(curves)
            .mark_line(strokeWidth=2.5, interpolate="step-after")
            .encode(
                x=alt.X(
                    "days:Q",
                    title="days before the decision",
                    scale=alt.Scale(domain=[max(trial["lead_curve_days"]), 0], nice=False),
                ),
                y=alt.Y("share:Q", title="leavers alerted", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
                color=alt.Color(
                    "policy:N", sort=names, title=None, scale=alt.Scale(domain=names, range=[COLOURS[n] for n in names])
                ),
            )
            + early
        ).properties(
            width=520,
            height=220,
            title=alt.Title("Leavers alerted by then", subtitle="dashed: 8 weeks before the decision"),
        )
    )
    at_eight = curves[curves["days"] <= 57].groupby("policy")["share"].last()
    say(
        f"Of {trial['leavers']} leavers had been alerted 8 weeks before they decided: "
        + ", ".join(f"{name} **{at_eight[name]:.0%}**" for name in names if name in at_eight)
        + "."
    )

# %% [markdown]
# ## 3. The difference, paired
#
# The same leavers and the same redraws for both. Right of the dashed line this model is ahead; an interval that crosses
# it shows nothing. *Underpowered*: the interval is too wide for the answer to be worth the name.

# %%
readings = trial["readings"].get(MODEL, {})
leads = pd.DataFrame(
    {
        "against": POLICIES[other],
        "measure": title,
        **{end: reading["lead"][measure][end] for end in ("value", "low", "high")},
    }
    for other, reading in readings.items()
    for measure, title in MEASURES.items()
).dropna()
if leads.empty:
    say("No difference has an interval: too few leavers.")
else:
    against = list(dict.fromkeys(leads["against"]))
    scale = alt.Scale(domain=[-1, 1])
    base = alt.Chart(leads).encode(
        y=alt.Y("measure:N", sort=list(MEASURES.values()), title=None, axis=alt.Axis(labelLimit=240)),
        yOffset=alt.YOffset("against:N", sort=against),
        color=alt.Color(
            "against:N",
            sort=against,
            title="this model less",
            legend=alt.Legend(orient="top"),
            scale=alt.Scale(domain=against, range=[COLOURS[name] for name in against]),
        ),
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(strokeDash=[4, 4], color="#52606d").encode(x="x:Q")
    display(
        (
            zero
            + base.mark_rule(strokeWidth=2).encode(
                x=alt.X("low:Q", title="difference of shares", scale=scale, axis=alt.Axis(format="+.0%")), x2="high:Q"
            )
            + base.mark_circle(size=80, opacity=1).encode(x=alt.X("value:Q", scale=scale))
        ).properties(width=480, height=220, title="Paired differences, 95 % intervals")
    )
words = {**MEASURES, "lead_days": "median lead"}
say(
    "\n".join(
        f"- Against the {POLICIES[other]}: "
        + "; ".join(f"{title}: **{reading['words'][measure]}**" for measure, title in words.items())
        + "."
        for other, reading in readings.items()
    )
    or "The replay holds no comparison of policies."
)

# %% [markdown]
# ## 4. By campaign phase
#
# Alerts by the phase they were raised in, leavers by the phase they were in 8 weeks before they decided. A policy that
# takes the fall of usage after a campaign for risk would show it here: many alerts in `post`, few of them right.

# %%
phases = [str(phase) for phase in Phase if phase in trial["phases"]]
rows = [
    {
        "phase": f"{phase} ({trial['phases'][phase]['leavers']} leavers)",
        "policy": POLICIES[name],
        "leavers": trial["phases"][phase]["leavers"],
        "alerts": record["alerts"],
        "graded": record["precision"]["rows"],
        **{f"right_{end}": record["precision"][end] for end in ("value", "low", "high")},
        "early": record["early_before_decision"]["value"],
    }
    for phase in phases
    for name, record in trial["phases"][phase]["policies"].items()
]
by_phase = pd.DataFrame(rows)
if by_phase.empty:
    say("The replay holds no phases.")
else:
    names = [POLICIES[name] for name in policies]
    drawn = by_phase.dropna(subset=["right_value"])
    if drawn.empty:
        say("In no phase could an alert be called right or wrong yet.")
    else:
        base = alt.Chart(drawn).encode(
            y=alt.Y("phase:N", sort=list(dict.fromkeys(by_phase["phase"])), title=None, axis=alt.Axis(labelLimit=240)),
            yOffset=alt.YOffset("policy:N", sort=names),
            color=alt.Color(
                "policy:N",
                sort=names,
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=names, range=[COLOURS[name] for name in names]),
            ),
        )
        scale = alt.Scale(domain=[0, 1])
        display(
            (
                base.mark_rule(strokeWidth=2).encode(
                    x=alt.X("right_low:Q", title="alerts that were right", scale=scale, axis=alt.Axis(format="%")),
                    x2="right_high:Q",
                )
                + base.mark_circle(size=80, opacity=1).encode(x=alt.X("right_value:Q", scale=scale))
            ).properties(width=480, height=60 * len(phases), title="Alerts that were right, by the phase they came in")
        )
    display(
        by_phase.pivot_table(index="phase", columns="policy", values="alerts", sort=False)[names]
        .style.format("{:,.0f}", na_rep="none")
        .set_caption("Alerts by phase")
    )
    thin = [phase for phase in phases if trial["phases"][phase]["leavers"] < FEW]
    say(f"With under {FEW} leavers, so no more than anecdotes: {', '.join(thin) or 'no phase'}.")

# %% [markdown]
# ## 5. What the work would have cost
#
# Work, not effect: an intervention counts as reactive when it begins after the notice or shortly before the decision.

# %%
if trial["spending"] is None:
    say("The replay was made without prices: `pulse pilot --as-of DATE --costs costs.yaml` adds them.")
else:
    prices = trial["costs"]
    display(
        pd.DataFrame(
            {
                "policy": POLICIES[name],
                "reactive": spent["reactive"],
                "in time": spent["proactive"],
                f"cost, {prices['currency']}": spent["total_cost"]["value"],
                "change of reactive cost": "-"
                if spent["reactive_change"] is None
                else written(spent["reactive_change"]),
            }
            for name, spent in ((name, trial["spending"][name]) for name in policies)
        )
        .style.format({f"cost, {prices['currency']}": "{:,.0f}"}, na_rep="not measured")
        .hide(axis="index")
        .set_caption(
            f"{prices['proactive']:,.0f} {prices['currency']} for one begun in time, {prices['reactive']:,.0f} for one "
            "that was not"
        )
    )

# %% [markdown]
# ## 6. What only a randomised holdout can say
#
# A replay knows who left; it cannot know who would have stayed had somebody called. For that some accounts must, by
# lot, *not* be alerted. How many accounts until a fall of churn shows in four of five trials (two-sided, 5 %)? The
# year's rate is counted from the cohort: accounts at risk a year before the newest snapshot that are under notice or
# gone by now.


# %%
def accounts_needed(base: float, changed: float, holdout: float) -> int:
    """Accounts in all to tell two rates apart (Fleiss, Levin and Paik 2003), with this share of them never alerted."""
    treated = 1 - holdout
    side, hit = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)
    pooled = treated * changed + holdout * base
    chance = np.sqrt(pooled * (1 - pooled) * (1 / treated + 1 / holdout))
    apart = np.sqrt(changed * (1 - changed) / treated + base * (1 - base) / holdout)
    return int(np.ceil(((side * chance + hit * apart) / (changed - base)) ** 2))


snapshots = built_as_ofs(home)
newest = snapshots[-1]
year_ago = max((as_of for as_of in snapshots if as_of <= newest - pd.Timedelta(weeks=52)), default=None)
yearly = None
if year_ago is None:
    say("Less than a year of snapshots is built, so no yearly rate can be counted.")
else:
    ends = read_cohort(home, [year_ago, newest])
    then = ends[(ends["as_of"] == year_ago) & (ends["cohort_status"] == CohortStatus.AT_RISK)]["account_id"]
    still = ends[(ends["as_of"] == newest) & (ends["cohort_status"] != CohortStatus.LOST_PENDING)]["account_id"]
    yearly = float(1 - then.isin(still).mean()) if len(then) else None
    if yearly is None or not 0 < yearly < 1:
        say("Nobody, or everybody, was lost within the year: there is no rate to plan with.")
        yearly = None
if yearly is not None:
    there = int((ends["as_of"] == newest).sum())
    falls = np.arange(0.05, 0.81, 0.025)
    need = pd.DataFrame(
        {"fall": fall, "holdout": f"{held:.0%}", "accounts": accounts_needed(yearly, yearly * (1 - fall), held)}
        for held in HOLDOUTS
        for fall in falls
    )
    shades = [ORANGE, GREY, BLUE]
    wide = alt.Scale(type="log")
    here = alt.Chart(pd.DataFrame({"accounts": [there], "what": [f"accounts here: {there:,}"]})).encode(y="accounts:Q")
    display(
        (
            alt.Chart(need)
            .mark_line(strokeWidth=2.5)
            .encode(
                x=alt.X("fall:Q", title="relative fall of the yearly rate", axis=alt.Axis(format="%")),
                y=alt.Y("accounts:Q", title="accounts needed (log)", scale=wide, axis=alt.Axis(format="~s")),
                color=alt.Color(
                    "holdout:N",
                    title="held out",
                    sort=[f"{held:.0%}" for held in HOLDOUTS],
                    scale=alt.Scale(domain=[f"{held:.0%}" for held in HOLDOUTS], range=shades),
                ),
            )
            + here.mark_rule(strokeDash=[4, 4], color="#1f2933")
            + here.mark_text(align="right", x=510, dy=-7, fontSize=12).encode(text="what:N")
        ).properties(width=520, height=220, title=f"Accounts that a trial needs, from a yearly rate of {yearly:.1%}")
    )
    enough = {held: [f for f in falls if accounts_needed(yearly, yearly * (1 - f), held) <= there] for held in HOLDOUTS}
    say(
        f"Of {len(then):,} accounts at risk on {year_ago:%d %b %Y}, {yearly:.1%} were under notice or gone a year "
        "later. "
        f"To show a relative fall of {RELATIVE_FALL:.0%}, half held out, takes "
        f"**{accounts_needed(yearly, yearly * (1 - RELATIVE_FALL), 0.5):,}** accounts; here are {there:,}. "
        + " ".join(
            f"With {held:.0%} held out they show a fall of {min(found):.0%} or more."
            if found
            else f"With {held:.0%} held out they show no fall below {falls[-1]:.0%}."
            for held, found in enough.items()
        )
    )

# %% [markdown]
# And how sure can one be of a share of right alerts? The interval shrinks with the number of graded alerts, and slowly.


# %%
def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of so many (Wilson 1927)."""
    z = NormalDist().inv_cdf(0.975)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return middle - half, middle + half


precision = trial["policies"][MODEL]["precision"] if MODEL in trial["policies"] else {"value": None}
if precision["value"] is None:
    say("There is no share of right alerts yet to plan with.")
else:
    sizes = sorted({20, 40, 80, 160, 320, 640, precision["rows"]})
    sure = {f"{size:,} alerts": wilson(precision["value"], size) for size in sizes}
    say(
        f"At the share seen here, {precision['value']:.0%} of {precision['rows']:,} graded alerts: "
        + ", ".join(f"{low:.0%} to {high:.0%} with {name}" for name, (low, high) in sure.items())
        + "."
    )

# %% [markdown]
# ## 7. What this does not say

# %%
weeks_since = (pd.Timestamp(newest) - pd.Timestamp(trial["last_week"])).days // 7
limits = {
    "That anybody would have stayed": "Nobody was called. An early alert is a chance to act, not an account kept.",
    "What people did then": (
        "Some leavers were seen coming by the people who knew them, and some who stayed had been worked on. A replay "
        "cannot "
        "tell either."
    ),
    "How sure": (
        f"{trial['leavers']} leavers stand behind it all. "
        + (f"Under {FEW} nothing should be quoted." if trial["leavers"] < FEW else "Quote intervals, not dots.")
    ),
    "Now": f"The last replayed week is {weeks_since} weeks older than the newest snapshot.",
    "A trial": (
        "Draw by parent account, within segment and renewal quarter; leave 10 to 20 % unalerted; first check that "
        "two halves "
        "without any alerts do not differ; judge by what was decided, not by who was called."
    ),
}
say("\n".join(f"- **{title}.** {limit}" for title, limit in limits.items()))
