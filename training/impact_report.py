"""What is told, and kept, about the effect of acting?

Input: an :class:`Impact`. Output: lines for people, a page and a JSON document. Nothing is computed here.
"""

from __future__ import annotations

from pathlib import Path

from features.settings import Home
from training.acting import TITLES, Impact
from training.evaluation_parts import Estimate
from training.impact import Effect
from training.report import environment

_GOOD = {"lower": "less in the worked arm", "higher": "more in the worked arm"}


def change_told(change: Estimate) -> str:
    """``-13% (-21% to -4%)``, or why there is none."""
    if change.value is None:
        return "not known"
    if change.low is None or change.high is None:
        return f"{change.value:+.0%} (no interval)"
    return f"{change.value:+.0%} ({change.low:+.0%} to {change.high:+.0%})"


def level_told(effect: Effect, level: float | None) -> str:
    """A level in its unit: shares and growth in percent."""
    if level is None:
        return "not known"
    return f"{level:.1f}" if effect.unit.startswith("per ") else f"{level:.1%}"


def sentence(effect: Effect) -> str:
    """One effect in a sentence."""
    levels = f"{level_told(effect, effect.worked)} against {level_told(effect, effect.held_out)}"
    return f"{effect.title} ({effect.unit}): {levels}, {change_told(effect.change)}: {effect.words}"


def headline(found: Impact) -> str:
    """The finding in one sentence: that of the first effect, or of before and after where there are no arms."""
    if found.effects:
        return f"{found.effects[0].title.capitalize()}: {found.effects[0].words}"
    return found.trend.words.capitalize() if found.trend else "Nothing can be told"


def is_good(found: Impact) -> bool:
    """Did the first effect go where one hopes it goes, beyond luck?"""
    return bool(found.effects) and found.effects[0].words == _GOOD.get(found.effects[0].better)


def lines(found: Impact) -> list[str]:
    """The answer in words."""
    arms = ", ".join(f"{name} {count}" for name, count in found.arms.items()) or "none on record"
    told = [f"{TITLES[found.question]} {found.alerts} alerts since {found.since:%Y-%m-%d}; accounts per arm: {arms}"]
    told += [f"  {sentence(effect)}" for effect in found.effects]
    if found.trend is not None:
        told.append(f"  {found.trend.words}; {change_told(found.trend.change)}")
    return [*told, *(f"note: {note}" for note in found.notes)]


def store(home: Home, found: Impact) -> Path:
    """Write page and document under the reports; the page's path."""
    from training.impact_plots import impact_pictures  # noqa: PLC0415  drawing libraries take seconds to import

    folder = home.reports / "impact"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{found.question}.json").write_text(found.model_dump_json(indent=1))
    written = folder / f"{found.question}.html"
    page = environment().get_template("impact.html")
    written.write_text(
        page.render(
            found=found,
            title=TITLES[found.question],
            headline=headline(found),
            good=is_good(found),
            pictures=impact_pictures(found),
            change_told=change_told,
            level_told=level_told,
        )
    )
    return written
