"""What was made, and how did review go? Projects, milestones, tasks, assets, versions and review events."""

from __future__ import annotations

from features.tables.accounts import ACCOUNT, VALID_FROM, VALID_TO
from features.tables.columns import Role, Table, day, flag, integer, moment, number, text

PROJECT = text("project_id", "the project")
ASSET = text("asset_id", "the asset")

PROJECTS_HISTORY = Table(
    name="projects_history",
    grain="one row per project and state",
    role=Role.HISTORY,
    key=("project_id", "valid_from"),
    event_at_from="valid_from",
    columns=(
        PROJECT,
        VALID_FROM,
        VALID_TO,
        ACCOUNT,
        text("name_hash", "hash of the project's name", null=True),
        text("kind", "kind of work", choices="feature episodic spot promo live_graphics campaign game other"),
        text("campaign_instance_id", "the campaign it is made for", null=True),
        text("status_canonical", "state", choices="planned active on_hold delivered archived cancelled"),
        day("planned_start_on", "planned start", null=True),
        day("planned_end_on", "planned end", null=True),
        day("actual_start_on", "start", null=True),
        day("actual_end_on", "end", null=True),
        text("budget_band", "size of the budget", null=True),
    ),
)

MILESTONES_HISTORY = Table(
    name="milestones_history",
    grain="one row per milestone and state",
    role=Role.HISTORY,
    key=("milestone_id", "valid_from"),
    event_at_from="valid_from",
    columns=(
        text("milestone_id", "the milestone"),
        VALID_FROM,
        VALID_TO,
        PROJECT,
        text("name", "name", null=True),
        text("kind", "kind", choices="kickoff lock review delivery airdate other"),
        day("planned_on", "planned date now"),
        day("baseline_on", "first planned date ever"),
        day("completed_on", "done", null=True),
        text("status_canonical", "state", choices="not_started in_progress done blocked waived"),
    ),
)

TASKS_HISTORY = Table(
    name="tasks_history",
    grain="one row per task and state",
    role=Role.HISTORY,
    key=("task_id", "valid_from"),
    event_at_from="valid_from",
    columns=(
        text("task_id", "the task"),
        VALID_FROM,
        VALID_TO,
        PROJECT,
        text("asset_id", "the asset", null=True),
        text("step", "step of the pipeline", null=True),
        text("status_canonical", "state", choices="todo ready in_progress review approved done on_hold omitted"),
        day("start_on", "planned start", null=True),
        day("due_on", "due", null=True),
        moment("done_at", "done", null=True),
        integer("est_s", "estimate", unit="seconds", null=True, minimum=0),
        integer("logged_s", "time logged", unit="seconds", null=True, minimum=0),
        text("assignee_key", "salted hash of the assignee", null=True),
    ),
)

ASSETS = Table(
    name="assets",
    grain="one row per asset",
    role=Role.EVENT,
    key=("asset_id",),
    event_at_from="created_at",
    columns=(
        ASSET,
        PROJECT,
        ACCOUNT,
        text("asset_type", "kind of asset", choices="shot asset_build spot graphic cut still template other"),
        moment("created_at", "creation"),
        day("required_by_on", "needed by", null=True),
    ),
)

ASSET_VERSIONS = Table(
    name="asset_versions",
    grain="one row per version of an asset; versions never change",
    role=Role.EVENT,
    key=("version_id",),
    event_at_from="created_at",
    columns=(
        text("version_id", "the version"),
        ASSET,
        PROJECT,
        ACCOUNT,
        integer("version_no", "number of the version within the asset", minimum=1),
        moment("created_at", "creation"),
        text("author_key", "salted hash of the author", null=True),
        text("task_id", "the task", null=True),
        flag("is_published", "published?", null=True),
        number("media_duration_s", "length of the medium", unit="seconds", null=True, low=0),
        text("supersedes_version_id", "the version before", null=True),
    ),
)

REVIEW_EVENTS = Table(
    name="review_events",
    grain="one row per event in the review of a version",
    role=Role.EVENT,
    key=("review_event_id",),
    event_at_from="happened_at",
    columns=(
        text("review_event_id", "the event"),
        text("version_id", "the version"),
        ASSET,
        ACCOUNT,
        text(
            "type",
            "what happened",
            choices="submitted viewed comment comment_resolved changes_requested approved rejected "
            "approval_withdrawn client_approved delivered",
        ),
        moment("happened_at", "when"),
        text("decided_by", "who decided", choices="internal client unknown", null=True),
        text("actor_key", "salted hash of the actor", null=True),
        text("text_id", "free text", null=True),
        text("thread_id", "thread of comments", null=True),
        text("source_status", "the status in the source's own words", null=True),
        text("mapping_rule", "which mapping row gave the type", null=True),
    ),
)

TABLES = (PROJECTS_HISTORY, MILESTONES_HISTORY, TASKS_HISTORY, ASSETS, ASSET_VERSIONS, REVIEW_EVENTS)
