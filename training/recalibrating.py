"""How does a live model get a new line, from the watch that asks for it to a registered version?

Input: a home with a live model, a date. Output: what the step of the ladder is worth, and, when it is to be registered,
a new version beside the old one. The booster stays as it is; nothing goes live by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import MissingStateError
from features.progress import Progress, silent
from features.settings import Home
from features.vocabulary import HORIZONS_DAYS, Subcategory
from training.bundle import Bundle
from training.material import Material
from training.model import golden_rows_of, prove_in_child
from training.monitoring import Looked, look
from training.packing import write_bundle
from training.recalibrated_verdict import Restated, Tried, recalibrated_verdict
from training.recalibration import (
    FOLDS,
    Counted,
    Line,
    Recalibration,
    assess,
    chance_of,
    folds_of,
    lines_without,
    moved,
)
from training.registry import ModelRegistry
from training.verdict import Verdict
from training.watch_parts import WATCHED_DAYS, Step, Watch

_SEED = 20240115
REFIT = (Step.INTERCEPT, Step.PLATT)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was found, and what may be registered; ``found`` and the rest are None where nothing is to be refitted."""

    watch: Watch
    bundle: Bundle
    found: Recalibration | None = None
    phases: dict[str, Restated] | None = None

    def lines(self) -> list[str]:
        """In words."""
        said = [f"version {self.bundle.version} at {self.watch.as_of:%Y-%m-%d}: {self.watch.advice.step}"]
        said.append(f"  {self.watch.advice.sentence}")
        return [*said, self.found.sentence if self.found else "nothing to refit"]


def propose(
    home: Home, as_of: datetime, *, step: Step | None = None, version: str | None = None, progress: Progress = silent
) -> Proposal:
    """Ask the watch, and fit the step that it advises (or the one that is named); nothing is written.

    Raises:
        MissingStateError: no model is live, nothing is built, or a step is named and no label is final.
    """
    looked = look(home, as_of, version=version, progress=progress)
    chosen = step or looked.watch.advice.step
    if chosen not in REFIT:
        return Proposal(looked.watch, looked.bundle)
    rows, kept = _counted(looked)
    found = assess(rows, chosen, version=looked.bundle.version, seed=_SEED)
    return Proposal(looked.watch, looked.bundle, found, _phases(rows, kept, chosen))


def register(home: Home, proposal: Proposal, *, at: datetime) -> tuple[str, Verdict]:
    """Register what was proposed as a new version with a verdict; the version and its verdict.

    Raises:
        MissingStateError: there is nothing to register, or the version it was made from has no verdict.
    """
    found, was, registry = proposal.found, proposal.bundle, ModelRegistry(home)
    before = registry.version(was.version).verdict
    if found is None or before is None:
        raise _nothing("no step of the ladder was fitted" if found is None else "a version without a verdict")
    params = {"recalibrated_from": was.version, "step": found.step, "slope": found.slope, "shift": found.shift}
    opened = registry.open_version(was.booster, inputs=was.booster.feature_name(), params=params)
    since = proposal.watch.advice.since
    facts: dict[str, object] = {
        "recalibrated_from": was.version,
        "recalibrated_since": since.isoformat() if since else None,
        "recalibrated_at": proposal.watch.as_of.isoformat(),
    }
    bundle = moved(was, Line(found.slope, found.shift), version=opened.version, facts=facts)
    golden = golden_rows_of(home.bundles / was.version)
    folder = write_bundle(home.bundles / opened.version, bundle, golden)
    prove_in_child(folder)
    tried = _tried(bundle, golden)
    verdict = recalibrated_verdict(opened.version, Verdict.model_validate(before), found, proposal.phases or {}, tried)
    page = _stored(home, opened.version, proposal, verdict)
    registry.close_version(
        opened,
        bundle=folder,
        documents={"recalibration": page},
        metrics={"recalibration.gain": found.gain, "recalibration.ratio": found.leavers / found.restated},
        verdict=verdict.model_dump(mode="json"),
        at=at,
    )
    return opened.version, verdict


def _counted(looked: Looked) -> tuple[Counted, Material]:
    # Since the change where there is one: rows from before it would pull the line back to where it was.
    judged, since = looked.seen.judged, looked.watch.advice.since
    final = judged[f"y_{WATCHED_DAYS}"].notna()
    if since is not None:
        final &= judged["as_of"] >= pd.Timestamp(since)
    if not final.any():
        raise _nothing("no snapshot with final labels")
    kept = looked.kept.at(final)
    intervals = looked.bundle.config.interval_bounds_days.index(WATCHED_DAYS)
    logits = looked.bundle.interval_logits(kept.snapshots)[:, :intervals]
    cluster = pd.factorize(kept.cohort["cluster_id"], sort=True)[0].astype(np.int64)
    return Counted(logits, judged.loc[final, f"y_{WATCHED_DAYS}"].to_numpy(np.float64), cluster), kept


def _phases(rows: Counted, kept: Material, step: Step) -> dict[str, Restated]:
    fold = folds_of(rows.cluster, _SEED)
    restated = np.select(
        [fold == number for number in range(FOLDS)],
        [chance_of(line.on(rows.logits)) for line in lines_without(rows, step, fold)],
    )
    told = pd.DataFrame({"phase": kept.snapshots["phase"].to_numpy(), "left": rows.left, "stated": restated})
    return {
        str(phase): Restated(int(part["left"].sum()), float(part["stated"].sum()))
        for phase, part in told.groupby("phase")
    }


def _tried(bundle: Bundle, rows: pd.DataFrame) -> Tried:
    scores = bundle.score(rows)
    parts = [f"points_{part}" for part in Subcategory] + ["base_points", "clip_adjust", "shrink_adjust"]
    risks = scores[[f"risk_{days}" for days in HORIZONS_DAYS]].to_numpy(np.float64)
    return Tried(
        rows=len(scores),
        missing=int(np.isnan(risks).any(axis=1).sum()),
        falling=int((np.diff(risks, axis=1) < 0).any(axis=1).sum()),
        additivity_error=float((scores["health"] - scores[parts].sum(axis=1)).abs().max()),
        golden_rows=len(rows),
    )


def _stored(home: Home, version: str, proposal: Proposal, verdict: Verdict) -> Path:
    folder = home.reports / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(verdict.model_dump_json(indent=1))
    path = folder / "recalibration.json"
    path.write_text(proposal.found.model_dump_json(indent=1) if proposal.found else "{}")
    return path


def _nothing(found: str) -> MissingStateError:
    return MissingStateError(
        "there is nothing to recalibrate",
        expected="leavers since a change, and a judged model",
        found=found,
        todo="run `pulse monitor --as-of DATE` to see what the model needs",
    )
