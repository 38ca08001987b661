"""In which sentences is a comparison told?

Input: the parts of a comparison. Output: short plain text, shared by the command line, the report and the picture. The
interval comes first and the number second: on a usual portfolio a gain of 17 % can be luck (domain 6.8).
"""

from __future__ import annotations

from collections.abc import Mapping

from training.experiment import SLICES, ArmFacts, Comparison, Contrast, Metric, Slice, SliceComparison

AWARE, BLIND = "full", "phase_blind"

NO_CAMPAIGN_EFFECT = "No campaign effect found"

_DIGITS: dict[Metric, int] = {"auc": 3, "log_loss": 4, "ap": 0}
_OF: dict[Metric, str] = {"ap": "average precision", "auc": "AUC", "log_loss": "log-loss"}

Slices = Mapping[Slice, SliceComparison]


def findings(first: str, arms: Mapping[str, ArmFacts], slices: Slices, truth: Slices | None) -> tuple[str, ...]:
    """One finding per arm compared with, where decisions are due; and per arm one graded with true chances.

    Average precision there is the one number asked about; the others are for reading, not for picking the best of.
    """
    told = []
    for other in list(arms)[1:]:
        told.append(_finding(first, other, arms, slices))
        if truth is not None:
            told.append(_graded(first, other, arms, truth))
    return tuple(told)


def gain_told(contrast: Contrast, metric: Metric) -> str:
    """``+3 % (-8 % to +14 %)`` for average precision, ``+0.012 (-0.004 to +0.028)`` for a difference."""
    gain = contrast.gain
    if gain.value is None:
        return f"not known: {gain.reason}"
    value = signed(gain.value, metric)
    if gain.low is None or gain.high is None:
        return f"{value} (no interval: {gain.reason})"
    return f"{value} ({signed(gain.low, metric)} to {signed(gain.high, metric)})"


def signed(value: float, metric: Metric) -> str:
    """A gain with its sign."""
    return f"{value:+z.0%}".replace("%", " %") if metric == "ap" else f"{value:+z.{_DIGITS[metric]}f}"


def power_told(contrast: Contrast, part: SliceComparison, metric: Metric) -> str:
    """What these rows could have shown, and how many leavers the effect asked for would need."""
    if contrast.least_detectable is None:
        return "What these rows could have shown is not known."
    least = f"A true gain of {signed(contrast.least_detectable, metric)} or more is found in four of five such samples"
    if "underpowered" not in contrast.words:
        return f"{least}; {signed(contrast.effect, metric)} was asked for."
    wide = (contrast.gain.high or 0.0) - (contrast.gain.low or 0.0)
    told = f"Underpowered: the interval is {signed(wide, metric)[1:]} wide, the effect asked for is "
    told += f"{signed(contrast.effect, metric)}. {least}"
    if contrast.leavers_needed is None:
        return f"{told}."
    return f"{told}; the effect asked for needs about {contrast.leavers_needed:,} leavers, there are {part.leavers}."


def lines(comparison: Comparison) -> list[str]:
    """The comparison for a terminal."""
    told = [
        f"{comparison.title}: {comparison.rows:,} identical rows of {comparison.accounts:,} accounts",
        f"untouched snapshots {comparison.first_as_of:%Y-%m-%d} to {comparison.last_as_of:%Y-%m-%d}",
    ]
    graded: list[tuple[str, Slices]] = [("by outcomes", comparison.slices)]
    if comparison.truth is not None:
        graded.append(("with true chances", comparison.truth))
    for how, slices in graded:
        for name, part in slices.items():
            told += [f"{SLICES[name]}, graded {how}:", *_table(comparison, part)]
    trial = trial_told(comparison)
    return [*told, *([trial] if trial else []), *comparison.findings]


def trial_told(comparison: Comparison) -> str:
    """What a trial on these accounts could show; empty where the rate is not known."""
    part = comparison.slices["pooled"]
    if part.base_rate is None:
        return ""
    rate = f"Base rate {part.base_rate:.1%} over {comparison.plan.headline_days} days, {comparison.accounts:,} accounts"
    if comparison.least_relative_fall is None:
        return f"{rate}: a trial that splits them in two halves could not even show that nobody leaves any more."
    return (
        f"{rate}: a trial that splits them in two halves could show a relative fall of "
        f"{comparison.least_relative_fall:.0%} or more (80 % power, 5 % two-sided)."
    )


def _table(comparison: Comparison, part: SliceComparison) -> list[str]:
    rows = []
    for arm, figures in part.arms.items():
        values = " ".join(
            f"{'-' if estimate.value is None else format(estimate.value, f'.{digits}f'):>8}"
            for estimate, digits in ((figures.ap, 3), (figures.auc, 3), (figures.log_loss, 4))
        )
        against = part.contrasts.get(arm)
        ahead = f"  {gain_told(against['ap'], 'ap')} [{', '.join(against['ap'].words)}]" if against else ""
        rows.append(f"  {comparison.arms[arm].title:<36}{values}{ahead}")
    return [f"  {'':<36}{'AP':>8} {'AUC':>8} {'log-loss':>8}  gain in AP of {comparison.first_arm} over it", *rows]


def _finding(first: str, other: str, arms: Mapping[str, ArmFacts], slices: Slices) -> str:
    part = slices["window"]
    contrast = part.contrasts[other]["ap"]
    told = gain_told(contrast, "ap")
    where = f"in {_OF['ap']} among {SLICES['window']}"
    power = power_told(contrast, part, "ap")
    about_phase = first == AWARE and other == BLIND
    if "undefined" in contrast.words:
        return f"{arms[first].title} against {arms[other].title}: {told}."
    if "no difference shown" in contrast.words:
        opening = (
            f"{NO_CAMPAIGN_EFFECT}: knowing campaign phases changes" if about_phase else _neither(first, other, arms)
        )
        verb = " risk ranking by" if about_phase else ""
        return f"{opening}{verb} {told} {where}, an interval that covers 0. {power}"
    better = "better" in contrast.words
    if about_phase:
        opening = "Knowing campaign phases helps" if better else "Knowing campaign phases hurts"
    else:
        opening = f"{arms[first].title} is {'ahead of' if better else 'behind'} {arms[other].title}"
    return f"{opening}: {told} {where}, an interval that leaves 0 out. {power}"


def _neither(first: str, other: str, arms: Mapping[str, ArmFacts]) -> str:
    if arms[first].about == arms[other].about:
        return "A/A check, the same arm twice: it differs from itself by"
    return f"No difference shown between {arms[first].title} and {arms[other].title}:"


def _graded(first: str, other: str, arms: Mapping[str, ArmFacts], truth: Slices) -> str:
    contrast = truth["window"].contrasts[other]["ap"]
    told = f"Graded with true chances, {arms[first].title} over {arms[other].title}: {gain_told(contrast, 'ap')}"
    if "undefined" in contrast.words:
        return f"{told}."
    covered = "covers 0" if "no difference shown" in contrast.words else "leaves 0 out"
    if first == AWARE and other == BLIND and covered == "covers 0":
        return f"{told}; the interval {covered}: {NO_CAMPAIGN_EFFECT.lower()} here either."
    return f"{told}; the interval {covered}."
