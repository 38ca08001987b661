"""A made-up company with known truth, written as canonical tables; the truth lies apart. The door for `pulse`."""

from features.simulator.simulation import SimulationReport, simulate
from features.simulator.world import REGIMES, World

__all__ = ["REGIMES", "SimulationReport", "World", "simulate"]
