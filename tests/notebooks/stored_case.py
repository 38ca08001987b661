"""A home with a stored comparison and a stored replay trial, made from the walk by the code that makes real ones.

The rows are gathered once. The replay trial is a real one over the last weeks. In the comparison the live model stands
in for every arm: as it is, without campaign features, and mixed with the calendar; to search and fit four arms takes
minutes, and how they are made is tested elsewhere. What is under test here is how such documents are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import training.pilot
from features.catalogue import MODEL_FEATURES, feature_named
from features.settings import Home
from features.vocabulary import Subcategory
from training import pilot_report
from training.bundle import Bundle
from training.compare import Compared, ground_of, judged, kept
from training.experiment import ComparisonPlan
from training.material import Material, gather
from training.model import load_bundle
from training.periods import Floats
from training.pilot_parts import Pilot
from training.rival_fits import Ground, Stated
from training.rivals import rivals_named
from training.weeks import timing_risk

if TYPE_CHECKING:
    from tests.walk_case import Walk

ARMS = ("full", "phase_blind", "traditional", "timing")
PLAN = ComparisonPlan(replicates=200, repeats=2)
TRIAL = timedelta(weeks=27)
"""Two lead-in times of 13 weeks and a week to judge."""


@dataclass(frozen=True)
class Stored:
    """The home, and what was stored in it."""

    home: Home
    compared: Compared
    trial: Pilot

    @property
    def documents(self) -> tuple[Path, Path]:
        """The two files."""
        return self.compared.report.with_suffix(".json"), self.home.reports / self.trial.version / "pilot.json"


def stored(walk: Walk) -> Stored:
    """Compare and replay on this copy of the walk."""
    home, cut = walk.home, walk.last
    bundle = load_bundle(home.bundles / "1")
    material = gather(home, cut, bundle.config)
    return Stored(home, _compared(home, bundle, material, at=cut), _replayed(home, bundle, material, cut))


def _replayed(home: Home, bundle: Bundle, material: Material, cut: datetime) -> Pilot:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training.pilot, "gather", lambda *_, **__: material)  # the same rows, not read a second time
        first = cut - bundle.config.settling - TRIAL
        told = training.pilot.pilot(home, bundle, cut, first=first)
    pilot_report.store(home, told)
    return told


def _compared(home: Home, bundle: Bundle, material: Material, *, at: datetime) -> Compared:
    ground = ground_of(material, None, bundle.config, PLAN)
    risks = _risks(bundle, ground)
    settings: dict[str, float | int | str] = {"trials": 1}
    stated = [Stated(rival, _twice(risks[rival.name]), settings) for rival in rivals_named(ARMS)]
    return kept(home, judged(stated, ground, PLAN), bundle.config, at=at)


def _risks(bundle: Bundle, ground: Ground) -> dict[str, Floats]:
    rows = ground.material.snapshots[ground.tested].reset_index(drop=True)
    campaign = [name for name in MODEL_FEATURES if feature_named(name).subcategory is Subcategory.CAMPAIGN]
    calendar = timing_risk(ground.material, rows, ground.blocks.final.test_first, bundle.config)
    full = bundle.score(rows)["risk_90"].to_numpy(np.float64)
    blind = bundle.score(rows.assign(**dict.fromkeys(campaign, np.nan)))["risk_90"].to_numpy(np.float64)
    return {"full": full, "phase_blind": blind, "traditional": (blind + calendar) / 2, "timing": calendar}


def _twice(risk: Floats) -> Floats:
    # The second repeat states a little more throughout: the same order, another log-loss.
    return np.clip(np.stack([risk, risk * 1.05]), 1e-6, 1 - 1e-6)
