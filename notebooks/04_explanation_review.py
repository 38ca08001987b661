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
# # Are the explanations worth reading?
#
# For a data scientist whose colleagues will read reasons to customers. Do points add up, point the way the catalogue
# expects, stay from week to week, and survive that features tell the same story twice? Then one account told in full,
# and what no explanation says. Reasons are made by the model itself, as the service makes them. Nothing is written.
#
# It needs a home with a trained model: `make demo SERVE=0`, or `pulse ingest`, `pulse build` and `pulse train` on your
# own data. The home is `PULSE_HOME`, by default `../.pulse`. Open this file in VS Code, or in JupyterLab with jupytext.

# %%
import os

import altair as alt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from features.catalogue import Style, feature_named
from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.settings import HOME_VARIABLE, Home
from features.store import FeatureStore
from features.vocabulary import CohortStatus, Phase, Subcategory
from training import promotions
from training.model import OFFSET_OWNERS, load_bundle

REVIEW = None  # a version such as "3"; None: the live one, or the newest while none is live
WEEKS = 9  # newest snapshots that are explained
REASONS = 3  # strongest reasons that a person reads
CALM = 3.0  # points; health that moved by less is called unmoved, as in the gate `steady_reasons`
SISTERS = 0.7  # absolute rank correlation from which two features tell nearly the same story
SEED = 7
PARTS = [str(part) for part in Subcategory]
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


# %%
home = Home.from_environment({HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or "../.pulse"})
live = promotions.current(home)
made = sorted((folder.name for folder in home.bundles.glob("[0-9]*")), key=int) if home.bundles.exists() else []
version = REVIEW or (live.version if live else None) or (made[-1] if made else None)
if version is None:
    promotions.require_current(home)  # MissingStateError says what to run first
if version not in made:
    raise MissingStateError(
        f"version {version} is not here",
        expected=f"one of the trained versions: {', '.join(made) or 'none'}",
        found=version,
        todo="run `pulse train --as-of DATE`, or name a version of `pulse models`",
    )
bundle = load_bundle(home.bundles / version)
weeks = built_as_ofs(home)[-WEEKS:]
cohort = read_cohort(home, weeks)  # MissingStateError says what to run where nothing is built
newest = weeks[-1]
cohort = cohort[cohort["cohort_status"] == CohortStatus.AT_RISK]
features = FeatureStore(home).historical(cohort[["account_id", "as_of"]].reset_index(drop=True))
if features.empty:
    raise MissingStateError(
        "there is nobody to explain",
        expected="accounts at risk in the newest snapshots",
        found="none",
        todo="build newer weeks with `pulse build`",
    )
scores, points = bundle.score(features), bundle.feature_points(features)
owner = dict(zip(bundle.features, bundle.subcategories, strict=True))
used = [name for name in bundle.model_features if points[name].abs().max() > 0]
say(
    f"Version **{version}** explained {len(scores):,} scores: {features['account_id'].nunique():,} accounts at risk in "
    f"{len(weeks)} weeks, {weeks[0]:%d %b %Y} to {newest:%d %b %Y}. {len(used)} of {len(bundle.model_features)} "
    "features "
    "move any of them."
)

# %% [markdown]
# ## 1. Do the points add up?
#
# Base plus the points of the parts is the health score before it is cut at 0 and 100; the points of the features of a
# part are the points of the part. Not roughly: to the last digits, for every account. Else the reasons are of another
# model.

# %%
part_points = scores[[f"points_{part}" for part in PARTS]].set_axis(PARTS, axis=1)
whole = scores["base_points"] + part_points.sum(axis=1) + scores["clip_adjust"] + scores["shrink_adjust"]
of_features = points.T.groupby(owner).sum().T.reindex(columns=PARTS, fill_value=0.0)
offsets = bundle.offset_points(features)
for name, part in OFFSET_OWNERS.items():  # what the calibration adds for an account's segment and campaign phase
    of_features[str(part)] += offsets[name].to_numpy()
errors = {
    "health = base + parts + adjustments": (whole - scores["health"]).abs(),
    "part = its features + calibration": (part_points - of_features).abs().max(axis=1),
}
display(
    pd.DataFrame(
        {"identity": name, "scores": len(error), "largest error, points": error.max()} for name, error in errors.items()
    )
    .style.format({"scores": "{:,}", "largest error, points": "{:.1e}"})
    .hide(axis="index")
)
adjusted = {"shrunk for want of data": scores["shrink_adjust"], "cut at 0 or 100": scores["clip_adjust"]}
say(
    f"Largest error over {len(scores):,} scores: **{max(error.max() for error in errors.values()):.1e}** points. "
    + "; ".join(
        f"{name}: {change.ne(0).mean():.1%} of the scores, by up to {change.abs().max():.1f} points"
        for name, change in adjusted.items()
    )
    + ". Both stand beside the parts in every explanation."
)

# %% [markdown]
# ## 2. Do reasons point the way one would expect?
#
# The catalogue says of each feature whether more of it should go with more churn. So a value above what is usual for
# the phase and segment should cost points, or give them. Here the three strongest reasons of each account, as people
# read them.

# %%
size = points[used].abs().to_numpy()
count = min(REASONS, len(used))
top = np.argsort(-size, axis=1, kind="stable")[:, :count]
strong = pd.DataFrame(
    {
        "row": np.repeat(np.arange(len(points)), count),
        "feature": np.array(used, dtype=object)[top].ravel(),
        "points": np.take_along_axis(points[used].to_numpy(), top, axis=1).ravel(),
    }
)
values = features[used].astype(float)
usual = bundle.expected(features)[used].astype(float)
column = strong["feature"].map({name: place for place, name in enumerate(used)}).to_numpy(int)
actual = values.to_numpy()[strong["row"], column]
strong["gap"] = np.sign(actual - usual.to_numpy()[strong["row"], column])
strong["direction"] = strong["feature"].map({name: feature_named(name).direction for name in used}).astype(int)
strong["part"] = strong["feature"].map(owner).astype(str)
way = -strong["direction"] * strong["gap"]  # above 0: points should be above 0
ANSWERS = ["as expected", "against expectation", "value is usual", "value not known", "nothing was expected"]
strong["answer"] = np.select(
    [strong["direction"] == 0, np.isnan(actual), way.isna() | (way == 0), way * np.sign(strong["points"]) > 0],
    [ANSWERS[4], ANSWERS[3], ANSWERS[2], ANSWERS[0]],
    ANSWERS[1],
)
found = strong.groupby(["part", "answer"]).size().rename("reasons").reset_index()
found["place"] = found["answer"].map(ANSWERS.index)
if found.empty:
    say("No feature moves the score, so there is no reason to judge.")
else:
    display(
        alt.Chart(found)
        .mark_bar()
        .encode(
            x=alt.X("reasons:Q", title=f"reasons among the {count} strongest"),
            y=alt.Y("part:N", sort=PARTS, title=None),
            color=alt.Color(
                "answer:N",
                sort=ANSWERS,
                title=None,
                scale=alt.Scale(domain=ANSWERS, range=[BLUE, ORANGE, PALE, GREY, "#e4e7eb"]),
            ),
            order=alt.Order("place:Q"),
        )
        .properties(width=480, height=180, title="Which way the strongest reasons point")
    )
    judged = strong[strong["answer"].isin(ANSWERS[:2])]
    agreed = (judged["answer"] == ANSWERS[0]).mean() if len(judged) else np.nan
    held = [name for name in used if feature_named(name).monotone]
    directed = [name for name in used if feature_named(name).direction]
    say(
        f"Of {len(judged):,} strong reasons with a value off the usual and a direction, **{agreed:.0%}** point the way "
        f"the catalogue expects (a coin: 50 %). {len(held)} of the {len(directed)} directed features are held to their "
        f"direction in training; even so a reason can seem to point the other way, for points compare with the whole "
        "reference portfolio and *usual* with the account's own phase and segment."
    )
    against = (
        judged[judged["answer"] == ANSWERS[1]].groupby("feature").agg(n=("points", "size"), mean=("points", "mean"))
    )
    against["share"] = against["n"] / judged.groupby("feature").size().reindex(against.index)
    against = against.nlargest(5, "n").reset_index()
    if len(against):
        display(
            pd.DataFrame(
                {
                    "feature": [f"{feature_named(name).label} ({name})" for name in against["feature"]],
                    "strong reasons against": against["n"],
                    "of its strong reasons": against["share"],
                    "mean points then": against["mean"],
                }
            )
            .style.format({"of its strong reasons": "{:.0%}", "mean points then": "{:+.1f}"})
            .hide(axis="index")
            .set_caption("Where to look first")
        )

# %% [markdown]
# ## 3. Do reasons stay from week to week?
#
# A customer who did not change should hear the same reasons as last week. For each account: how many of the strongest
# reasons of one week are among the strongest of the next? Two accounts drawn at random share some reasons, too: that is
# the line to beat.

# %%
names_of = strong.groupby("row")["feature"].agg(frozenset)
lead = pd.Series(part_points.abs().to_numpy().argmax(axis=1)).map(dict(enumerate(PARTS)))
told = pd.DataFrame(
    {
        "account_id": features["account_id"],
        "as_of": features["as_of"],
        "health": scores["health"].to_numpy(),
        "reasons": names_of.reindex(range(len(features))).to_numpy(),
        "lead": lead.to_numpy(),
    }
).sort_values(["account_id", "as_of"])
following = told.groupby("account_id").shift(-1)
pairs = told.join(following, rsuffix="_next").dropna(subset=["as_of_next", "reasons", "reasons_next"])
rng = np.random.default_rng(SEED)
if pairs.empty:
    say("There is only one week, or no reason, so nothing can stay or go.")
else:
    kept = [len(one & two) / count for one, two in zip(pairs["reasons"], pairs["reasons_next"], strict=True)]
    other = pairs["reasons_next"].to_numpy()[rng.permutation(len(pairs))]
    pairs["reasons kept"] = kept
    pairs["by another account"] = [len(one & two) / count for one, two in zip(pairs["reasons"], other, strict=True)]
    pairs["leading part kept"] = (pairs["lead"] == pairs["lead_next"]).astype(float)
    calm = (pairs["health"] - pairs["health_next"]).abs() < CALM
    KINDS = ["leading part kept", "reasons kept", "by another account"]
    by_week = pairs[calm].groupby("as_of_next")[KINDS].mean().rename_axis("week").reset_index().melt("week")
    if by_week.empty:
        say(f"No health score moved by less than {CALM:.0f} points, so there is no calm account to follow.")
    else:
        display(
            alt.Chart(by_week)
            .mark_line(point=True, strokeWidth=2.5)
            .encode(
                x=alt.X("yearmonthdate(week):O", title=None, axis=alt.Axis(format="%d %b", labelAngle=0)),
                y=alt.Y("value:Q", title="kept", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
                color=alt.Color(
                    "variable:N", sort=KINDS, title=None, scale=alt.Scale(domain=KINDS, range=[PALE, BLUE, GREY])
                ),
            )
            .properties(
                width=520, height=200, title=f"What stays where health moved by less than {CALM:.0f} points in a week"
            )
        )
    moved = pairs[~calm]["reasons kept"].mean()
    say(
        f"Where health moved by less than {CALM:.0f} points **{pairs[calm]['reasons kept'].mean():.0%}** of the "
        "reasons "
        f"stay for a week and {pairs[calm]['leading part kept'].mean():.0%} of the leading parts; another account "
        "would "
        f"share {pairs['by another account'].mean():.0%} of the reasons. "
        + (f"Where health moved more, {moved:.0%} stay." if (~calm).any() else "No health moved more.")
    )

# %% [markdown]
# ## 4. When two features tell the same story
#
# Trees may take either of two sisters, so the split of points between them is an accident of training. Within a part
# that is harmless, for the part's points hold their sum; between parts it moves blame from one subject to another.

# %%
rho = values.rank().corr(min_periods=200)
above = np.triu(np.ones(rho.shape, dtype=bool), 1)
alike = rho.where(above).rename_axis(index="one", columns="other").stack().rename("rho").reset_index()
alike = alike[alike["rho"].abs() >= SISTERS].copy()
weight = points[used].abs().mean().sort_values(ascending=False)
alike["where"] = [
    "within a part" if owner[one] == owner[two] else "between parts"
    for one, two in zip(alike["one"], alike["other"], strict=True)
]
inside = {*alike.loc[alike["where"] == "within a part", ["one", "other"]].to_numpy().ravel()}
across = {*alike.loc[alike["where"] == "between parts", ["one", "other"]].to_numpy().ravel()}
STANDS = ["no sister", "a sister in its part", "a sister in another part"]
stands = pd.DataFrame({"feature": weight.index, "points": weight.to_numpy()})
stands["part"] = [str(owner[name]) for name in stands["feature"]]
stands["sister"] = [STANDS[2] if n in across else STANDS[1] if n in inside else STANDS[0] for n in stands["feature"]]
sums = stands.groupby(["part", "sister"])["points"].sum().reset_index()
if sums.empty:
    say("No feature moves the score, so no two can share its points.")
else:
    display(
        alt.Chart(sums)
        .mark_bar()
        .encode(
            x=alt.X("points:Q", title="mean size of points, summed over features"),
            y=alt.Y("part:N", sort=PARTS, title=None),
            color=alt.Color(
                "sister:N", sort=STANDS, title=None, scale=alt.Scale(domain=STANDS, range=[BLUE, PALE, ORANGE])
            ),
        )
        .properties(width=480, height=180, title=f"Points by whether a feature has a sister (|rho| from {SISTERS})")
    )
    share = stands.groupby("sister")["points"].sum().reindex(STANDS, fill_value=0.0) / stands["points"].sum()
    say(
        f"{len(alike)} pairs of used features are sisters: {(alike['where'] == 'within a part').sum()} within a part "
        "and "
        f"{(alike['where'] == 'between parts').sum()} between parts. Of all points **{share[STANDS[1]]:.0%}** belong "
        "to "
        f"features with a sister in their own part only, **{share[STANDS[2]]:.0%}** to features with one in another "
        "part."
    )
heavy = alike.assign(points=[weight[one] + weight[two] for one, two in zip(alike["one"], alike["other"], strict=True)])
heavy = heavy.nlargest(8, "points")
if len(heavy):
    display(
        pd.DataFrame(
            {
                "one": [feature_named(name).label for name in heavy["one"]],
                "other": [feature_named(name).label for name in heavy["other"]],
                "where": heavy["where"],
                "rho of values": heavy["rho"],
                "rho of points": [
                    points[one].corr(points[two], method="spearman")
                    for one, two in zip(heavy["one"], heavy["other"], strict=True)
                ],
                "points of one": [weight[name] for name in heavy["one"]],
                "points of other": [weight[name] for name in heavy["other"]],
            }
        )
        .style.format(
            {
                "rho of values": "{:+.2f}",
                "rho of points": "{:+.2f}",
                "points of one": "{:.2f}",
                "points of other": "{:.2f}",
            }
        )
        .hide(axis="index")
        .set_caption("The sisters that weigh most: read them together")
    )

# %% [markdown]
# Does grouping pay? Let the weeks pass: how much do the points of features move, and how much of it is left when they
# are summed up in their part? What cancels was never a change of the customer.

# %%
by_account = told.index  # week after week of the same account
moves = points.loc[by_account, used].groupby(features.loc[by_account, "account_id"]).diff()
of_parts = part_points.loc[by_account].groupby(features.loc[by_account, "account_id"]).diff()
rows = []
for part in PARTS:
    mine = [name for name in used if str(owner[name]) == part]
    loose = moves[mine].abs().sum(axis=1, min_count=1).mean()
    if mine and loose > 0:
        rows += [
            {"part": part, "what": "its features, one by one", "points": loose},
            {"part": part, "what": "the part", "points": of_parts[part].abs().mean()},
        ]
calmer = pd.DataFrame(rows)
if calmer.empty:
    say("No points moved from one week to the next.")
else:
    display(
        alt.Chart(calmer)
        .mark_bar()
        .encode(
            x=alt.X("points:Q", title="mean movement per week, points"),
            y=alt.Y("part:N", sort=PARTS, title=None),
            yOffset=alt.YOffset("what:N"),
            color=alt.Color("what:N", title=None, scale=alt.Scale(range=[GREY, BLUE]), legend=alt.Legend(orient="top")),
        )
        .properties(width=480, height=220, title="Movement of points from week to week")
    )
    both = calmer.groupby("what")["points"].sum()
    say(
        f"Features move by {both['its features, one by one']:.1f} points a week in all, parts by "
        f"{both['the part']:.1f}: "
        f"{1 - both['the part'] / both['its features, one by one']:.0%} of the movement cancels within parts (a part "
        "also moves with the phase that calibration knows)."
    )

# %% [markdown]
# ## 5. Points by campaign phase
#
# If everybody lost points after a campaign, the score would be afraid of the season. Mean points of the parts by phase;
# what calibration adds for the phase is inside `campaign`.

# %%
by_phase = part_points.assign(phase=scores["phase"].to_numpy()).groupby("phase").mean()
phases = [str(phase) for phase in Phase if phase in by_phase.index]
tiles = by_phase.rename_axis(columns="part").stack().rename("points").reset_index()
pale = 2 * max(1.0, float(tiles["points"].abs().max()))  # light enough for the numbers on top
base = alt.Chart(tiles).encode(
    x=alt.X("part:N", sort=PARTS, title=None, axis=alt.Axis(labelAngle=0, orient="top")),
    y=alt.Y("phase:N", sort=phases, title=None),
)
diverging = alt.Scale(scheme="brownbluegreen", domain=[-pale, pale])
display(
    (
        base.mark_rect().encode(color=alt.Color("points:Q", legend=None, scale=diverging))
        + base.mark_text(fontSize=12).encode(text=alt.Text("points:Q", format="+.1f"))
    ).properties(width=620, height=38 * len(phases), title="Mean points per phase")
)
level = scores.groupby("phase")["health"].agg(["mean", "size"]).reindex(phases)
say(
    "Mean health by phase: "
    + ", ".join(f"{phase} {level.loc[phase, 'mean']:.1f} ({level.loc[phase, 'size']:,} scores)" for phase in phases)
    + "."
    + ("" if len(phases) > 1 else " Only one phase occurs in these weeks, so nothing can be compared.")
)

# %% [markdown]
# ## 6. One account told in full
#
# The account at risk whose health changed most over these weeks, of those about which enough is known.


# %%
def written(name: str, value: float) -> str:
    """A value in the unit that people read: logarithms of ratios as a change in percent."""
    if pd.isna(value):
        return "not known"
    style = feature_named(name).style
    if style in {Style.LOG_RATIO, Style.LOG_CHANGE}:
        return f"{np.expm1(value):+z.0%}"
    return f"{value:.0%}" if style is Style.SHARE else f"{value:.3g}"


shown = pd.DataFrame({"account_id": features["account_id"], "as_of": features["as_of"]})
shown["health"], shown["known"] = scores["health"].to_numpy(), (scores["grade"] != "D").to_numpy()
life = (
    shown.sort_values("as_of")
    .groupby("account_id")
    .agg(first=("health", "first"), last=("health", "last"), seen=("as_of", "max"), known=("known", "all"))
)
there = life[(life["seen"] == newest)]
there = there[there["known"]] if there["known"].any() else there
one = (there["last"] - there["first"]).abs().idxmax()
mine = shown.index[shown["account_id"] == one]
history = (
    part_points.loc[mine].assign(week=features.loc[mine, "as_of"]).melt("week", var_name="part", value_name="points")
)
line = alt.Chart(shown.loc[mine]).encode(x=alt.X("yearmonthdate(as_of):O", title=None, axis=None))
stack = alt.Chart(history).encode(
    x=alt.X("yearmonthdate(week):O", title=None, axis=alt.Axis(format="%d %b", labelAngle=0)),
    y=alt.Y("points:Q", title="points"),
    color=alt.Color("part:N", sort=PARTS, title=None, scale=alt.Scale(domain=PARTS, scheme="tableau10")),
)
span = alt.Scale(domain=[0, 100])
display(
    alt.vconcat(
        line.mark_line(point=alt.OverlayMarkDef(color="#1f2933"), color="#1f2933", strokeWidth=2.5)
        .encode(y=alt.Y("health:Q", scale=span))
        .properties(width=520, height=90),
        stack.mark_bar().properties(width=520, height=170),
        title=f"{one}: health, and the points it is made of",
        spacing=6,
    )
)

# %%
begin, end = mine[features.loc[mine, "as_of"].argmin()], mine[features.loc[mine, "as_of"].argmax()]
change = scores.loc[end, "health"] - scores.loc[begin, "health"]
by_part = (part_points.loc[end] - part_points.loc[begin]).sort_values()
rest_of_it = (
    scores.loc[end, ["shrink_adjust", "clip_adjust"]].sum() - scores.loc[begin, ["shrink_adjust", "clip_adjust"]].sum()
)
say(
    f"Between {features.loc[begin, 'as_of']:%d %b %Y} and {newest:%d %b %Y} its health went from "
    f"{scores.loc[begin, 'health']:.0f} to **{scores.loc[end, 'health']:.0f}** ({change:+.1f}), phase "
    f"{scores.loc[begin, 'phase']} to {scores.loc[end, 'phase']}. By part: "
    + ", ".join(f"{part} {moved:+.1f}" for part, moved in by_part.items())
    + f"; adjustments {rest_of_it:+.1f}."
)
gone = (points.loc[end, used] - points.loc[begin, used]).sort_values(key=lambda row: -row.abs()).head(8)
display(
    pd.DataFrame(
        {
            "feature": feature_named(name).label,
            "then": written(name, values.loc[begin, name]),
            "now": written(name, values.loc[end, name]),
            "usual now": written(name, usual.loc[end, name]),
            "points then": points.loc[begin, name],
            "points now": points.loc[end, name],
            "change": moved,
        }
        for name, moved in gone.items()
    )
    .style.format({"points then": "{:+.1f}", "points now": "{:+.1f}", "change": "{:+.1f}"})
    .hide(axis="index")
    .set_caption("What changed most; usual = median of accounts in its phase and segment")
)
told_now = points.loc[end, used].sort_values(key=lambda row: -row.abs()).head(REASONS)
say(
    "Its strongest reasons today, in the catalogue's words:\n"
    + "\n".join(
        f"- {moved:+.1f} points: "
        + (
            f"{feature_named(name).label} is not known: {feature_named(name).null}."
            if pd.isna(values.loc[end, name])
            else feature_named(name).sentence.format(
                actual=written(name, values.loc[end, name]), expected=written(name, usual.loc[end, name])
            )
        )
        for name, moved in told_now.items()
    )
)

# %% [markdown]
# ## 7. Points are no forecast of a lever
#
# Take each account's strongest reason, put its value to what is usual, leave all else, and score again. If points were
# levers, health would move by minus the points. What moves is the *model*; whether the customer would is another
# matter.

# %%
now = features.index[features["as_of"] == newest]
sample = pd.Index(pd.Series(now).sample(min(200, len(now)), random_state=SEED).sort_values())
if not used:
    say("No feature moves the score: there is no lever to pull.")
else:
    lever = [used[place] for place in size[sample].argmax(axis=1)]
    put = features.loc[sample].copy()
    put[used] = put[used].astype(float)
    for row, name in zip(sample, lever, strict=True):
        put.loc[row, name] = usual.loc[row, name]
    again = bundle.score(put)["health"].to_numpy() - scores.loc[sample, "health"].to_numpy()
    pulled = pd.DataFrame(
        {
            "points": [points.loc[row, name] for row, name in zip(sample, lever, strict=True)],
            "moved": again,
            "part": [str(owner[name]) for name in lever],
        }
    )
    reach = float(pulled[["points", "moved"]].abs().max().max()) * 1.05
    ideal = alt.Chart(pd.DataFrame({"x": [-reach, reach], "y": [reach, -reach]}))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    display(
        (
            ideal.mark_line(color=GREY, strokeDash=[4, 4]).encode(x="x:Q", y="y:Q")
            + alt.Chart(pulled)
            .mark_circle(size=45, opacity=0.7)
            .encode(
                x=alt.X("points:Q", title="points of the strongest reason", scale=scale),
                y=alt.Y("moved:Q", title="health moves by", scale=scale),
                color=alt.Color("part:N", sort=PARTS, scale=alt.Scale(domain=PARTS, scheme="tableau10")),
            )
        ).properties(
            width=300,
            height=260,
            title=alt.Title("The strongest reason put right", subtitle="dashed: if points were levers"),
        )
    )
    backwards = ((pulled["moved"] * pulled["points"]) > 0).mean()
    ratio = (-pulled["moved"] / pulled["points"].replace(0, np.nan)).median()
    say(
        f"Over {len(pulled)} accounts health moves by **{ratio:.0%}** of the points at the median, and in "
        f"{backwards:.0%} of "
        "them the wrong way. `pulse` answers such questions with its own what-if, under limits; not by adding points."
    )

# %% [markdown]
# ## 8. What an explanation does not say

# %%
limits = {
    "Causes": "Points share out an estimate. They say what moved the number, never what made the customer unhappy.",
    "What to do": "A reason that can be changed need not be worth changing; a trial says that (`06_replay_trial`).",
    "Which sister": "Of two features that tell one story either may be named. Read the part first, then its features.",
    "Compared with whom": "0 points is the mean of the frozen reference portfolio, not of today's accounts.",
    "How": (
        "Path-dependent TreeSHAP: where values occur together in the training data, points follow those paths. Another "
        "flavour shares out the same score differently."
    ),
    "Timing": "The reasons explain health. What the date of a decision adds to the risk is not among them.",
}
thin = (scores["grade"] == "D").mean()
limits["Little data"] = (
    f"{thin:.0%} of these scores have grade D: reasons are shown, and should not be acted upon alone."
)
say("\n".join(f"- **{title}.** {limit}" for title, limit in limits.items()))
