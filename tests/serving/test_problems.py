from __future__ import annotations

import json

import pytest

from features import errors
from features.errors import PulseError
from serving.problems import FieldError, Problem, field_errors


def test_a_problem_is_a_whole_document() -> None:
    assert json.loads(Problem.of(413).body("r-1")) == {
        "type": "urn:campaign-pulse:problem:body-too-large",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": "The body is larger than this service takes.",
        "instance": "urn:campaign-pulse:request:r-1",
        "request_id": "r-1",
    }


def test_errors_are_there_for_invalid_input_only() -> None:
    problem = Problem(422, "no", (FieldError("body.a", "missing", "Field required"),))
    assert problem.document("r")["errors"] == [{"field": "body.a", "rule": "missing", "message": "Field required"}]
    assert "errors" not in Problem.of(404).document("r")


@pytest.mark.parametrize(("status", "seconds"), [(429, "1"), (503, "5"), (404, None)])
def test_a_problem_that_passes_says_when_to_come_back(status: int, seconds: str | None) -> None:
    assert Problem.of(status).headers().get("retry-after") == seconds


_KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PulseError)]


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.__name__)
def test_every_failure_of_ours_has_a_status_and_tells_neither_files_nor_data(kind: type[PulseError]) -> None:
    failure = kind("it went wrong", expected="something good", found="secret-account", todo="look at /home/x/state.db")
    problem = Problem.of_error(failure)
    expected = {"UsageError": 400, "UnknownAccount": 404, "ServiceUnavailable": 503}
    expected |= {"MissingStateError": 503, "IntegrityError": 503, "StorageFull": 507}
    assert problem.status == expected.get(kind.__name__, 500)
    words = json.dumps(problem.document("r"))
    assert "secret-account" not in words
    assert "/home/x" not in words


def test_a_field_error_names_declared_places_only_and_no_value() -> None:
    found = [
        {"type": "string_type", "loc": ("body", "account_ids", 3), "msg": "Input should be a valid string", "input": 7},
        {"type": "extra_forbidden", "loc": ("body", "s3cret"), "msg": "Extra inputs are not permitted", "input": "x"},
        {"type": "extra_forbidden", "loc": ("body", "other"), "msg": "Extra inputs are not permitted", "input": "y"},
        {"type": "json_invalid", "loc": ("body", 17), "msg": "JSON decode error", "ctx": {"error": "s3cret"}},
    ]
    assert field_errors(found, frozenset({"body", "account_ids"})) == (
        FieldError("body.account_ids[3]", "string_type", "Input should be a valid string"),
        FieldError("body", "extra_forbidden", "Extra inputs are not permitted"),
        FieldError("body", "json_invalid", "This is not JSON."),
    )
