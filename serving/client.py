"""How does a Python application ask the service?

A thin client: one method per address, answers as the models of :mod:`serving.schemas` and its neighbours (what a newer
service adds to them is passed over). A service that is busy or not ready is asked again when it says; a call that ends
in no answer is asked again, too, which is safe: every call here takes effect once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel

from features.errors import ConfigError, PulseError, ServiceUnavailable, UnknownAccount, UsageError
from features.vocabulary import Band, Phase
from serving.change_bodies import ChangeResponse
from serving.entries import Order
from serving.event_bodies import EventsResponse
from serving.idempotency import HEADER
from serving.model_bodies import RegistryResponse
from serving.schemas import (
    MOST_ACCOUNTS,
    AccountOut,
    AccountsResponse,
    ExplanationResponse,
    HistoryResponse,
    ScoreResponse,
)
from serving.score_table import MEDIA_TYPE, SCHEMA, stream_of_ids
from serving.whatif_bodies import WhatIfResponse

ADDRESS = "http://127.0.0.1:3000"
PATIENCE = timedelta(seconds=30)
"""Longest wait in all for a service that is busy or not ready: a model is loaded within some seconds."""

_ASK_AGAIN = (429, 503)
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0
_PAGE = 100

_Answer = TypeVar("_Answer", bound=BaseModel)


class PulseClient:
    """A connection to one service; close it, or use it in a ``with`` block. Safe to use from several threads.

    Every method raises UnknownAccount where no account has the id, UsageError where the service refuses what was asked,
    ConfigError where it wants another key, and ServiceUnavailable where it gives no answer in time.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        key: str | None = None,
        patience: timedelta = PATIENCE,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._patience = patience.total_seconds()
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/v1",
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=False,  # a key is not for a proxy that the environment names by chance
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def score(self, account_ids: Sequence[str]) -> ScoreResponse:
        """Score up to 10,000 accounts from their newest features: one result per id, in order."""
        return _read(ScoreResponse, self._asked("POST", "/score", json={"account_ids": list(account_ids)}))

    def frame(self, account_ids: Sequence[str]) -> pd.DataFrame:
        """Score any number of accounts: one row per id, in order, with the columns of a file of scores.

        Beside them ``status`` and freshness; columns of a score are null unless ``status`` is ok. Travels as Arrow.
        """
        tables = [SCHEMA.empty_table()]
        headers = {"content-type": MEDIA_TYPE, "accept": MEDIA_TYPE}
        for start in range(0, len(account_ids), MOST_ACCOUNTS):
            asked = stream_of_ids(account_ids[start : start + MOST_ACCOUNTS])
            with pa.ipc.open_stream(self._asked("POST", "/score", content=asked, headers=headers).content) as stream:
                tables.append(stream.read_all().replace_schema_metadata(None))
        scores: pd.DataFrame = pa.concat_tables(tables).to_pandas()
        return scores

    def accounts(
        self,
        *,
        segment: str | None = None,
        phase: Phase | None = None,
        band: Band | None = None,
        order: Order = Order.VALUE_AT_RISK,
    ) -> Iterator[AccountOut]:
        """The portfolio as it was scored last, in an order; pages are fetched as they are needed."""
        words = {"phase": phase, "band": band, "order": order}
        chosen = {"segment": segment, **{name: word and str(word) for name, word in words.items()}}
        query: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        cursor: str | None = ""
        while cursor is not None:
            asked = query | {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            page = _read(AccountsResponse, self._asked("GET", "/accounts", params=asked))
            yield from page.accounts
            cursor = page.next_cursor

    def explanation(self, account_id: str) -> ExplanationResponse:
        """Why an account scores as it does now."""
        return _read(ExplanationResponse, self._asked("GET", f"{_path(account_id)}/explanation"))

    def history(self, account_id: str, *, limit: int = 104) -> HistoryResponse:
        """What was told of an account, oldest first; the newest ``limit`` scores."""
        return _read(HistoryResponse, self._asked("GET", f"{_path(account_id)}/history", params={"limit": limit}))

    def change(self, account_id: str, since: date, until: date) -> ChangeResponse:
        """Why health moved between two kept scores."""
        query = {"from": since.isoformat(), "to": until.isoformat()}
        return _read(ChangeResponse, self._asked("GET", f"{_path(account_id)}/change", params=query))

    def what_if(self, account_id: str, levers: Sequence[Mapping[str, Any]]) -> WhatIfResponse:
        """The estimate with levers pulled, such as ``{"lever": "train_more_features", "amount": 2}``; no forecast."""
        asked = {"account_id": account_id, "levers": [dict(lever) for lever in levers]}
        return _read(WhatIfResponse, self._asked("POST", "/whatif", json=asked))

    def models(self) -> RegistryResponse:
        """The live model, and promoted versions that were refused."""
        return _read(RegistryResponse, self._asked("GET", "/models"))

    def send_events(
        self, table: str, rows: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> EventsResponse:
        """Send rows of a canonical table; with a key of yours even a second run of your program takes effect once."""
        headers = {HEADER: idempotency_key or uuid4().hex}
        answer = self._asked(
            "POST", f"/events/{quote(table, safe='')}", json=[dict(row) for row in rows], headers=headers
        )
        return _read(EventsResponse, answer)

    def _asked(self, method: str, path: str, **question: Any) -> httpx.Response:
        waited, wait = 0.0, _FIRST_WAIT
        while True:
            answer, failure = self._once(method, path, question)
            if answer is not None and answer.status_code not in _ASK_AGAIN:
                if answer.is_success:
                    return answer
                raise _refusal(answer)
            pause = _retry_after(answer) if answer is not None else None
            pause = wait if pause is None else pause
            if waited + pause > self._patience:
                raise _refusal(answer) if answer is not None else failure
            self._sleep(pause)
            waited, wait = waited + pause, min(wait * 2, _LONGEST_WAIT)

    def _once(
        self, method: str, path: str, question: Mapping[str, Any]
    ) -> tuple[httpx.Response | None, ServiceUnavailable]:
        try:
            return self._http.request(method, path, **question), _no_answer("")
        except httpx.TransportError as cause:
            return None, _no_answer(type(cause).__name__)


def _read(model: type[_Answer], answer: httpx.Response) -> _Answer:
    return model.model_validate_json(answer.content, extra="ignore")


def _path(account_id: str) -> str:
    return f"/accounts/{quote(account_id, safe='')}"


def _retry_after(answer: httpx.Response) -> float | None:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isdecimal() else None


def _refusal(answer: httpx.Response) -> PulseError:
    """The service's problem as one of our failures: its words, the places it names, and the id its log has."""
    problem = answer.json() if answer.headers.get("content-type") == "application/problem+json" else {}
    kinds: dict[int, type[PulseError]] = {401: ConfigError, 403: ConfigError, 404: UnknownAccount}
    own_fault = 400 <= answer.status_code < 500 and answer.status_code not in _ASK_AGAIN  # noqa: PLR2004  HTTP's own
    kind = kinds.get(answer.status_code, UsageError if own_fault else ServiceUnavailable)
    places = [f"{one['field']}: {one['message']}" for one in problem.get("errors") or ()]
    return kind(
        f"the service answers {answer.status_code} {problem.get('title', answer.reason_phrase)}",
        expected=problem.get("detail", "an answer as `/v1/openapi.json` describes it"),
        found="; ".join(places) or f"status {answer.status_code}",
        todo=f"correct the call, or look for request {problem.get('request_id', 'without id')} in the service's log",
    )


def _no_answer(found: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        "the service does not answer",
        expected="`pulse serve` under the address of the client",
        found=found,
        todo="start it, or correct the address",
    )
