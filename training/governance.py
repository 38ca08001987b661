"""Whose approval does a model need before it goes live, and who gave it?

Which roles must approve stands in a YAML file that ``PULSE_GOVERNANCE`` names; without one the verdict of the gates is
enough. Grain of the record: one row per approval or withdrawal, append-only. An approval is given against the model
that was live at the time, after what would change was shown; another promotion in between makes it void.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.audit_log import Deed, What, write
from features.errors import ConfigError, GateRefused, UsageError
from features.settings import Home
from features.state import has_state, open_state
from training.roles import Decision, Role

GOVERNANCE_VARIABLE = "PULSE_GOVERNANCE"


class Governance(BaseModel):
    """The rule of approval of one installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    required_approvals: tuple[Role, ...] = Field(default=(), description="roles that must approve before a promotion")
    distinct_people: bool = Field(
        default=True, description="one person cannot approve in two roles: four eyes are the point of two roles"
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Governance:
        """The rule in the file that ``PULSE_GOVERNANCE`` names; no approvals where it names none.

        Raises:
            ConfigError: the file is absent, no YAML, or says what is not known.
        """
        named = (os.environ if environment is None else environment).get(GOVERNANCE_VARIABLE)
        return cls.read(Path(named)) if named else cls()

    @classmethod
    def read(cls, path: Path) -> Governance:
        """The rule in a YAML file; raises as :meth:`from_environment`."""
        try:
            document = yaml.safe_load(path.read_text())
            return cls.model_validate(document if document is not None else {})
        except OSError as cause:
            raise _unreadable("no file that can be read") from cause
        except yaml.YAMLError as cause:
            raise _unreadable("text that is no YAML") from cause
        except ValidationError as cause:
            found = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in cause.errors())
            raise _unreadable(found) from cause


@dataclass(frozen=True, slots=True)
class Approval:
    """One line of the record. ``against`` is the version that was live then; None when none was."""

    at: datetime
    who: str
    role: Role
    version: str
    against: str | None
    decision: Decision
    why: str


_METADATA = sa.MetaData()
_RECORD = sa.Table(
    "model_approvals",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("against", sa.String),
    sa.Column("decision", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
)


def record(home: Home, approval: Approval, rule: Governance) -> Approval:
    """Write a decision down.

    Raises:
        UsageError: the person approved already in another role, or there is nothing to withdraw.
    """
    standing = standing_approvals(home, approval.version, against=approval.against)
    if approval.decision is Decision.WITHDRAW and approval.role not in standing:
        raise UsageError(
            f"there is no approval of version {approval.version} to withdraw",
            expected=f"a standing approval as {approval.role}",
            found=f"approvals as {', '.join(standing)}" if standing else "none",
            todo="run `pulse models` to see the approvals",
        )
    others = [one.role for one in standing.values() if one.who == approval.who and one.role is not approval.role]
    if rule.distinct_people and approval.decision is Decision.APPROVE and others:
        raise UsageError(
            f"version {approval.version} needs another person's eyes",
            expected=f"a person for {approval.role} who has not approved in another role",
            found=f"the person who approved as {', '.join(others)}",
            todo="let a colleague approve, or withdraw the other approval first",
        )
    with _opened(home).begin() as connection:
        connection.execute(
            sa.insert(_RECORD).values(
                at=approval.at.isoformat(),
                who=approval.who,
                role=str(approval.role),
                version=approval.version,
                against=approval.against,
                decision=str(approval.decision),
                why=approval.why,
            )
        )
        write(connection, _deed(approval, standing))
    return approval


def _deed(approval: Approval, standing: Mapping[Role, Approval]) -> Deed:
    after = {"role": approval.role, "decision": approval.decision, "against": approval.against, "why": approval.why}
    before = {"approved by": [str(role) for role in standing]}
    return Deed(approval.at, approval.who, What.APPROVAL, f"model {approval.version}", before, after)


def approvals(home: Home) -> tuple[Approval, ...]:
    """Every approval and withdrawal, oldest first; empty where there is no state yet (and none is made)."""
    if not has_state(home):
        return ()
    with _opened(home).connect() as connection:
        rows = connection.execute(sa.select(_RECORD).order_by(_RECORD.c.id)).mappings().all()
    return tuple(
        Approval(
            at=datetime.fromisoformat(row["at"]),
            who=row["who"],
            role=Role(row["role"]),
            version=row["version"],
            against=row["against"],
            decision=Decision(row["decision"]),
            why=row["why"],
        )
        for row in rows
    )


def standing_approvals(home: Home, version: str, *, against: str | None) -> dict[Role, Approval]:
    """The approvals of a version that hold against the model live now: the last word of each role."""
    last = {one.role: one for one in approvals(home) if one.version == version and one.against == against}
    return {role: one for role, one in last.items() if one.decision is Decision.APPROVE}


def require_approvals(home: Home, version: str, *, against: str | None, rule: Governance) -> None:
    """Do nothing where every required role approved this version against the model that is live.

    Raises:
        GateRefused: an approval is missing, was withdrawn, or was given against another model.
    """
    standing = standing_approvals(home, version, against=against)
    missing = [role for role in rule.required_approvals if role not in standing]
    if missing:
        raise GateRefused(
            f"version {version} is not approved yet",
            expected=f"approvals by {', '.join(rule.required_approvals)} against {_named(against)}",
            found=f"none by {', '.join(missing)}",
            todo=f"run `pulse preview {version} --as-of DATE`, then `pulse approve {version} --as {missing[0]}`",
        )


def _named(version: str | None) -> str:
    return f"the live version {version}" if version else "an empty promotion log"


def _opened(home: Home) -> sa.Engine:
    return open_state(home, what="the record of approvals")


def _unreadable(found: str) -> ConfigError:
    roles = ", ".join(Role)
    return ConfigError(
        "the rule of approval cannot be read",
        expected=f"a YAML file with required_approvals (any of {roles}) and distinct_people (true or false)",
        found=found,
        todo=f"repair the file that {GOVERNANCE_VARIABLE} names, or unset it",
    )
