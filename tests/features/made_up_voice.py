"""Made-up surveys, tickets, texts and reviews with sponsors."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.features.made_up_rows import ACCOUNTS, Row, event, moment, state

_SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7), "review_pulse": (1, 5)}
_TOPICS = (None, "praise", "price speed", "missing_feature", "speed competitor", "prices")


def voice_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of voice by name."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    responses: list[Row] = []
    invitations: list[Row] = []
    for number in range(60):
        _add_invitation(random, number, responses, invitations)
    tickets = [row for number in range(60) for row in _ticket(random, f"t{number}", random.choice(ACCOUNTS))]
    return {
        "survey_responses": responses,
        "survey_invitations": invitations,
        "tickets_history": tickets,
        "texts": [row for number in range(50) for row in _text(random, number)],
        "interventions": [row for number in range(50) for row in _review(random, number)],
    }


def _add_invitation(random: Random, number: int, responses: list[Row], invitations: list[Row]) -> None:
    at = moment(random)
    family = random.choice(tuple(_SCALES))
    low, high = _SCALES[family]
    cells = {"account_id": random.choice(ACCOUNTS), "survey_family": family}
    if random.random() < 0.8:
        status = random.choice(("sent", "sent", "bounced"))
        invitations += event(random, at, {"status": ("sent",)}, invitation_id=f"v{number}", status=status, **cells)
    for _ in range(random.randrange(0, 2)):
        responses += event(
            random,
            moment(random, after=at, within=timedelta(days=9)),
            {"score_raw": range(low, high + 1)},
            response_id=f"r{number}",
            survey_id="s",
            respondent_key=random.choice((None, *(f"u{place}" for place in range(5)))),
            question_key="q",
            scale_min=low,
            scale_max=high,
            score_raw=random.choice((None, *range(low, high + 1))),
            **cells,
        )


def _ticket(random: Random, ticket: str, account: str) -> list[Row]:
    at = moment(random)
    cells = {"ticket_id": ticket, "account_id": account, "created_at": at, "priority": random.choice(("low", "urgent"))}
    rows = [state(random, at, status="open", reopens=0, **cells)]
    for reopens in range(random.randrange(0, 3)):
        at = moment(random, after=at, within=timedelta(days=6))
        solved_at = at if random.random() < 0.7 else None
        rows.append(state(random, at, status="solved", reopens=reopens, solved_at=solved_at, **cells))
        if random.random() < 0.4:
            at = moment(random, after=at, within=timedelta(days=6))
            rows.append(state(random, at, status="open", reopens=reopens + 1, **cells))
    if random.random() < 0.1:
        rows.append({**rows[-1], "available_at": rows[-1]["available_at"] + timedelta(days=20), "op": "delete"})
    return rows


def _text(random: Random, number: int) -> list[Row]:
    at = moment(random)
    change = {"sentiment": (-1.0, 0.5), "topics": _TOPICS}
    cells = {name: random.choice(values) for name, values in change.items()}
    return event(random, at, change, text_id=f"x{number}", account_id=random.choice(ACCOUNTS), written_at=at, **cells)


def _review(random: Random, number: int) -> list[Row]:
    at = moment(random)
    change = {"kind": ("exec_review", "call"), "customer_response": (None, "none", "will stay")}
    cells = {name: random.choice(values) for name, values in change.items()}
    ended = random.choice((None, moment(random, after=at, within=timedelta(days=9))))
    who = {"account_id": random.choice(ACCOUNTS), "playbook_id": "p"}
    return event(random, at, change, intervention_id=f"i{number}", started_at=at, ended_at=ended, **who, **cells)
