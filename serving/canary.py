"""Who is answered by which version while a canary takes a share?

By a stable hash of the account id: an account always gets the same version while the canary runs, whoever asks, alone
or among many. Grain: one answer per id. Pure but for the scorers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from serving.scorer import ScoredAccount, Scorer

_WIDE = 2**64


@dataclass(frozen=True, slots=True)
class Answering:
    """The versions of one answer, taken once: a swap in the middle cannot mix in a third.

    Without a canary the live model answers for all. ``failed`` hears of a canary that could not answer; the live model
    then answers in its place, so a canary never costs anybody an answer.
    """

    live: Scorer
    canary: Scorer | None = None
    share: float = 0.0
    failed: Callable[[Exception, int], None] = lambda _failure, _count: None

    @property
    def canary_version(self) -> str | None:
        """The version that takes a share; None when none does."""
        return self.canary.bundle.version if self.canary else None

    def scorer_for(self, account_id: str) -> Scorer:
        """Whose turn an account is."""
        canary = self.canary
        return canary if canary and takes(account_id, canary.bundle.version, self.share) else self.live

    def version_of(self, answer: ScoredAccount) -> str:
        """The version that answered for an account, or would have: the one of its score, where it has one."""
        told = answer.assessment
        return told.score.model_version if told else self.scorer_for(answer.account_id).bundle.version

    def score_accounts(self, account_ids: Sequence[str], now: datetime, *, reasons: bool = True) -> list[ScoredAccount]:
        """One answer per id, in order, each from its own version; raises as :meth:`Scorer.score_accounts`."""
        canary = self.canary
        if canary is None:
            return self.live.score_accounts(account_ids, now, reasons=reasons)
        own = [one for one in account_ids if self.scorer_for(one) is canary]
        told = self._by_canary(canary, own, now, reasons=reasons)
        others = [one for one in account_ids if one not in told]
        by_live = self.live.score_accounts(others, now, reasons=reasons) if others else []
        told |= {answer.account_id: answer for answer in by_live}
        return [told[account_id] for account_id in account_ids]

    def _by_canary(
        self, canary: Scorer, account_ids: Sequence[str], now: datetime, *, reasons: bool
    ) -> dict[str, ScoredAccount]:
        try:
            answers = canary.score_accounts(account_ids, now, reasons=reasons) if account_ids else []
        except Exception as failure:  # noqa: BLE001  whatever it is: the live model is asked next, and tells its own
            self.failed(failure, len(account_ids))
            return {}
        return {answer.account_id: answer for answer in answers}


def takes(account_id: str, version: str, share: float) -> bool:
    """Does a version that takes this share of the accounts answer for this one?

    Salted with the version: another canary meets other accounts. A larger share keeps those of a smaller one.
    """
    digest = hashlib.sha256(f"{version}\n{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * _WIDE
