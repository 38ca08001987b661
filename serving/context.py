"""What do the routes and pages of the service stand on?

One object, made once per process: the live model, the ledger, the moment to judge by. Routes get it with
``context_of``.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from features.errors import ServiceUnavailable
from serving.access.door import CALLER, Caller, Door
from serving.access.teams import EVERYBODY, Teams
from serving.canary import Answering
from serving.challenge import Challenge
from serving.change import Change, Kept, change
from serving.clock import Clock, judging_clock, real_clock
from serving.entries import Entry
from serving.events import Events
from serving.kept_models import BundleOpener, KeptModels, proven_bundle
from serving.leads_priority import LeadsPriority
from serving.ledger import Channel, Ledger
from serving.live import LiveModel, Opener, scorer_of
from serving.metrics import ServiceMetrics
from serving.registered import RegisteredModels
from serving.request_log import Tell
from serving.scorer import ScoredAccount
from serving.settings import ServiceSettings
from serving.source_board import SourceBoard
from serving.turns import Turns


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """What one process works with. ``judged_at`` tells the moment freshness is judged by, ``clock`` the real time."""

    settings: ServiceSettings
    live: LiveModel
    challenge: Challenge
    models: KeptModels
    registered: RegisteredModels
    ledger: Ledger
    leads: LeadsPriority
    events: Events
    sources: SourceBoard
    door: Door
    metrics: ServiceMetrics
    turns: Turns
    tell: Tell
    clock: Clock
    judged_at: Clock

    @classmethod
    def of(
        cls,
        settings: ServiceSettings,
        *,
        tell: Tell,
        clock: Clock = real_clock,
        opener: Opener | None = None,
        bundles: BundleOpener = proven_bundle,
    ) -> ServiceContext:
        """The context of a process; touches no disk.

        ``opener`` makes a version live, by default after its proof; so does ``bundles`` with a version of before.
        """
        opens = opener or scorer_of(settings.home)
        live, metrics = LiveModel(settings.home, opener=opens, tell=tell), ServiceMetrics()
        models = KeptModels(settings.home, live, opener=bundles)
        ledger = Ledger(settings.home, model_at_hand=lambda version: models.at_hand(version).bundle)
        events = Events(settings.home, clock=clock, tell=tell)
        metrics.watch_readiness(lambda: live.ready)
        door = Door(settings.home, exposed=settings.exposed, clock=clock, tell=tell, settings=settings.access)
        door.desk.count = metrics.signed_in
        metrics.watch_backlog(events.journal.backlog, lambda: events.worker.failures)
        return cls(
            settings=settings,
            live=live,
            challenge=Challenge(settings.home, live, opens, metrics=metrics, clock=clock, tell=tell),
            models=models,
            registered=RegisteredModels(settings.home),
            ledger=ledger,
            leads=LeadsPriority(settings.home, ledger, clock=clock, tell=tell),
            events=events,
            sources=SourceBoard(settings.home),
            door=door,
            metrics=metrics,
            turns=Turns(),
            tell=tell,
            clock=clock,
            judged_at=judging_clock(settings.as_of, clock),
        )

    def record(self, answering: Answering, answers: list[ScoredAccount]) -> bool:
        """Append what is being told to the ledger; let a shadow score it, too.

        False when the ledger cannot be written: the answer says so, and scoring goes on.
        """
        for answer in answers:
            self.metrics.account(answer.status)
        self.challenge.told(answering, answers)
        told = [answer.assessment for answer in answers if answer.assessment is not None]
        try:
            for as_of in sorted({one.as_of for one in told}):
                self.ledger.append(
                    [one for one in told if one.as_of == as_of],
                    channel=Channel.API,
                    scored_at=self.clock(),
                    data_watermark=answering.live.watermarks.at(as_of),
                )
        except ServiceUnavailable as trouble:
            self.tell("ledger not written", trouble.facts())
            return False
        return True

    def change_between(self, before: Entry, after: Entry, *, patient: bool = True) -> Change:
        """Why health moved between two kept scores; who is not patient is told from models that are loaded already."""
        find = self.models.of if patient else self.models.at_hand
        told = [Kept(entry, self.ledger.features(entry), find(entry.score.model_version)) for entry in (before, after)]
        return change(*told)

    def close(self) -> None:
        """End what runs and give files back."""
        self.events.worker.close()
        self.challenge.close()
        self.live.close()
        self.leads.close()
        self.ledger.close()
        self.door.close()


async def context_of(request: Request) -> ServiceContext:
    """The context of the service that got this request (a FastAPI dependency).

    Asynchronous, as :func:`teams_of` is: FastAPI hands what is not to a thread, which costs more than the answer to it.
    """
    context: ServiceContext = request.app.state.context
    return context


async def teams_of(request: Request) -> Teams:
    """Whose accounts the caller may see (a FastAPI dependency); every route that tells of accounts asks for it."""
    return teams_asking(request)


def caller_of(request: Request) -> Caller | None:
    """As whom the request came in; None where nobody was asked for."""
    caller: Caller | None = request.scope.get(CALLER)
    return caller


def teams_asking(request: Request) -> Teams:
    """Whose accounts the caller may see."""
    caller = caller_of(request)
    return caller.teams if caller else EVERYBODY
