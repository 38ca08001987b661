"""Many futures of one account, simulated day by day: what the state oracle must equal; shares no code with it."""

from __future__ import annotations

import numpy as np

from features.simulator.company import Company
from features.vocabulary import HORIZONS_DAYS

PATHS = 3000


class Future:
    """Many futures of one account, simulated day by day; shares no code with the oracle."""

    def __init__(self, world: Company, account: int, week: int, rng: np.random.Generator) -> None:
        self.world, self.account, self.week, self.rng = world, account, week, rng
        self.h = np.full(PATHS, world.latent.h[account, week])
        self.f = np.full(PATHS, world.latent.f[account, week])
        self.runs = [run for run in range(len(world.campaigns.instances)) if world.campaigns.joined[account, run]]
        ends = [
            int(world.campaigns.wrap_week[run]) + 26
            for run in self.runs
            if world.campaigns.dropped[account, run] and world.campaigns.wrap_week[run] <= week
        ]
        self.drop_ends = np.full(PATHS, max(ends, default=-1))
        self.deadlines = world.terms.deadline[account].tolist()

    def begin_week(self, now: int) -> None:
        """Move h and f by a week and let wraps that begin to work drop or not."""
        for run in self.runs:
            if self.world.campaigns.wrap_week[run] == now:
                drops = self.rng.random(PATHS) < 1 / (1 + np.exp(1.1 + 0.15 * self.h))
                self.drop_ends = np.where(drops, np.maximum(self.drop_ends, now + 26), self.drop_ends)
        law, people = self.world.world.latent, self.world.accounts
        step = law.stationary_sd * np.sqrt(1 - law.persistence**2) * self.rng.standard_normal((2, PATHS))
        level_h, level_f = people.level_h[self.account], people.level_f[self.account]
        pull = law.shock_pull * self.world.latent.shock[self.account, now]
        if self.world.latent.taken[self.account, now]:
            pull = self.world.world.rollout.pull
        self.h = level_h + law.persistence * (self.h - level_h) - pull + step[0]
        self.f = level_f + law.persistence * (self.f - level_f) + step[1]

    def chance_of_leaving(self, today: int, now: int) -> np.ndarray:
        """Weekly (or window) probability that holds on this day."""
        law = self.world.world.hazard
        rise = self.world.world.price
        risen = rise is not None and now >= round(rise.at * self.world.time.weeks)
        f, added = (rise.finance_factor * self.f, rise.base_logit) if risen else (self.f, 0.0)
        pressure = law.shock * self.world.latent.shock[self.account, now] + law.drop * (self.drop_ends > now)
        if self.world.accounts.term_months[self.account] == 1:
            logit = law.monthly_intercept + law.monthly_h * self.h + law.monthly_f * f + pressure
        elif any(0 <= deadline - today < 7 for deadline in self.deadlines):
            agency = law.agency * (self.world.accounts.segment[self.account] == 2)
            logit = law.window_intercept + law.window_h * self.h + law.window_f * f + pressure + agency
        else:
            logit = law.other_intercept + law.other_h * self.h + law.other_f * f
        return 1 / (1 + np.exp(-logit - added))

    def risk(self) -> np.ndarray:
        """Risk per horizon (rows) and path (columns)."""
        stays, risk = np.ones(PATHS), []
        for day in range(max(HORIZONS_DAYS)):
            now = self.week + day // 7
            if day and day % 7 == 0:
                self.begin_week(now)
            stays = stays * (1 - self.chance_of_leaving(int(self.world.time.monday(self.week)) + day, now)) ** (1 / 7)
            if day + 1 in HORIZONS_DAYS:
                risk.append(1 - stays)
        return np.stack(risk)


def worst_distance(
    world: Company, account: int, week: int, *, risk: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How far the oracle's risks lie from brute force, over what noise and second-order terms (1 %) allow."""
    paths = Future(world, account, week, rng).risk()
    error = paths.std(axis=1) / np.sqrt(PATHS)
    allowed = 4 * error + 0.01 * paths.mean(axis=1) + 1e-6
    return np.asarray(np.abs(risk - paths.mean(axis=1)) / allowed)
