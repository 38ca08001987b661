"""Which snapshots did no model in question learn from?

Grain in and out: the rows of a :class:`Material`. A model was kept from the final block of its own training; later
snapshots it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from training.bundle import Bundle
from training.material import Material
from training.splits import block_of
from training.tested_rows import undecided


def untouched(material: Material, bundles: Sequence[Bundle]) -> Material:
    """The undecided rows that none of the bundles learnt from; the material must reach to the data cut of each.

    Only then can a final block be told: it is counted back from the last mature snapshot before the cut.
    """
    begin = max(_kept_from(material, bundle) for bundle in bundles)
    later = (material.cohort["as_of"] >= pd.Timestamp(begin)).to_numpy()
    return material.at(pd.Series(later & undecided(material)))


def _kept_from(material: Material, bundle: Bundle) -> datetime:
    cut = datetime.fromisoformat(bundle.facts["data_cut"])
    if material.data_cut < cut:
        raise ValueError(f"the material ends at {material.data_cut}, before the model's own data at {cut}")
    begin = block_of(material.as_ofs, bundle.facts, bundle.config).test_first
    since = bundle.facts.get("recalibrated_since")
    # A line that was fitted on what happened since a change says nothing of the time before it.
    return max(begin, datetime.fromisoformat(since)) if since else begin
