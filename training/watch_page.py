"""How is a watch over a model told to people?

Input: a :class:`Watch`. Output: one self-contained HTML page, and lines for a terminal.
"""

from __future__ import annotations

from features.catalogue import FEATURES
from features.errors import DriftFound
from training.report import environment
from training.watch_parts import BEFORE, Chart, Visible, Watch
from training.watch_plots import watch_pictures

_LABELS = {feature.name: feature.label for feature in FEATURES}
_SHOWN = 20


def render(found: Watch) -> str:
    """The page."""
    return (
        environment()
        .get_template("watch.html")
        .render(
            watch=found,
            pictures=watch_pictures(found, _LABELS),
            drifted=[(_LABELS.get(one.feature, one.feature), one) for one in found.drifted[:_SHOWN]],
            charts=[(chart, told_ratio(chart)) for chart in found.charts],
            news=told_news(found) if found.findings else "",
            visible=None if found.visible is None else told_visible(found.visible),
        )
    )


def lines(found: Watch) -> list[str]:
    """The finding in a few lines: what to do, why, and the charts that crossed their limit."""
    whole = found.charts[0] if found.charts else None
    said = [f"model version {found.model_version} at {found.as_of:%Y-%m-%d}: {found.advice.step}"]
    said.append(f"  {found.advice.sentence}")
    said += [f"suspicion: {one.cause}: {one.sentence}" for one in found.suspicions]
    said += [f"alarm: {chart.group}: {told_ratio(chart)}" for chart in found.alarmed]
    if found.findings:
        said.append(told_news(found))
    if whole is None:
        said.append("no snapshot has final labels yet: whether risks come true cannot be said")
    elif whole.crossed is None:
        said.append(f"{whole.group}: {told_ratio(whole)}; no alarm in {len(whole.periods)} snapshots")
    if found.visible is not None:
        said.append(told_visible(found.visible))
    if found.early is not None:
        said.append(
            f"not final yet: {found.early.known} known to leave of {found.early.stated:.1f} stated "
            f"in {found.early.snapshots} snapshots"
        )
    said.append(f"{len(found.drifted)} of {len(found.features)} features moved since the same phases a year ago")
    return said


def told_news(found: Watch) -> str:
    """What is new at this look, and what is open since an earlier one."""
    new = ", ".join(one.name for one in found.news) or "nothing"
    known = ", ".join(f"{one.name} (since {one.since:%Y-%m-%d})" for one in found.findings if one not in found.news)
    return f"new: {new}" + (f"; still open: {known}" if known else "")


def told_visible(visible: Visible) -> str:
    """What the charts can see at all."""
    surely = f"within {visible.weeks} weeks with a chance of {visible.chance:.0%}"
    base = f"{visible.monthly:.1f} leavers stated in four weeks"
    if visible.ratio is None:
        return f"smallest rise seen {surely}: none below four times as many; {base} are too few"
    return f"smallest rise seen {surely}: {visible.ratio:.1f} times as many leavers ({base})"


def told_ratio(chart: Chart) -> str:
    """Leavers counted over leavers stated, with the interval."""
    since = f" since {chart.onset:%Y-%m-%d}" if chart.crossed is not None else ""
    asked = "to be expected by the record before" if chart.group == BEFORE and since else "stated"
    counted = f"{chart.observed} left of {chart.expected:.1f} {asked}{since}"
    return counted if chart.ratio is None else f"{counted}, {chart.ratio:.2f} ({chart.low:.2f} to {chart.high:.2f})"


def failure(found: Watch) -> DriftFound | None:
    """For whoever runs this on a schedule: a failure when there is something new to look at, told once."""
    if not found.news:
        return None
    return DriftFound(
        f"model version {found.model_version} needs a look",
        expected="leavers as stated, and features as in the same phases a year ago",
        found="; ".join(str(one.cause) for one in found.suspicions) or ", ".join(one.name for one in found.news),
        todo=found.advice.sentence,
    )
