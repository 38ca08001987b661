"""What do the customers say? Tickets, surveys, invitations and texts."""

from __future__ import annotations

from datetime import timedelta

from features.tables.accounts import ACCOUNT, VALID_FROM, VALID_TO
from features.tables.columns import Role, Table, flag, integer, moment, number, text

TICKETS_HISTORY = Table(
    name="tickets_history",
    grain="one row per ticket and state",
    role=Role.HISTORY,
    key=("ticket_id", "valid_from"),
    event_at_from="valid_from",
    columns=(
        text("ticket_id", "the ticket"),
        VALID_FROM,
        VALID_TO,
        ACCOUNT,
        text("requester_key", "salted hash of the requester", null=True),
        moment("created_at", "opened"),
        text("channel", "channel", null=True),
        text("type", "kind", choices="problem incident question task", null=True),
        text("priority", "priority", choices="low normal high urgent", null=True),
        text("status", "state", choices="new open pending hold solved closed"),
        text("product_sku", "product", null=True),
        text("feature_code", "feature", null=True),
        text("tags", "tags", null=True),
        integer("first_reply_s", "time to first reply", unit="seconds", null=True, minimum=0),
        integer("full_resolution_s", "time to resolution", unit="seconds", null=True, minimum=0),
        integer("reopens", "times reopened", unit="times", null=True, minimum=0),
        moment("solved_at", "solved", null=True),
        flag("is_escalated", "escalated?", null=True),
        text("problem_ticket_id", "outage shared by many accounts", null=True),
    ),
)

SURVEY_RESPONSES = Table(
    name="survey_responses",
    grain="one row per answered question",
    role=Role.EVENT,
    key=("response_id", "question_key"),
    event_at_from="submitted_at",
    lag=timedelta(days=1),
    columns=(
        text("response_id", "the response"),
        text("survey_id", "the survey"),
        text("survey_family", "kind of survey", choices="nps csat ces review_pulse other"),
        text("account_id", "the account", null=True),
        text("respondent_key", "salted hash of the respondent", null=True),
        text("channel", "channel", null=True),
        moment("invited_at", "invited", null=True),
        moment("started_at", "started", null=True),
        moment("submitted_at", "submitted"),
        flag("finished", "finished?", null=True),
        text("question_key", "the question"),
        number("scale_min", "lowest answer", null=True),
        number("scale_max", "highest answer", null=True),
        number("score_raw", "the answer", null=True),
        number("score_01", "the answer on 0-1, 1 = best", null=True, low=0, high=1),
        text("text_id", "free text", null=True),
        text("campaign_instance_id", "the campaign it belongs to", null=True),
        text("project_id", "the project it belongs to", null=True),
        text("asset_id", "the asset it belongs to", null=True),
    ),
)

SURVEY_INVITATIONS = Table(
    name="survey_invitations",
    grain="one row per invitation",
    role=Role.EVENT,
    key=("invitation_id",),
    event_at_from="sent_at",
    columns=(
        text("invitation_id", "the invitation"),
        ACCOUNT,
        text("respondent_key", "salted hash of the respondent", null=True),
        text("survey_family", "kind of survey", choices="nps csat ces review_pulse other", null=True),
        moment("sent_at", "sent"),
        text("status", "state", null=True),
    ),
)

TEXTS = Table(
    name="texts",
    grain="one row per free text, redacted before it is stored",
    role=Role.EVENT,
    key=("text_id",),
    event_at_from="written_at",
    columns=(
        text("text_id", "the text"),
        text("account_id", "the account", null=True),
        moment("written_at", "written"),
        text("lang", "language", null=True),
        text("body_enc", "encrypted body", null=True),
        text("sentiment_model", "which model judged it", null=True),
        number("sentiment", "tone", null=True, low=-1, high=1),
        text("topics", "space-separated topics; price, competitor and missing_feature are reasons to leave", null=True),
        flag("redacted", "redacted?", null=True),
        moment("purge_after", "when it is to be erased", null=True),
    ),
)

TABLES = (TICKETS_HISTORY, SURVEY_RESPONSES, SURVEY_INVITATIONS, TEXTS)
