"""Who asks the service while it is tormented, and was every answer right?

Askers run in threads of this process, one request after the other. Every score is compared with a table that was made
apart, from the files of each version, so that an answer of no version, or of another one than it names, is seen.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from types import TracebackType
from typing import Any

import httpx

from features.settings import Home
from features.store import FeatureStore
from serving.api.answers import score_out
from serving.scorer import Scorer
from tests.serving.service_case import newest
from training.model import load_bundle

Table = dict[str, dict[str, dict[str, Any]]]
"""Version, account, and the score as JSON."""

_PATIENCE = 60.0
_TOGETHER = 3
_EXPLAINED = 0.2
"""Share of requests that ask for reasons."""


def table_of(home: Home, versions: Sequence[str]) -> Table:
    """What each version says of every account, from its files and the offline store."""
    told: Table = {}
    store = FeatureStore(home)
    for version in versions:
        scorer = Scorer(load_bundle(home.bundles / version), store, home)
        scores = {one.account_id: score_out(one.score) for one in scorer.assess_cohort(newest())}
        told[version] = {account: json.loads(score.model_dump_json()) for account, score in scores.items()}
    return told


@dataclass
class Answers:
    """What the askers got. Seconds are those of each request."""

    asked: int = 0
    failed: int = 0
    wrong: int = 0
    explained: int = 0
    unequal: int = 0
    seconds: list[float] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        return 1000 * sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


class Load:
    """Asks until it is left; ``pause`` seconds between the requests of one asker."""

    def __init__(self, address: str, table: Table, *, askers: int = 2, pause: float = 0.0) -> None:
        self.answers = Answers()
        self._address = address
        self._table = table
        self._accounts = sorted(next(iter(table.values())))
        self._pause = pause
        self._stop = Event()
        self._threads = [Thread(target=self._run, args=(number,), daemon=True) for number in range(askers)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
            assert not thread.is_alive()

    def until(self, seen: str | None = None, *, more: int = 0, limit: float = _PATIENCE) -> float:
        """Wait until a version answered, or so many more were asked; the seconds it took."""
        begun, before = time.monotonic(), len(self.answers.seconds)
        while True:
            reached = len(self.answers.seconds) >= before + more
            if reached and (seen is None or self.answers.versions[-1:] == [seen]):
                return time.monotonic() - begun
            assert time.monotonic() - begun < limit, f"version {seen} did not answer in time"
            time.sleep(0.02)

    def _run(self, number: int) -> None:
        draw = random.Random(number)  # noqa: S311
        with httpx.Client(base_url=self._address, timeout=_PATIENCE) as client:
            while not self._stop.is_set():
                begun = time.monotonic()
                if draw.random() < _EXPLAINED:
                    self._explain(client, draw.choice(self._accounts))
                else:
                    self._score(client, draw.sample(self._accounts, _TOGETHER))
                self.answers.seconds.append(time.monotonic() - begun)
                self._stop.wait(self._pause)

    def _score(self, client: httpx.Client, accounts: list[str]) -> None:
        body = self._body(client.post, "/v1/score", json={"account_ids": accounts})
        if body is not None:
            found = [(one["account_id"], one["score"]) for one in body["results"]]
            of_version = self._table.get(body["model_version"], {})
            self.answers.wrong += found != [(account, of_version.get(account)) for account in accounts]
            self.answers.wrong += {one["model_version"] for one in body["results"]} != {body["model_version"]}
            self.answers.versions.append(body["model_version"])

    def _explain(self, client: httpx.Client, account: str) -> None:
        body = self._body(client.get, f"/v1/accounts/{account}/explanation")
        if body is not None:
            self.answers.explained += 1
            self.answers.wrong += body["score"] != self._table.get(body["model_version"], {}).get(account)
            self.answers.unequal += not _adds_up(body["score"], body["explanation"])

    def _body(self, ask: Any, path: str, **options: Any) -> dict[str, Any] | None:
        self.answers.asked += 1
        try:
            answer = ask(path, **options)
        except httpx.TransportError:
            self.answers.failed += 1
            return None
        if answer.status_code != 200:
            self.answers.failed += 1
            return None
        body: dict[str, Any] = answer.json()
        return body


def _adds_up(score: dict[str, Any], explanation: dict[str, Any]) -> bool:
    """Do base, points of the subcategories and adjustments make the health, and are both of one version?"""
    parts = {part["subcategory"]: part["points"] for part in explanation["subcategories"]}
    total = score["base_points"] + sum(parts.values()) + score["clip_adjust"] + score["shrink_adjust"]
    return abs(total - score["health"]) <= 1e-6 and parts == score["points"]
