"""What do the accounts say in surveys?

Grain out: canonical rows of `survey_invitations` and `survey_responses`: recommendation once a quarter, a pulse after
campaigns. Ratings of solved tickets are written with the tickets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.campaign_tables import took_part
from features.simulator.company import Company
from features.simulator.timeline import Flags, Floats, Ints, sigmoid
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

QUARTER = 13
_PULSE_SHARE = 0.5
_PULSE_LEVEL, _PULSE_LOADING, _PULSE_SD = 3.6, 0.6, 0.7
"""Pulse after a wrap, 1-5: centred a little above the middle, about as noisy as a recommendation score."""


@dataclass(frozen=True, slots=True)
class Survey:
    """One kind of survey: its scale, the question, and the letters of its ids."""

    family: str
    low: int
    high: int
    question: str
    letters: str


NPS = Survey("nps", 0, 10, "recommend", "np")
PULSE = Survey("review_pulse", 1, 5, "campaign_went_well", "pu")
CSAT = Survey("csat", 1, 5, "satisfied", "cs")


@dataclass(frozen=True, slots=True)
class Asked:
    """People asked: number of the invitation, account, person, moment, answer or not, score, campaign run or -1."""

    number: Ints
    account: Ints
    person: Ints
    sent: Floats
    answered: Flags
    score: Floats
    delay: Floats
    run: Ints


def write_surveys(writer: CanonicalWriter, company: Company) -> None:
    """Draw and write recommendation and pulse surveys."""
    write_asked(writer, company, NPS, _ask_to_recommend(company))
    write_asked(writer, company, PULSE, _ask_after_wraps(company))


def _ask_to_recommend(company: Company) -> Asked:
    law, time = company.world.voice, company.time
    rng = company.streams.named("surveys/nps")
    offset = np.arange(len(company.accounts))[:, None] % QUARTER
    asks = company.live & (np.arange(time.weeks)[None, :] % QUARTER == offset)
    account, week = np.nonzero(asks)
    people = np.minimum(law.nps_respondents, 1 + company.accounts.seats[account] // 15)
    # Draws are made for the largest group, so that one more person asked moves nobody else's answer.
    shape = (len(account), law.nps_respondents)
    draw, noise = rng.random((3, *shape)), rng.standard_normal(shape)
    row, person = np.nonzero(np.arange(law.nps_respondents)[None, :] < people[:, None])
    h = company.latent.h[account[row], week[row]]
    answered = draw[0, row, person] < sigmoid(law.nps_response_intercept + law.nps_response_loading * h)
    score = np.rint(law.nps_level + law.nps_loading * h + law.nps_sd * noise[row, person])
    return Asked(
        number=law.nps_respondents * row + person,
        account=account[row],
        person=person,
        sent=time.monday(week[row]) + 1 + 9 / 24 + draw[2, row, person] / 24,
        answered=answered,
        score=np.clip(score, NPS.low, NPS.high),
        delay=0.2 + 9 * draw[1, row, person] ** 2,
        run=np.full(len(row), -1),
    )


def _ask_after_wraps(company: Company) -> Asked:
    rng = company.streams.named("surveys/pulse")
    shape = company.campaigns.joined.shape
    draw, noise = rng.random((2, *shape)), rng.standard_normal(shape)
    account, run = np.nonzero(took_part(company))
    sent = company.campaigns.last_day[run] + 2 + 10 / 24
    kept = (sent >= company.time.first_day) & (
        sent < np.minimum(company.decisions.gone_from[account], company.time.end_day)
    )
    account, run, sent = account[kept], run[kept], sent[kept]
    h = company.latent.h[account, company.time.week_of(sent)]
    score = np.rint(_PULSE_LEVEL + _PULSE_LOADING * h + _PULSE_SD * noise[account, run])
    return Asked(
        number=shape[1] * account + run,
        account=account,
        person=np.zeros(len(account), dtype=np.int64),
        sent=sent,
        answered=draw[0, account, run] < _PULSE_SHARE,
        score=np.clip(score, PULSE.low, PULSE.high),
        delay=0.2 + 8 * draw[1, account, run] ** 2,
        run=run,
    )


def write_asked(writer: CanonicalWriter, company: Company, survey: Survey, asked: Asked) -> None:
    """Write invitations and the answers that came."""
    most = company.world.voice.nps_respondents
    labels = [f"{name}-p{person}" for name in company.accounts.ids for person in range(most)]
    respondent = Coded(most * asked.account + asked.person, labels)
    writer.append(
        "survey_invitations",
        len(asked.number),
        {
            "invitation_id": ids(f"{survey.letters}i", asked.number),
            "account_id": Coded(asked.account, company.accounts.ids),
            "respondent_key": respondent,
            "survey_family": survey.family,
            "sent_at": micros(asked.sent),
            "status": "sent",
        },
    )
    _write_answers(writer, company, survey, asked, respondent=respondent)


def _write_answers(
    writer: CanonicalWriter, company: Company, survey: Survey, asked: Asked, *, respondent: Coded
) -> None:
    rows = np.flatnonzero(asked.answered)
    score = asked.score[rows]
    writer.append(
        "survey_responses",
        len(rows),
        {
            "response_id": ids(f"{survey.letters}r", asked.number[rows]),
            "survey_id": f"{survey.family}-standing",
            "survey_family": survey.family,
            "account_id": Coded(asked.account[rows], company.accounts.ids),
            "respondent_key": Coded(respondent.codes[rows], respondent.labels),
            "channel": "email",
            "invited_at": micros(asked.sent[rows]),
            "submitted_at": micros(asked.sent[rows] + asked.delay[rows]),
            "finished": True,
            "question_key": survey.question,
            "scale_min": float(survey.low),
            "scale_max": float(survey.high),
            "score_raw": score,
            "score_01": (score - survey.low) / (survey.high - survey.low),
            "campaign_instance_id": Coded(asked.run[rows], [each.name for each in company.campaigns.instances]),
        },
    )
