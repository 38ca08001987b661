"""What does the health score rest on, over many accounts?

Input grain: one row per (account, as_of) with health points per model feature. Output: PNG pictures whose titles state
the finding. The only file that speaks to shap.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import feature_named
from training.figure import Picture
from training.findings import listed
from training.plots import BLUE, as_png, blank_figure, styled

with warnings.catch_warnings():
    # shap builds its colour map in a way that this matplotlib will retire one day.
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import shap

_BEESWARM_FEATURES = 15
_DEPENDENCE_PLOTS = 3


def explanation_pictures(points: pd.DataFrame, values: pd.DataFrame) -> tuple[Picture, ...]:
    """What the health score rests on: points per subcategory, a beeswarm, and the three strongest features.

    ``points``: health points per row and model feature (above 0 = healthier), columns are catalogue names. ``values``:
    the feature values of the same rows. Both come from the model bundle, which adds its points up; nothing is fitted
    here.
    """
    names = list(points.columns)
    told = shap.Explanation(
        values=points.to_numpy(np.float64),
        base_values=np.zeros(len(points)),
        data=values[names].to_numpy(np.float64, na_value=np.nan),
        feature_names=[feature_named(name).label for name in names],
    )
    order = np.argsort(-np.abs(told.values).mean(axis=0), kind="stable").tolist()
    strongest = order[:_DEPENDENCE_PLOTS]
    units = [feature_named(names[column]).unit for column in strongest]
    with styled():
        return _subcategories(points), _beeswarm(told, order), _dependence(told, strongest, units)


def _subcategories(points: pd.DataFrame) -> Picture:
    kinds = [feature_named(str(name)).subcategory.value.replace("_", " ") for name in points.columns]
    by_kind = points.T.groupby(kinds).sum().T.abs().mean().sort_values(kind="stable")
    names, widths = [str(name) for name in by_kind.index], by_kind.tolist()
    title = f"{names[-1].capitalize()} moves health most: {widths[-1]:.1f} points on average"
    figure = blank_figure(title, (8, 1.4 + 0.42 * len(names)))
    axes = figure.subplots()
    axes.barh(names, widths, color=BLUE, height=0.6)
    for place, width in enumerate(widths):
        axes.annotate(f"{width:.1f}", (width, place), xytext=(4, 0), textcoords="offset points", va="center")
    axes.margins(x=0.1)
    axes.set_xlabel("mean size of the contribution to health, points of 100")
    axes.grid(axis="y", visible=False)
    told = [f"{name} {width:.1f}" for name, width in zip(names[::-1], widths[::-1], strict=True)]
    return Picture(
        name="subcategories",
        title=title,
        caption="Points within a subcategory are added up per account first. They contribute to the estimate; they are "
        "not causes.",
        alt=f"Mean absolute health points by subcategory: {'; '.join(told)}.",
        png=as_png(figure),
    )


def _beeswarm(told: Any, order: Sequence[int]) -> Picture:
    strongest = listed([told.feature_names[column] for column in order[:3]])
    title = f"Strongest single features: {strongest}"
    shown = min(_BEESWARM_FEATURES, len(order))
    figure = blank_figure(title, (9, 1.8 + 0.34 * shown))
    axes = figure.subplots()
    shap.plots.beeswarm(
        told, ax=axes, max_display=shown, plot_size=None, show=False, s=9, group_remaining_features=False
    )
    axes.tick_params(labelsize=10)
    axes.set_xlabel("health points (right = healthier)", fontsize=10.5)
    return Picture(
        name="beeswarm",
        title=title,
        caption="One dot is one account at one date; its colour is the value of the feature, grey where it has none.",
        alt=f"Beeswarm of health points by feature. Strongest in the mean: {strongest}.",
        png=as_png(figure),
    )


def _dependence(told: Any, columns: Sequence[int], units: Sequence[str]) -> Picture:
    names = [str(told.feature_names[column]) for column in columns]
    title = "How health points follow the strongest features"
    figure = blank_figure(title, (3.5 * len(names), 3.9))
    panels = np.atleast_1d(figure.subplots(1, len(names)))
    for axes, column, name, unit in zip(panels, columns, names, units, strict=True):
        shap.plots.scatter(told[:, int(column)], ax=axes, color=BLUE, dot_size=9, alpha=0.5, show=False)
        axes.set_xlabel("\n".join(textwrap.wrap(f"{name} ({unit})", 34)), fontsize=10.5)
        axes.set_ylabel("health points", fontsize=10.5)
        axes.tick_params(labelsize=9.5)
    return Picture(
        name="dependence",
        title=title,
        caption="Grey bars along the bottom show where accounts lie; ticks at the left edge have no value.",
        alt=f"Scatter plots of health points against {listed(names)}.",
        png=as_png(figure),
    )
