"""How do accounts, contracts, lines and contract events look in the vendor's records?

Grain out: canonical rows of `accounts_history`, `contracts_history`, `subscription_lines_history`, `contract_events`.
"""

from __future__ import annotations

import numpy as np

from features.simulator.company import Company
from features.simulator.decisions import WINDOW
from features.simulator.entities import COUNTRIES, COUNTRY_OF_HQ, HQ_TZ
from features.simulator.seats import RENEWED, RESIZED, SIGNED, ContractStates, SeatPlan
from features.simulator.timeline import NEVER, Ints
from features.simulator.world import SEGMENTS
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

PRODUCTS = ("frameworks", "onair", "layout")
"""One product per segment: the vendor's catalogue is small."""


def write_contracts(writer: CanonicalWriter, company: Company, plan: SeatPlan) -> None:
    """Write the four tables."""
    _write_accounts(writer, company)
    _write_states(writer, company, plan.states)
    _write_ends(writer, company, plan.states)
    _write_events(writer, company, plan.states)


def contract_ids(company: Company) -> list[str]:
    """One contract per account; its renewals are states of it."""
    return [f"ct-{account.removeprefix('acc-')}" for account in company.accounts.ids]


def _write_accounts(writer: CanonicalWriter, company: Company) -> None:
    accounts = company.accounts
    count = len(accounts)
    rng = company.streams.named("accounts/handover")
    moved = np.flatnonzero(rng.random(count) < 0.10)
    team = company.world.portfolio.csm_team
    known = np.concatenate(
        [accounts.first_start - 30, company.time.monday(rng.integers(0, company.time.weeks, len(moved)))]
    )
    who = np.concatenate([np.arange(count), moved])
    # A hand-over before the account was known is no hand-over.
    kept = (np.arange(len(who)) < count) | (known > accounts.first_start[who])
    csm = np.concatenate([accounts.csm, (accounts.csm[moved] + 1) % team])[kept]
    who, known = who[kept], known[kept]
    writer.append(
        "accounts_history",
        len(who),
        {
            "account_id": Coded(who, accounts.ids),
            "valid_from": micros(known),
            "name": Coded(who, accounts.names),
            "parent_account_id": Coded(accounts.parent[who], accounts.ids),
            "segment": Coded(accounts.segment[who], SEGMENTS),
            "country": Coded(COUNTRY_OF_HQ[accounts.hq[who]], COUNTRIES),
            "hq_tz": Coded(accounts.hq[who], HQ_TZ),
            "created_on": accounts.first_start[who] - 30,
            "csm_owner_id": Coded(csm, [f"csm-{number:02d}" for number in range(1, team + 1)]),
            "is_internal": False,
            "is_test": False,
            "consent_pm_data": accounts.consent[who],
        },
    )


def _write_states(writer: CanonicalWriter, company: Company, states: ContractStates) -> None:
    # A renewal is booked when its term begins, not before: nobody reads the future from a signed renewal.
    _append_states(writer, company, states, valid_from=states.day, end_on=_end_on(company, states))
    writer.append(
        "subscription_lines_history",
        len(states.account),
        {
            "line_id": Coded(
                states.account, [f"ln-{account.removeprefix('acc-')}" for account in company.accounts.ids]
            ),
            "valid_from": micros(states.day),
            "available_at": micros(states.day),
            "contract_id": Coded(states.account, contract_ids(company)),
            "product_sku": Coded(company.accounts.segment[states.account], PRODUCTS),
            "quantity": states.seats,
            "unit_amount_minor": np.rint(states.price * (1 - states.discount) * 100).astype(np.int64),
            "interval": "year",
            "usage_type": "licensed",
            "status": "active",
        },
    )


def _write_ends(writer: CanonicalWriter, company: Company, states: ContractStates) -> None:
    # Contracts that end other than with their term get an end date, written on the day after it.
    decisions = company.decisions
    early = decisions.leaves & (decisions.kind != WINDOW)
    last = np.flatnonzero(np.append(states.account[1:] != states.account[:-1], True))
    last = last[early[states.account[last]]]
    gone = decisions.gone_from[states.account[last]]
    final = ContractStates(*(getattr(states, name)[last] for name in ContractStates.__slots__))
    _append_states(writer, company, final, valid_from=gone, end_on=np.ma.masked_array(gone - 1))


def _append_states(
    writer: CanonicalWriter,
    company: Company,
    states: ContractStates,
    *,
    valid_from: Ints,
    end_on: np.ma.MaskedArray,
) -> None:
    accounts = company.accounts
    who = states.account
    monthly = accounts.term_months[who] == 1
    start = np.where(monthly, accounts.first_start[who], company.terms.starts[who, states.term])
    years = np.where(monthly, 1.0, accounts.term_months[who] / 12)
    # Signed in the month before the term: what is booked at its start is past by then.
    ahead = company.streams.named("contracts/signature").integers(1, 31, company.terms.starts.shape)
    writer.append(
        "contracts_history",
        len(who),
        {
            "contract_id": Coded(who, contract_ids(company)),
            "valid_from": micros(valid_from),
            "available_at": micros(valid_from),
            "account_id": Coded(who, accounts.ids),
            "signed_on": start - ahead[who, np.where(monthly, 0, states.term)],
            "start_on": start,
            "end_on": end_on,
            "term_months": accounts.term_months[who],
            "auto_renew": True,
            "notice_period_days": accounts.notice_days[who],
            "action_at_term_end": Coded(monthly.astype(np.int8), ("renew", "evergreen")),
            "billing_interval": Coded(billing_codes(company)[who], BILLING),
            "currency": "USD",
            "tcv_minor": np.rint(states.acv_minor * years).astype(np.int64),
            "acv_minor": states.acv_minor,
            "discount_pct": states.discount,
            "payment_terms_days": company.world.money.payment_terms_days,
            "product_family": Coded(accounts.segment[who], PRODUCTS),
            "pilot": False,
        },
    )


BILLING = ("year", "quarter", "month")


def billing_codes(company: Company) -> Ints:
    """How often each account is invoiced, as a position in :data:`BILLING`."""
    draw = company.streams.named("money/billing").random(len(company.accounts))
    quarterly = (draw < company.world.money.quarterly_share).astype(np.int64)
    return np.where(company.accounts.term_months == 1, 2, quarterly)


def _end_on(company: Company, states: ContractStates) -> np.ma.MaskedArray:
    after = company.terms.starts[states.account, states.term + 1]
    return np.ma.masked_array(after - 1, mask=after >= NEVER)


def _write_events(writer: CanonicalWriter, company: Company, states: ContractStates) -> None:
    same = np.append(False, states.account[1:] == states.account[:-1])
    seats_before = np.where(same, np.roll(states.seats, 1), 0)
    value_before = np.where(same, np.roll(states.acv_minor, 1), 0)
    grows = states.seats >= seats_before
    kinds = ("signed", "renewed", "expanded", "contracted")
    kind = np.select(
        [states.cause == SIGNED, states.cause == RENEWED, (states.cause == RESIZED) & grows], [0, 1, 2], default=3
    )
    writer.append(
        "contract_events",
        len(kind),
        {
            "contract_event_id": ids("ce", np.arange(len(kind))),
            "contract_id": Coded(states.account, contract_ids(company)),
            "account_id": Coded(states.account, company.accounts.ids),
            "type": Coded(kind, kinds),
            "event_at": micros(states.day),
            "available_at": micros(states.day),
            "effective_on": states.day,
            "arr_delta_minor": states.acv_minor - value_before,
            "seats_delta": states.seats - seats_before,
            "initiated_by": Coded(np.where(states.cause == RENEWED, 1, 0), ("customer", "system")),
        },
    )
    _write_departures(writer, company, states)


def _write_departures(writer: CanonicalWriter, company: Company, states: ContractStates) -> None:
    decisions = company.decisions
    who = np.flatnonzero(decisions.leaves)
    last = np.searchsorted(states.account, who, side="right") - 1
    end = decisions.gone_from[who]
    lost = {"arr_delta_minor": -states.acv_minor[last], "seats_delta": -states.seats[last]}
    shared = {
        "contract_id": Coded(who, contract_ids(company)),
        "account_id": Coded(who, company.accounts.ids),
        "effective_on": end - 1,
    }
    notice = {
        **shared,
        "contract_event_id": ids("cn", who),
        "type": "notice_given",
        "event_at": micros(decisions.decided_at[who]),
        "recorded_at": micros(decisions.known_at[who]),
        "available_at": micros(decisions.known_at[who]),
        "initiated_by": "customer",
    }
    ended = {
        **shared,
        **lost,
        "contract_event_id": ids("cx", who),
        "type": Coded(np.where(decisions.kind[who] == WINDOW, 0, 1), ("expired", "cancelled")),
        "event_at": micros(end),
        "available_at": micros(end + 1),
        "initiated_by": Coded(np.where(decisions.kind[who] == WINDOW, 0, 1), ("system", "customer")),
    }
    for rows in (notice, ended):
        writer.append("contract_events", len(who), rows)
