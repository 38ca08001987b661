"""Models over HTTP: listed, promoted and rolled back by the same lifecycle as on the command line, by admins only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from features.settings import Home
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.registered import NOTHING, RegisteredModels
from tests.serving.service_case import now, stored_home
from tests.serving.test_api import JUDGED, Service, invalid, problem
from training import in_child
from training.promotions import log, promote
from training.registry import ModelRegistry

WHY = {"why": "better within the renewal window"}


class Admin:
    """A service over a home with a registry, asked with an admin's key."""

    def __init__(self, home: Home, *, live: bool = True) -> None:
        self.home = home
        key, token = KeyStore(home).create("deploy bot", [AccessScope.ADMIN], who="user ada", at=now())
        self.who = f"key {key.prefix} (deploy bot)"
        self.headers = {"authorization": f"Bearer {token}"}
        # Each order is a process of its own; a busy machine may need longer for it than the service would wait.
        self.service = Service(home, live=live, answer_timeout=timedelta(minutes=3))

    def get(self) -> Any:
        return self.service.client.get("/v1/models", headers=self.headers)

    def post(self, what: str, **body: Any) -> Any:
        return self.service.client.post(f"/v1/models/{what}", headers=self.headers, json=body)


def registered(home: Home, *verdicts: dict[str, Any]) -> None:
    """A registry with one version per verdict, numbered from 1."""
    rows = np.random.default_rng(1).normal(size=(100, 2))
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lgb.train(settings, lgb.Dataset(rows, (rows[:, 0] > 0).astype(int)), 1)
    registry, folder = ModelRegistry(home), home.root / "made"
    folder.mkdir()
    for verdict in verdicts:
        opened = registry.open_version(booster, inputs=("a", "b"), params={})
        registry.close_version(opened, bundle=folder, documents={}, metrics={}, verdict=verdict, at=now())


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    home = stored_home(tmp_path_factory.mktemp("models"))
    passed = {"passed": True, "gates": []}
    gates = [{"code": "G1", "passed": True}, {"code": "G4", "passed": False}]
    registered(home, passed, passed, {"passed": False, "gates": gates})
    shutil.copytree(home.bundles / "2", home.bundles / "3")
    served = Admin(home)
    yield served
    served.service.context.close()


def conflict(words: str) -> dict[str, Any]:
    return problem(409, "conflict", "Conflict", words)


def here(order: dict[str, Any]) -> dict[str, Any]:
    """Do in this process what a process of its own would do; what comes back went through JSON all the same."""
    answer: dict[str, Any] = json.loads(json.dumps(in_child._done(order), default=str))
    return answer


def test_a_version_goes_live_and_back_and_the_log_names_the_key(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [one.action for one in log(admin.home)]
    live = admin.service.context.live
    assert admin.post("promote", version="2", **WHY).json() == {
        "at": JUDGED,
        "who": admin.who,
        **WHY,
        "action": "promote",
        "version_from": "1",
        "version_to": "2",
    }
    live.refresh()
    assert live.require().bundle.version == "2"
    assert admin.post("promote", version="2", **WHY).json() == conflict("This version is live already.")
    # The first order was a process of its own, which takes seconds to load; for the others one is like the next.
    monkeypatch.setattr(in_child, "_asked", here)
    refused = "Version 3 may not go live: refused by G4."
    assert admin.post("promote", version="3", **WHY).json() == conflict(refused)
    told = admin.post("rollback", why="second thoughts")
    assert (told.status_code, told.json()["version_from"], told.json()["version_to"]) == (200, "2", "1")
    live.refresh()
    assert live.require().bundle.version == "1"
    assert [one.action for one in log(admin.home)] == [*before, "promote", "rollback"]

    listing = admin.get().json()
    assert listing["champion"]["version"] == "1"
    assert listing["versions"] == [
        {"version": "3", "judged": "refused", "refused_by": ["G4"]},
        {"version": "2", "judged": "passed", "refused_by": []},
        {"version": "1", "judged": "passed", "refused_by": []},
    ]
    assert [(one["who"], one["action"], one["version_to"]) for one in listing["promotions"]] == [
        ("test", "promote", "1"),
        (admin.who, "promote", "2"),
        (admin.who, "rollback", "1"),
    ]
    assert sorted(listing["promotions"][0]) == ["action", "at", "version_from", "version_to", "who", "why"]


def test_a_home_without_a_registry_lists_the_live_model_and_makes_none(tmp_path: Path) -> None:
    served = Admin(stored_home(tmp_path))
    listing = served.get().json()
    assert (listing["versions"], len(listing["promotions"])) == ([], 1)
    assert not (tmp_path / "mlflow.db").exists()
    assert served.post("rollback", **WHY).json() == conflict("There is no earlier model to go back to.")
    assert served.post("promote", version="9", **WHY).json() == problem(
        404, "not-found", "Not Found", "No model version has this number."
    )
    served.service.context.close()


@pytest.mark.parametrize(
    ("what", "body", "errors"),
    [
        (
            "promote",
            {"version": "../2", **WHY},
            [("body.version", "string_pattern_mismatch", "String should match pattern '^[1-9][0-9]{0,8}$'")],
        ),
        ("promote", {"version": "2"}, [("body.why", "missing", "Field required")]),
        ("rollback", {"why": ""}, [("body.why", "string_too_short", "String should have at least 1 character")]),
        (
            "rollback",
            {"why": "a\u001b[2Jb"},
            [
                (
                    "body.why",
                    "string_pattern_mismatch",
                    r"String should match pattern '^[^\x00-\x1f\x7f-\x9f]+$'",
                )
            ],
        ),
        ("rollback", {**WHY, "who": "me"}, [("body.who", "extra_forbidden", "Extra inputs are not permitted")]),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused_by_its_place(
    tmp_path: Path, what: str, body: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    home = Home(root=tmp_path)
    served = Admin(home, live=False)
    answer = served.post(what, **body)
    assert (answer.status_code, answer.json()) == (422, invalid(*errors))
    assert log(home) == ()
    served.service.context.close()


def test_the_registry_is_asked_again_only_when_something_changed(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    asked: list[int] = []

    def ask(_: Home) -> dict[str, Any]:
        asked.append(len(asked))
        return {"versions": [len(asked)]}

    models = RegisteredModels(home, ask=ask)
    assert models.listing() == NOTHING
    assert asked == []
    (tmp_path / "mlflow.db").write_text("a registry")
    assert [models.listing()["versions"] for _ in range(3)] == [[1], [1], [1]]
    promote(home, "2", who="test", why="test", verdict={"passed": True}, at=now())
    assert [models.listing()["versions"] for _ in range(2)] == [[2], [2]]


def test_a_process_that_ends_without_an_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_child.sys, "executable", "/bin/false")
    served = Admin(stored_home(tmp_path))
    answer = served.post("promote", version="2", **WHY)
    assert (answer.status_code, answer.json()) == (
        503,
        problem(503, "not-ready", "Service Unavailable", "The registry of models does not answer."),
    )
    assert [one.version_to for one in log(served.home)] == ["1"]
    served.service.context.close()
