"""In which sentence is an ablation told? Pure: an :class:`Ablation` in, plain text out."""

from __future__ import annotations

from training.ablation_parts import Ablation, ArmWithout, SeasonLeftOut
from training.evaluation_parts import Estimate
from training.findings import listed, with_interval

_AHEAD, _BEHIND, _UNTOLD = "ahead", "behind", "underpowered"


def part_name(name: str) -> str:
    """The words for a subcategory."""
    return name.replace("_", " ")


def without_told(name: str, arm: ArmWithout) -> str:
    """What losing a part costs, in one sentence."""
    signals, lead = f"Losing {part_name(name)} signals", arm.lead.auc_window
    if lead.value is None or lead.low is None or lead.high is None:
        return f"What losing {part_name(name)} signals costs is not known: {lead.reason}."
    caution = ", though few accounts left" if _UNTOLD in arm.words else ""
    if arm.words.startswith(_AHEAD):
        return f"{signals} costs: AUC falls by {with_interval(lead, 3)}{caution}."
    if arm.words.startswith(_BEHIND):
        gained = with_interval(turned(lead), 3)
        return f"The model ranks better without {part_name(name)} signals: AUC rises by {gained}{caution}."
    if _UNTOLD in arm.words:
        return f"Whether losing {part_name(name)} signals costs anything cannot be told from these data."
    return f"{signals} costs nothing that can be measured; AUC falls by {max(lead.high, 0.0):.3f} at most."


def turned(estimate: Estimate) -> Estimate:
    """The same difference seen from the other side."""
    ends = {"low": estimate.high, "high": estimate.low, "value": estimate.value}
    return estimate.model_copy(update={name: None if end is None else -end for name, end in ends.items()})


def season_told(name: str, season: SeasonLeftOut) -> str:
    """How a model that saw nothing of a campaign year ranks in it."""
    auc = with_interval(season.auc_window)
    return f"In {name} a model that saw nothing of that year scores AUC {auc}: {', '.join(season.words)}."


def brief(found: Ablation) -> list[str]:
    """The findings in a few sentences, what matters first."""
    arms = found.without
    groups = {
        "costs": [part_name(one) for one in arms if arms[one].words.startswith(_AHEAD)],
        "harms": [part_name(one) for one in arms if arms[one].words.startswith(_BEHIND)],
        "nothing": [part_name(one) for one in arms if arms[one].words == "no difference shown"],
        "untold": [part_name(one) for one in arms if arms[one].words.startswith(("no difference shown,", "undefined"))],
    }
    openings = {
        "costs": "The model needs these signals, ranking is worse without them: {}.",
        "harms": "The model ranks better without: {}.",
        "nothing": "Losing one of these costs nothing that can be measured: {}. Others may stand in for it.",
        "untold": "Whether losing one of these costs anything cannot be told from these data: {}.",
    }
    told = [openings[kind].format(listed(names)) for kind, names in groups.items() if names]
    skilled = [year for year, season in found.seasons.items() if "skill" in season.words]
    if found.seasons:
        shown = f"{len(skilled)} of {len(found.seasons)} campaign years"
        told.append(f"Skill is shown in {shown} by a model that saw nothing of them.")
    return told
