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
# # May this model be trusted?
#
# For a data scientist who must decide. The verdict and its gates, skill where it counts, calibration, what the score
# rests on, whether it points the way it should, and what it cannot say. Judgements are read from the stored evaluation
# of the untouched last weeks; scores come from the model itself. Nothing is written.
#
# It needs a home with a trained model: `make demo SERVE=0`, or `pulse ingest`, `pulse build` and `pulse train` on your
# own data. The home is `PULSE_HOME`, by default `../.pulse`. Open this file in VS Code, or in JupyterLab with jupytext.

# %%
import json
import os
from datetime import datetime

import altair as alt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from features.catalogue import Style, feature_named
from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.settings import HOME_VARIABLE, Home
from features.store import FeatureStore
from features.vocabulary import HORIZONS_DAYS, Band, CohortStatus, Phase, Subcategory
from training import promotions
from training.model import OFFSET_OWNERS, load_bundle

REVIEW = None  # a version such as "3"; None: the live one, or the newest that was judged while none is live
SEED = 7
BLUE, ORANGE, GREY = "#2166ac", "#b35806", "#9aa5b1"
BAND_COLOURS = {
    "green": "#1b7837",
    "amber": "#c8690a",
    "red": "#b2182b",
    "unknown": "#9aa5b1",
    "lost_pending": "#52606d",
}
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
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 300},
            "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None},
            "view": {"stroke": None},
        }
    }


def say(text: str) -> None:
    """Show a sentence that was put together from numbers."""
    display(Markdown(text))


def told(estimate: dict, digits: int = 2) -> str:
    """A metric with its interval, or why there is none."""
    if estimate["value"] is None:
        return estimate["reason"] or "not measured"
    if estimate["low"] is None:
        return f"{estimate['value']:.{digits}f} (no interval: {estimate['reason']})"
    return f"{estimate['value']:.{digits}f} ({estimate['low']:.{digits}f} to {estimate['high']:.{digits}f})"


# %%
home = Home.from_environment({HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or "../.pulse"})
live = promotions.current(home)
judged = sorted((folder.parent.name for folder in home.reports.glob("*/evaluation.json")), key=int)
version = REVIEW or (live.version if live else None) or (judged[-1] if judged else None)
if version is None:
    promotions.require_current(home)  # MissingStateError says what to run first
if version not in judged:
    raise MissingStateError(
        f"version {version} has no stored evaluation",
        expected=f"one of the judged versions: {', '.join(judged) or 'none'}",
        found=version,
        todo=f"run `pulse evaluate --model {version}`",
    )
bundle = load_bundle(home.bundles / version)
evaluation = json.loads((home.reports / version / "evaluation.json").read_text())
verdict = json.loads((home.reports / version / "verdict.json").read_text())
days = evaluation["plan"].get("headline_days", 90)  # the horizon that gates and groups are judged at
block, headline = evaluation["block"], evaluation["horizons"][str(days)]

state = "is **live**" if live and live.version == version else "is **not live**" + ("" if live else "; no model is")
say(f"Model version **{version}** {state}. Its verdict: **{'passed' if verdict['passed'] else 'refused'}**.")
learnt = f"{bundle.facts['first_as_of'][:10]} to {bundle.facts['last_as_of'][:10]}"
tested = f"{block['first_as_of'][:10]} to {block['last_as_of'][:10]}"
say(
    f"It learnt from {bundle.facts['events']:,} accounts that left, in snapshots from {learnt}, and was judged on "
    f"{block['snapshots']} later snapshots, {tested}: {block['rows']:,} rows of {block['accounts']:,} accounts."
)
if live and live.version == version:
    entry = promotions.log(home)[-1]
    say(f"It went live on {entry.at:%d %b %Y} ({entry.action}): {entry.why}.")

# %% [markdown]
# ## 1. The verdict
#
# A gate that cannot measure refuses. One refusal is enough to keep a model from going live.

# %%
gates = pd.DataFrame(verdict["gates"])
gates["answer"] = np.where(gates["passed"], "passed", "refused: " + gates["cause"])
display(
    gates[["title", "answer", "reason"]]
    .rename(columns={"title": "gate"})
    .style.hide(axis="index")
    .map(lambda answer: "" if answer == "passed" else "color: #b2182b; font-weight: bold", subset=["answer"])
)

# %% [markdown]
# ## 2. Skill, where it counts
#
# Over all accounts a model can shine by knowing the calendar: who has no decision soon will not leave soon. The honest
# question is whether it ranks accounts *whose decision falls within the horizon*. Intervals redraw accounts, 95 %.

# %%
where = {"auc_pooled": "all accounts (flatters)", "auc_window": "decision within the horizon"}
arms = pd.DataFrame(
    {"arm": arm.replace("_", " "), "judged on": where[metric], **found[metric]}
    for arm, found in evaluation["arms"].items()
    for metric in where
).dropna(subset=["value"])
order = [arm.replace("_", " ") for arm in evaluation["arms"]]


def interval_chart(
    rows: pd.DataFrame, x_title: str, domain: list[float], neutral: float, **encodings: alt.SchemaBase
) -> alt.LayerChart:
    """Dots (value) with their intervals (low, high), and a dashed line where nothing would be seen."""
    base = alt.Chart(rows).encode(**encodings)
    scale = alt.Scale(domain=domain, zero=False, clamp=True)
    line = alt.Chart(pd.DataFrame({"x": [neutral]})).mark_rule(strokeDash=[4, 4], color="#52606d").encode(x="x:Q")
    return (
        line
        + base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=x_title, scale=scale), x2="high:Q")
        + base.mark_circle(size=90, opacity=1).encode(x=alt.X("value:Q", scale=scale))
    )


if arms.empty:
    say("No area under the ROC curve could be measured: too few accounts left in the judged weeks.")
else:
    coloured = alt.Color(
        "judged on:N",
        title=None,
        sort=list(where.values()),
        scale=alt.Scale(domain=list(where.values()), range=[GREY, BLUE]),
        legend=alt.Legend(orient="top"),
    )
    ranking = interval_chart(
        arms,
        "AUC (0.5 = a coin)",
        [0.35, 1.0],
        0.5,
        y=alt.Y("arm:N", sort=order, title=None),
        yOffset=alt.YOffset("judged on:N", sort=list(where.values())),
        color=coloured,
    )
    title = f"Ranking at {days} days: this model (champion) and others on the same rows"
    display(ranking.properties(width=560, height=200, title=title))
say(f"At {days} days: {headline['window_reading']['sentence']}")

# %%
display(
    pd.DataFrame(
        {
            "horizon": f"{ahead} days",
            "AUC, decision within it": told(found["auc_window"]),
            "AUC, all accounts": told(found["auc_pooled"]),
            "accounts that left (all)": found["auc_pooled"]["outcomes"],
            "reading": ", ".join(found["window_reading"]["words"]),
        }
        for ahead, found in evaluation["horizons"].items()
    )
    .style.hide(axis="index")
    .set_caption("Skill per horizon, with 95 % intervals")
)
lead = {arm.replace("_", " "): told(delta["auc_window"], 3) for arm, delta in evaluation["deltas"].items()}
say("Lead in AUC within the window: " + "; ".join(f"over {arm} {found}" for arm, found in lead.items()) + ".")
work = evaluation["arms"]["champion"]["worklist"]
say(
    f"What a list of {work['capacity']} accounts per snapshot catches: precision "
    f"{told(work['precision_at_capacity'])}, recall {told(work['recall_at_capacity'])}, share of the leavers' annual "
    f"value {told(work['value_captured_at_capacity'])}. Base rate: {block['base_rate'] or 0:.1%}."
)
if evaluation["truth"]:
    graded = evaluation["truth"]["horizons"][str(days)]
    say(
        "The company is made up, so true chances are known: AUC within the window against the truth "
        f"{told(graded['auc_window'])}, the best possible {told(graded['oracle_auc_window'])}, share of the reachable "
        f"skill {told(graded['share_of_oracle_skill'])}. Real data has no such line."
    )

# %% [markdown]
# ## 3. Do stated risks come true?
#
# Each dot is a bin of stated risk. On the diagonal as many left as was stated.

# %%
bins = pd.DataFrame(
    {
        "horizon": f"{ahead} days",
        **{name: found_bin[name] for name in ("rows", "mean_risk", "observed_rate", "low", "high")},
    }
    for ahead, found in evaluation["horizons"].items()
    for found_bin in found["reliability"]
)
if bins.empty:
    say("No reliability bins: too few accounts left.")
else:
    panels = []
    for horizon, rows in bins.groupby("horizon", sort=False):
        top = float(rows[["mean_risk", "observed_rate", "high"]].max().max()) * 1.05
        axes = {"scale": alt.Scale(domain=[0, top]), "axis": alt.Axis(format="%", tickCount=4)}
        base = alt.Chart(rows).encode(x=alt.X("mean_risk:Q", title="stated", **axes))
        ideal = (
            alt.Chart(pd.DataFrame({"x": [0, top]})).mark_line(color=GREY, strokeDash=[4, 4]).encode(x="x:Q", y="x:Q")
        )
        seen = base.mark_circle(size=80, opacity=1, color=BLUE).encode(y=alt.Y("observed_rate:Q", title="left", **axes))
        span = base.mark_rule(color=BLUE).encode(y=alt.Y("low:Q", title="left", **axes), y2="high:Q")
        panels.append((ideal + span + seen).properties(width=150, height=150, title=alt.Title(horizon, fontSize=12)))
    display(alt.hconcat(*panels, title="Reliability on the judged weeks, intervals by account"))
error, calibration = headline["ece"], headline["calibration"]
said = f"At {days} days {calibration['observed']:.0f} rows left and {calibration['expected'] or 0:.0f} were expected: "
say(said + f"observed over expected **{told(calibration['ratio'])}**.")
if error["value"] is not None and error["floor_p95_recurring"] is not None:
    beyond = "beyond" if error["value"] > error["floor_p95_recurring"] else "within"
    say(
        f"Expected calibration error {error['value']:.4f}: {beyond} what chance alone gives a perfectly calibrated "
        f"model (up to {error['floor_p95_recurring']:.4f})."
    )

# %% [markdown]
# Finance plans per phase and segment, so the sums must hold there as well. Right of 1: more left than was stated.

# %%
groups = pd.DataFrame(
    {
        "kind": kind,
        "group": f"{name} ({found['positives']} left, {found['expected'] or 0:.0f} expected)",
        **{part: found["calibration"]["ratio"][part] for part in ("value", "low", "high")},
    }
    for kind in ("phases", "segments", "contracts")
    for name, found in sorted(evaluation[kind].items(), key=lambda item: (*Phase, item[0]).index(item[0]))
).dropna(subset=["value"])
if groups.empty:
    say("Nothing can be said per group: no rows left in any.")
else:
    wide = alt.Axis(minExtent=230, labelLimit=230)
    kinds = [
        interval_chart(
            rows,
            "observed over expected leavers",
            [0, 2.5],
            1.0,
            y=alt.Y("group:N", sort=None, title=None, axis=wide),
            color=alt.value(BLUE),
        ).properties(width=430, title=alt.Title(str(kind), fontSize=12))
        for kind, rows in groups.groupby("kind", sort=False)
    ]
    display(alt.vconcat(*kinds, title=f"Calibration at {days} days within groups"))
FEW = 20  # expected leavers; with less the gates do not judge a phase, for the interval is wider than +-45 %
unjudged = [name for name, found in evaluation["phases"].items() if (found["expected"] or 0) < FEW]
say(f"Under {FEW} expected leavers, so read with care: " + (", ".join(unjudged) or "no phase") + ".")

# %% [markdown]
# ## 4. What the score rests on
#
# Score the newest snapshot and look at the points. Points are relative to the reference portfolio: 0 is usual, minus
# lowers health. Twelve points less stand for double the odds of leaving.

# %%
newest = built_as_ofs(home)[-1]
features = FeatureStore(home).historical(read_cohort(home, [newest])[["account_id", "as_of"]])
scores, points = bundle.score(features), bundle.feature_points(features)
at_risk = (features["cohort_status"] == CohortStatus.AT_RISK).to_numpy()
bands = [str(band) for band in Band if band in set(scores.loc[at_risk, "band"])]
part_points = {str(part): scores[f"points_{part}"] for part in Subcategory}
long = pd.DataFrame({**part_points, "band": scores["band"], "segment": features["segment"]})[at_risk]
long = long.melt(["band", "segment"], var_name="part", value_name="points")
say(
    f"{len(scores):,} accounts on {newest:%d %b %Y}: "
    + ", ".join(f"{count} {band}" for band, count in scores["band"].value_counts().items())
    + f". Health of the median account at risk: {scores.loc[at_risk, 'health'].median():.0f}."
)
spread = long.groupby(["part", "band"])["points"].quantile([0.1, 0.5, 0.9]).unstack()
spread = spread.set_axis(["low", "value", "high"], axis=1).reset_index()
parts = [str(part) for part in Subcategory]
shades = alt.Color("band:N", sort=bands, scale=alt.Scale(domain=bands, range=[BAND_COLOURS[band] for band in bands]))
if spread.empty:
    say("No account is at risk on this date.")
else:
    reach = float(spread[["low", "high"]].abs().max().max()) * 1.05
    by_band = interval_chart(
        spread,
        "points",
        [-reach, reach],
        0.0,
        y=alt.Y("part:N", sort=parts, title=None),
        yOffset=alt.YOffset("band:N", sort=bands),
        color=shades,
    )
    title = alt.Title("Points per part, by band", subtitle="dot: median account; line: 10th to 90th percentile")
    display(by_band.properties(width=560, height=320, title=title))

# %%
means = long.groupby(["segment", "part"])["points"].mean().reset_index()
tiles = alt.Chart(means).encode(
    x=alt.X("part:N", sort=parts, title=None, axis=alt.Axis(labelAngle=0, orient="top")),
    y=alt.Y("segment:N", title=None),
)
pale = 2 * max(1.0, float(means["points"].abs().max()))  # light enough for the numbers on top
diverging = alt.Scale(scheme="brownbluegreen", domain=[-pale, pale])
display(
    (
        tiles.mark_rect().encode(color=alt.Color("points:Q", legend=None, scale=diverging))
        + tiles.mark_text(fontSize=12).encode(text=alt.Text("points:Q", format="+.1f"))
    ).properties(width=620, height=40 * means["segment"].nunique(), title="Mean points per segment")
)
weight = points[at_risk][list(bundle.model_features)].abs().mean().sort_values(ascending=False)
weight = weight[weight > 0]
strongest = list(weight.index[:4])
top = pd.DataFrame(
    {
        "feature": feature_named(name).label,
        "part": str(feature_named(name).subcategory),
        "points": size,
    }
    for name, size in weight.head(15).items()
)
if top.empty:
    say("No feature moves the score: the model knows nothing but timing.")
else:
    display(
        alt.Chart(top)
        .mark_bar()
        .encode(
            x=alt.X("points:Q", title="mean size of points"),
            y=alt.Y("feature:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
            color=alt.Color("part:N", sort=parts, scale=alt.Scale(domain=parts, scheme="tableau10")),
        )
        .properties(width=480, title=f"The {len(top)} features that move health most ({len(weight)} are used at all)")
    )

# %% [markdown]
# ## 5. The points add up
#
# One account, the least healthy at risk: from the base of the reference portfolio to its health.

# %%
total = scores["base_points"] + scores[[f"points_{part}" for part in Subcategory]].sum(axis=1)
total += scores["clip_adjust"] + scores["shrink_adjust"]
owner = dict(zip(bundle.features, bundle.subcategories, strict=True))
by_part = points.T.groupby(owner).sum().T.reindex(columns=parts, fill_value=0.0)
for name, part in OFFSET_OWNERS.items():  # what the calibration adds for an account's segment and campaign phase
    by_part[str(part)] += bundle.offset_points(features)[name].to_numpy()
off_health = (total - scores["health"]).abs().max()
off_parts = np.abs(by_part.to_numpy() - scores[[f"points_{part}" for part in parts]].to_numpy()).max()
say(f"Largest error over {len(scores):,} accounts: {off_health:.1e} points of health, {off_parts:.1e} within a part.")

known = at_risk & (scores["grade"] != "D").to_numpy()  # of grade D too little is known to make an example
chosen = int(scores["health"].where(known if known.any() else at_risk, np.inf).argmin())
one = scores.iloc[chosen]
steps = [("base", one["base_points"])] + [(part, one[f"points_{part}"]) for part in parts]
adjusted = {"limited data (shrinkage)": one["shrink_adjust"], "ends of the scale": one["clip_adjust"]}
steps += [(name, change) for name, change in adjusted.items() if change]
fall = pd.DataFrame(steps, columns=["step", "change"])
fall["end"] = fall["change"].cumsum()
fall["start"] = fall["end"] - fall["change"]
fall["kind"] = np.where(fall["step"] == "base", "whole", np.where(fall["change"] < 0, "lowers", "raises"))
fall = pd.concat(
    [fall, pd.DataFrame([{"step": "health", "change": one["health"], "end": one["health"], "start": 0.0}])]
)
fall["kind"] = fall["kind"].fillna("whole")
fall["said"] = [f"{c:.1f}" if k == "whole" else f"{c:+.1f}" for c, k in zip(fall["change"], fall["kind"], strict=True)]
bars = alt.Chart(fall).encode(y=alt.Y("step:N", sort=None, title=None))
fills = alt.Scale(domain=["whole", "raises", "lowers"], range=["#52606d", BLUE, ORANGE])
fall["right"] = fall[["start", "end"]].max(axis=1)
room = float(fall["right"].max()) * 1.12  # for the numbers beside the bars
display(
    (
        bars.mark_bar().encode(
            x=alt.X("start:Q", title="health", scale=alt.Scale(domainMax=room)),
            x2="end:Q",
            color=alt.Color("kind:N", title=None, scale=fills),
        )
        + bars.mark_text(align="left", dx=4, fontSize=12).encode(x="right:Q", text="said:N")
    ).properties(
        width=520,
        title=alt.Title(
            f"How {one['account_id']} comes to a health of {one['health']:.0f}",
            subtitle=f"band {one['band']}, phase {one['phase']}, grade {one['grade']} on {newest:%d %b %Y}",
        ),
    )
)


# %%
def written(name: str, value: float) -> str:
    """A value in the unit that people read: logarithms of ratios as a change in percent."""
    if pd.isna(value):
        return "not known"
    style = feature_named(name).style
    if style in {Style.LOG_RATIO, Style.LOG_CHANGE}:
        return f"{np.expm1(value):+.0%}"
    return f"{value:.0%}" if style is Style.SHARE else f"{value:.3g}"


expected = bundle.expected(features)
reasons = points.iloc[chosen][list(bundle.model_features)].sort_values(key=lambda row: -row.abs()).head(8)
display(
    pd.DataFrame(
        {
            "feature": feature_named(name).label,
            "actual": written(name, features.iloc[chosen][name]),
            "expected": written(name, expected.iloc[chosen][name]),
            "points": change,
        }
        for name, change in reasons.items()
    )
    .style.format({"points": "{:+.1f}"})
    .hide(axis="index")
    .set_caption("Its eight largest reasons; expected = median of accounts in its phase and segment")
)

# %% [markdown]
# ## 6. Two numbers, never one
#
# Risk includes *when* the decision falls; health leaves timing out. So two accounts of the same health differ in risk,
# and risk can only grow with the horizon.

# %%
soon = f"within {days} days"
wait = features["days_to_decision"]
due = np.select([wait.isna(), wait <= days], ["no dated decision", soon], "later")
dues = {soon: ORANGE, "later": BLUE, "no dated decision": GREY}
shown = scores.assign(decision=due)[at_risk]
risk = shown.melt("decision", [f"risk_{ahead}" for ahead in HORIZONS_DAYS], var_name="horizon", value_name="risk")
risk["days"] = risk["horizon"].str.removeprefix("risk_").astype(int)
curve = risk.groupby(["decision", "days"])["risk"].quantile([0.25, 0.5, 0.75]).unstack()
curve = curve.set_axis(["low", "middle", "high"], axis=1).reset_index()
key = alt.Legend(symbolOpacity=1, symbolType="circle")
colour = alt.Color("decision:N", legend=key, scale=alt.Scale(domain=list(dues), range=list(dues.values())))
fan = alt.Chart(curve).encode(
    x=alt.X("days:Q", title="days ahead", axis=alt.Axis(values=list(HORIZONS_DAYS))), color=colour
)
percent = alt.Axis(format="%")
left = (
    fan.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title="risk", axis=percent), y2="high:Q")
    + fan.mark_line(point=True).encode(y="middle:Q")
).properties(width=280, height=220, title=alt.Title("Risk over horizons (quartiles)", fontSize=12))
right = (
    alt.Chart(shown[["health", f"risk_{days}", "decision"]])
    .mark_circle(size=18, opacity=0.5)
    .encode(
        x=alt.X("health:Q", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y(f"risk_{days}:Q", title=f"risk {soon}", axis=percent),
        color=colour,
    )
    .properties(width=280, height=220, title=alt.Title("Health and risk", fontSize=12))
)
display(alt.hconcat(left, right, title="The accounts at risk, by when they decide"))
falling = (np.diff(scores[[f"risk_{ahead}" for ahead in HORIZONS_DAYS]].to_numpy(), axis=1) < 0).any(axis=1).sum()
say(f"Accounts whose risk falls with the horizon: {falling} of {len(scores):,}.")

# %% [markdown]
# ## 7. Does it point the way it should?
#
# The catalogue says for each feature whether more of it should go with more churn (+1), less (-1), or neither (0). For
# each feature that is used: does health fall or rise with its value? (Rank correlation of value and points; under 0.3
# the effect has no one direction.)

# %%
values = features.loc[at_risk, list(weight.index)].astype(float)
varying = values.columns[values.nunique() > 1]
way = pd.DataFrame({"size": weight})
way["slope"] = values[varying].rank().corrwith(points.loc[at_risk, varying].rank())
way["slope"] = way["slope"].fillna(0.0)
way["catalogue"] = [feature_named(name).direction for name in way.index]
way["found"] = np.where(way["slope"].abs() < 0.3, 0, -np.sign(way["slope"])).astype(int)
way["answer"] = np.select(
    [way["catalogue"] == 0, way["found"] == 0, way["catalogue"] == way["found"]],
    ["nothing was expected", "no one direction", "as expected"],
    "against expectation",
)
summary = way.groupby("answer")["size"].agg(["count", "sum"])
summary["sum"] /= max(way["size"].sum(), 1e-12)
summary.columns = ["features", "share of all points"]
display(summary.sort_values("share of all points", ascending=False).style.format({"share of all points": "{:.0%}"}))
against = way[way["answer"] == "against expectation"].nlargest(5, "size")
say(
    "Largest against expectation: "
    + (
        "; ".join(f"{feature_named(n).label} ({n}, {row['size']:.2f} points)" for n, row in against.iterrows())
        or "none"
    )
    + ". A sister feature may carry the expected direction; look at both before calling it a fault."
)

# %% [markdown]
# The four strongest in full: move one feature over its range for a sample of accounts, leave everything else, and score
# again. (Sisters stay where they were, so at the ends these are accounts that do not exist.)


# %%
def partial_dependence(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Mean health of the rows as one feature takes the values that occur, from the 2nd to the 98th percentile."""
    grid = np.unique(np.nanquantile(features[name].astype(float), np.linspace(0.02, 0.98, 12)))
    moved = pd.concat([rows.assign(**{name: value}) for value in grid], ignore_index=True)
    health = bundle.score(moved)["health"].to_numpy().reshape(len(grid), len(rows)).mean(axis=1)
    return pd.DataFrame({"value": grid, "health": health})


people = features[at_risk].sample(min(120, int(at_risk.sum())), random_state=SEED)
curves = {name: partial_dependence(name, people) for name in strongest}
if not curves:
    say("There is nothing to draw: no feature moves the score.")
else:
    everyone = pd.concat(curves.values())["health"]
    axis_of_health = alt.Scale(domain=[float(everyone.min()) - 1, float(everyone.max()) + 1], zero=False)
    way_of = {1: "more of it: should fall", -1: "more of it: should rise", 0: "no expectation"}
    pictures = []
    for name, rows in curves.items():
        one_feature = feature_named(name)
        is_log = one_feature.style in {Style.LOG_RATIO, Style.LOG_CHANGE}
        drawn = rows.assign(value=np.expm1(rows["value"])) if is_log else rows
        number = "%" if is_log or one_feature.style is Style.SHARE else "~f"
        pictures.append(
            alt.Chart(drawn)
            .mark_line(point=True, color=BLUE)
            .encode(
                x=alt.X("value:Q", title=name, axis=alt.Axis(format=number, tickCount=5), scale=alt.Scale(zero=False)),
                y=alt.Y("health:Q", title="mean health", scale=axis_of_health),
            )
            .properties(
                width=280,
                height=150,
                title=alt.Title(one_feature.label, subtitle=way_of[one_feature.direction], fontSize=12, offset=6),
            )
        )
    display(alt.concat(*pictures, columns=2, title="Health as one feature moves"))

# %% [markdown]
# ## 8. What counts as expected
#
# "Actual 3, expected 7" compares with a frozen portfolio: the median of accounts in the same phase and segment in the
# year before the judged weeks. Here for the largest segment and the features that weigh most. The last column says how
# many accounts stand above their own expectation today: far from half means that the portfolio has moved since.

# %%
segment = features["segment"].mode().iloc[0]
here = (features["segment"] == segment).to_numpy()
shown_phases = [str(phase) for phase in Phase if phase in set(features.loc[here, "phase"])]
usual = []
for name in weight.head(10).index:
    actual, norm = features[name].astype(float), expected[name]
    both = actual.notna() & norm.notna()
    above = ((actual > norm) + 0.5 * (actual == norm))[both].mean()
    in_phase = {p: written(name, expected.loc[here & (features["phase"] == p), name].iloc[0]) for p in shown_phases}
    usual.append(
        {
            "feature": feature_named(name).label,
            **in_phase,
            "above it now": "not known" if pd.isna(above) else f"{above:.0%}",
        }
    )
display(
    pd.DataFrame(usual)
    .style.hide(axis="index")
    .set_caption(f"Expected by phase, segment {segment}; {bundle.reference.rows:,} rows")
)

# %% [markdown]
# ## 9. What it cannot say
#
# Put together from the numbers above. Read it before quoting any of them.

# %%
auc = headline["auc_window"]
last_judged = datetime.fromisoformat(block["last_as_of"])
too_small = [
    name
    for kind in ("phases", "segments", "grades")
    for name, found in evaluation[kind].items()
    if found["auc_window"]["value"] is None
]
limits = {
    "How good, exactly": (
        f"AUC within the window {told(auc)} rests on {auc['outcomes']} accounts that left at a decision. A difference "
        "smaller than the interval is no difference."
    ),
    "Today": (
        f"The judged weeks end on {last_judged:%d %b %Y}, {(newest - last_judged).days // 7} weeks before the newest "
        "snapshot, because later outcomes were not known. What changed since is in none of the numbers above."
    ),
    "Contracts without a dated decision": (
        f"{block['evergreen_rows'] / max(block['rows'], 1):.0%} of the judged rows. There is no renewal window to "
        "judge them in."
    ),
    "Small groups": f"Skill cannot be told for: {', '.join(too_small) or 'none'}.",
    "Accounts with little data": f"{(scores['grade'] == 'D').mean():.0%} have grade D: their band is `unknown`.",
    "Causes": "Points say what moves the estimate. Pushing a feature up need not move the customer.",
    "Who can be kept": "Risk is the chance to leave as things go, not what a call would change.",
}
limits |= {f"Refused: {gate['title']}": f"{gate['reason']}." for gate in verdict["gates"] if not gate["passed"]}
limits |= {f"Noted while training ({place})": note for place, note in enumerate(bundle.facts["notes"], start=1)}
say("\n".join(f"- **{title}.** {limit}" for title, limit in limits.items()))
