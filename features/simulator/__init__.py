"""A made-up company with known truth, written as canonical tables; the truth lies apart. The door for `pulse`."""

from features.simulator.regimes import REGIMES, Regime, regime_named
from features.simulator.simulation import SimulationReport, simulate
from features.simulator.sizes import SIZES, Size, size_named
from features.simulator.world import World

__all__ = [
    "REGIMES",
    "SIZES",
    "Regime",
    "SimulationReport",
    "Size",
    "World",
    "regime_named",
    "simulate",
    "size_named",
]
