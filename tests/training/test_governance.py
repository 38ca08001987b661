"""Approvals: who must agree before a model goes live, and what makes an agreement void."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.errors import ConfigError, GateRefused, UsageError
from features.settings import Home
from features.state import open_state
from training import governance
from training.governance import Approval, Governance
from training.roles import Decision, Role

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
BOTH = Governance(required_approvals=(Role.FINANCE, Role.SUCCESS))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


def says(home: Home, who: str, role: Role, decision: Decision = Decision.APPROVE, against: str | None = "1") -> None:
    governance.record(home, Approval(NOON, who, role, "2", against, decision, "read it"), BOTH)


def test_without_a_file_no_approval_is_needed_and_asking_writes_nothing(home: Home) -> None:
    rule = Governance.from_environment({})
    assert rule == Governance(required_approvals=(), distinct_people=True)
    governance.require_approvals(home, "2", against="1", rule=rule)
    assert governance.approvals(home) == ()
    assert not home.root.exists()


def test_the_file_that_the_environment_names_says_who_must_approve(tmp_path: Path) -> None:
    rule = tmp_path / "governance.yaml"
    rule.write_text("required_approvals: [finance, success]\ndistinct_people: false\n")
    read = Governance.from_environment({"PULSE_GOVERNANCE": str(rule)})
    assert read == Governance(required_approvals=(Role.FINANCE, Role.SUCCESS), distinct_people=False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "no file that can be read"),
        ("required_approvals: [finance", "no YAML"),
        ("required_approvals: [legal]", "required_approvals.0"),
        ("approvers: [finance]", "approvers: Extra inputs"),
    ],
)
def test_a_rule_that_cannot_be_read_opens_no_way(tmp_path: Path, text: str | None, found: str) -> None:
    # Read as "no approvals needed", a typing mistake would put a model live that nobody agreed to.
    rule = tmp_path / "governance.yaml"
    if text is not None:
        rule.write_text(text)
    with pytest.raises(ConfigError, match="finance, success, product") as refusal:
        Governance.from_environment({"PULSE_GOVERNANCE": str(rule)})
    assert found in refusal.value.found


def test_every_required_role_must_approve(home: Home) -> None:
    with pytest.raises(GateRefused, match="none by finance, success"):
        governance.require_approvals(home, "2", against="1", rule=BOTH)
    says(home, "ada", Role.FINANCE)
    with pytest.raises(GateRefused, match="none by success"):
        governance.require_approvals(home, "2", against="1", rule=BOTH)
    says(home, "bob", Role.SUCCESS)
    governance.require_approvals(home, "2", against="1", rule=BOTH)


def test_an_approval_is_for_one_version_against_one_live_model(home: Home) -> None:
    # What people agreed to was the change from 1 to 2; from 3 to 2 other accounts change band.
    says(home, "ada", Role.FINANCE)
    says(home, "bob", Role.SUCCESS)
    for version, against in (("2", "3"), ("2", None), ("4", "1")):
        with pytest.raises(GateRefused):
            governance.require_approvals(home, version, against=against, rule=BOTH)


def test_an_approval_can_be_taken_back_and_given_again(home: Home) -> None:
    says(home, "ada", Role.FINANCE)
    says(home, "bob", Role.SUCCESS)
    says(home, "ada", Role.FINANCE, Decision.WITHDRAW)
    with pytest.raises(GateRefused, match="none by finance"):
        governance.require_approvals(home, "2", against="1", rule=BOTH)
    says(home, "eve", Role.FINANCE)
    governance.require_approvals(home, "2", against="1", rule=BOTH)
    decisions = [(one.who, one.decision) for one in governance.approvals(home)]
    assert decisions == [("ada", "approve"), ("bob", "approve"), ("ada", "withdraw"), ("eve", "approve")]


def test_one_person_cannot_approve_in_two_roles(home: Home) -> None:
    says(home, "ada", Role.FINANCE)
    with pytest.raises(UsageError, match="another person"):
        says(home, "ada", Role.SUCCESS)
    says(home, "ada", Role.FINANCE)
    assert len(governance.approvals(home)) == 2


def test_where_one_person_does_it_all_the_rule_can_say_so(home: Home) -> None:
    alone = Governance(required_approvals=(Role.FINANCE, Role.SUCCESS), distinct_people=False)
    for role in alone.required_approvals:
        governance.record(home, Approval(NOON, "ada", role, "2", None, Decision.APPROVE, "small shop"), alone)
    governance.require_approvals(home, "2", against=None, rule=alone)


def test_there_must_be_an_approval_to_take_back(home: Home) -> None:
    with pytest.raises(UsageError, match="no approval of version 2 to withdraw"):
        says(home, "ada", Role.FINANCE, Decision.WITHDRAW)
    assert governance.approvals(home) == ()


@pytest.mark.parametrize("statement", ["UPDATE model_approvals SET who = 'eve'", "DELETE FROM model_approvals"])
def test_the_record_cannot_be_changed_afterwards(home: Home, statement: str) -> None:
    says(home, "ada", Role.FINANCE)
    engine = open_state(home)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert [one.who for one in governance.approvals(home)] == ["ada"]
