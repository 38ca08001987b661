"""How do the leads' weights and an account's place by them become bodies? Pure."""

from __future__ import annotations

from dataclasses import asdict

from serving.leads_priority import Policy, Priorities, PriorityPlace, Trial
from serving.priority_bodies import PolicyOut, PolicyPartOut, PolicyPlaceOut, PolicyTrialOut


def policy_out(policy: Policy, *, recorded: bool | None) -> PolicyOut:
    """The weights in force."""
    return PolicyOut(
        policy_id=policy.policy_id,
        name=policy.name,
        set_by=policy.set_by,
        set_at=policy.set_at,
        why=policy.why,
        shares=dict(policy.shares),
        trial=_trial_out(policy.trial) if policy.trial else None,
        recorded=recorded,
    )


def place_out(order: Priorities, place: PriorityPlace) -> PolicyPlaceOut:
    """Where an account stands, and what each subcategory adds."""
    shares = order.policy.shares
    return PolicyPlaceOut(
        policy_id=order.policy.policy_id,
        name=order.policy.name,
        as_of=order.as_of,
        policy_index=place.index,
        place=place.place,
        among=place.among,
        parts=[
            PolicyPartOut(subcategory=part, share=shares[part], standing=standing, adds=shares[part] * standing)
            for part, standing in place.standings.items()
        ],
    )


def _trial_out(trial: Trial) -> PolicyTrialOut:
    return PolicyTrialOut.model_validate(asdict(trial))
