"""``POST /v1/events/{table}``: what happened just now?

Rows are judged, then written down in one transaction together with the answer to the call's idempotency key; only then
is it answered. The journal's worker does the rest.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path, Request, Response

from features.journal import Became, Cell, Outcome, SentRows, columns_to_send
from features.state import writing
from serving.access.door import Caller
from serving.api.describe import problems
from serving.context import ServiceContext, caller_of, context_of
from serving.event_bodies import MOST_ROWS, TABLES, EventOut, EventRow, EventsResponse
from serving.exchange import REQUEST_ID
from serving.idempotency import HEADER, REPLAYED, Answered, Claim
from serving.problems import MEDIA_TYPE, FieldError, Problem, Refused

router = APIRouter(tags=["events"])
CLOSED = f"This table takes no rows from applications; these do: {', '.join(TABLES)}."
ON_A_PAST_DATE = "This service stands on a fixed date (`--as-of`): what is known only now has no place in it."
ALL_REFUSED = "No row could be taken; errors says why. They wait in quarantine."

TableName = Annotated[
    str,
    Path(
        description="a canonical table whose rows concern one account",
        examples=["tickets_history"],
        json_schema_extra={"enum": list(TABLES)},
    ),
]
KeyHeader = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="a key of your own; the same call with the same key takes effect once and is answered with the "
        "same bytes for 24 hours",
        examples=["8f14e45f-ceea-467f-a1d0-91f4e3c9b2aa"],
    ),
]


async def _raw_body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/v1/events/{table}", responses=problems(404, 409, 422), operation_id="events", response_model=EventsResponse
)
def send_events(
    *,
    table: TableName,
    rows: Annotated[list[EventRow], Body(min_length=1, max_length=MOST_ROWS)],
    raw: Annotated[bytes, Depends(_raw_body)],
    context: Annotated[ServiceContext, Depends(context_of)],
    request: Request,
    key: KeyHeader = None,
) -> Response:
    """Send rows of one table. Good ones are durable and in the next scores; bad ones wait in quarantine, with a reason.

    The answer says what became of each row. Where none could be taken it is a 422 that names each row and rule. Columns
    and their meaning: docs/tables.md. From when a row counts as known is the moment of its arrival.
    """
    if table not in TABLES:
        raise Refused(Problem.of(404, CLOSED))
    if context.settings.as_of is not None:
        raise Refused(Problem.of(409, ON_A_PAST_DATE))
    cells = [row.root for row in rows]
    _require_columns(table, cells)
    claim = _claim(context, caller_of(request), table, raw, key)
    if isinstance(claim, Answered):
        return _response(claim, replayed=True)
    try:
        return _response(_taken(context, table, cells, claim, request.scope.get(REQUEST_ID, "")))
    finally:
        if claim is not None:
            context.events.keys.give_back(claim)


def _claim(
    context: ServiceContext, caller: Caller | None, table: str, raw: bytes, key: str | None
) -> Claim | Answered | None:
    if key is None:
        return None
    fingerprint = hashlib.sha256(table.encode() + b"\n" + raw).hexdigest()
    who = caller.prefix if caller else "-"
    return context.events.keys.claim(f"{who} events {key}", fingerprint, now=context.clock())


def _taken(
    context: ServiceContext, table: str, rows: Sequence[Mapping[str, Cell]], claim: Claim | None, request_id: str
) -> Answered:
    sent = context.events.judge(table, rows)
    journal = context.events.journal
    journal.ring()  # whoever works the journal off looks into it from now on, even if we end before the next ring
    with writing(journal.engine) as connection:
        kept = journal.keep(connection, sent)
        answered = _answered(kept, request_id)
        if claim is not None:
            context.events.keys.complete(connection, claim, answered)
    journal.ring()
    for became, count in Counter(outcome.became for outcome in kept.outcomes).items():
        context.metrics.rows(became, count)
    return answered


def _answered(sent: SentRows, request_id: str) -> Answered:
    if all(outcome.became is Became.QUARANTINED for outcome in sent.outcomes):
        errors = tuple(
            FieldError(f"body[{place}]{f'.{one.column}' if one.column else ''}", one.rule, one.reason)
            for place, one in enumerate(sent.outcomes)
        )
        return Answered(422, Problem(422, ALL_REFUSED, errors).body(request_id))
    counts = Counter(outcome.became for outcome in sent.outcomes)
    body = EventsResponse(
        load_id=sent.load_id,
        table=sent.table,
        arrived_at=sent.arrived_at,
        **{str(became): counts[became] for became in Became},
        rows=[_event_out(place, outcome) for place, outcome in enumerate(sent.outcomes)],
    )
    return Answered(200, body.model_dump_json().encode())


def _event_out(place: int, outcome: Outcome) -> EventOut:
    return EventOut(
        row=place,
        status=outcome.became,
        column=outcome.column or None,
        rule=outcome.rule or None,
        reason=outcome.reason or None,
    )


def _require_columns(table: str, rows: Sequence[Mapping[str, Cell]]) -> None:
    known = columns_to_send(table)
    errors = []
    for place, row in enumerate(rows):
        if not row:
            errors.append(FieldError(f"body[{place}]", "empty_row", "A row has at least one cell."))
        elif "available_at" in row:
            words = "From when a row is known is the moment of its arrival: leave this column out."
            errors.append(FieldError(f"body[{place}].available_at", "not_to_be_sent", words))
        elif set(row) - known:
            words = (
                f"{len(set(row) - known)} of its names are no column of {table} that can be sent: see docs/tables.md."
            )
            errors.append(FieldError(f"body[{place}]", "unknown_column", words))
    if errors:
        raise Refused(Problem.of(422, errors=tuple(errors)))


def _response(answered: Answered, *, replayed: bool = False) -> Response:
    media_type = MEDIA_TYPE if answered.is_problem else "application/json"
    headers = {REPLAYED: "true"} if replayed else {}
    return Response(answered.body, status_code=answered.status, media_type=media_type, headers=headers)
