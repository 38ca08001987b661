"""Which version may run beside the live one, and which may answer a share of the accounts?

A shadow answers nobody: it needs files that pass their proof, and no verdict (what it does on real traffic is evidence
for one). A canary answers people: it needs what a promotion needs, a passed verdict and the approvals.
"""

from __future__ import annotations

from datetime import datetime

from features.settings import Home
from training import challengers, governance, lifecycle, promotions
from training.challengers import ChallengerChange, Mode
from training.governance import Governance
from training.model import prove_in_child
from training.promotions import Promotion
from training.registry import ModelRegistry


def start_shadow(home: Home, version: str, *, who: str, why: str, at: datetime) -> ChallengerChange:
    """Let a registered version score what the live one is asked, unseen by those who ask.

    Raises:
        UsageError: no such version, it is live, or another one runs.
        MissingStateError: no model is live.
        IntegrityError: its files are not the ones that were registered.
    """
    chosen = ModelRegistry(home).version(version).version
    promotions.require_current(home)
    prove_in_child(home.bundles / chosen)
    return challengers.start(home, chosen, Mode.SHADOW, share=None, said=(who, why), at=at)


def start_canary(
    home: Home, version: str, share: float, *, said: tuple[str, str], at: datetime, rule: Governance | None = None
) -> ChallengerChange:
    """Let a version answer for a share of the accounts; ``said`` is who and why.

    ``rule`` says whose approval it needs, by default the file that ``PULSE_GOVERNANCE`` names.

    Raises:
        GateRefused: it has no passed verdict, or an approval is missing.
        UsageError, MissingStateError, IntegrityError: as :func:`start_shadow`.
    """
    registered, champion = ModelRegistry(home).version(version), promotions.require_current(home)
    promotions.require_passed(registered.version, registered.verdict or {})
    governance.require_approvals(
        home, registered.version, against=champion.version, rule=rule or Governance.from_environment()
    )
    prove_in_child(home.bundles / registered.version)
    return challengers.start(home, registered.version, Mode.CANARY, share=share, said=said, at=at)


def promote_running(home: Home, mode: Mode, *, who: str, why: str, at: datetime) -> Promotion:
    """Put the challenger that runs in a mode live; the promotion ends it.

    Raises:
        UsageError: none runs in that mode.
        GateRefused, IntegrityError: as :func:`training.lifecycle.promote`.
    """
    found = challengers.require_running(home, mode)
    return lifecycle.promote(home, found.version, who=who, why=why, at=at)
