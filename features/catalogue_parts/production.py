"""How is work organised, and how much of it is done in the tool: tasks, comments, wraps, reach?

The second half of output quality: what needs tasks, comments, campaigns or usage beside the reviews and projects.
"""

from __future__ import annotations

from functools import partial

from features.catalogue_parts.feature import Feature, Style, Use
from features.vocabulary import Subcategory

_feature = partial(Feature, subcategory=Subcategory.OUTPUT_QUALITY)
_NO_TASKS = "no project data of this account so far, or no consent to read it"
_NO_PROJECT_KEY = "no usage of 13 weeks names a project"

FEATURES = (
    _feature(
        name="revision_cycle_active_ratio_last",
        code="P03",
        style=Style.LOG_CHANGE,
        unit="ln(ratio)",
        window="last campaign against 52 weeks",
        meaning="ln(geometric mean of the revisions that began in the active phase of the last campaign, one of the last 52 weeks / that of the revisions closed in 52 weeks that began in weeks outside of campaigns)",
        null="fewer than 3 revisions on either side, no campaign in 52 weeks, or no review data",
        label="Revisions while a campaign runs",
        sentence="While the last campaign ran, revisions took {actual} against quiet weeks; with accounts like this {expected}.",
    ),
    _feature(
        name="unresolved_comment_share_w13",
        code="P09",
        style=Style.SHARE,
        unit="share of comments",
        window="13 weeks",
        meaning="comments neither resolved nor followed by an approval of the asset / comments, both of 13 weeks and older than 14 days",
        null="no comment of 13 weeks is older than 14 days, or no review data",
        direction=1,
        monotone=1,
        label="Comments left open",
        sentence="{actual} of the comments are left open; with accounts like this {expected}.",
    ),
    _feature(
        name="asset_reuse_rate_w26",
        code="P23",
        style=Style.SHARE,
        unit="share of versions",
        window="26 weeks",
        meaning="versions whose version before belongs to another asset of the account (a template, a library) / versions made in 26 weeks",
        null="no version of 26 weeks says which one came before, or no review data",
        direction=-1,
        label="Made from templates",
        sentence="{actual} of the versions come from templates or a library; with accounts like this {expected}.",
    ),
    _feature(
        name="task_completion_rate_w8",
        code="P12",
        style=Style.SHARE,
        unit="share of tasks, shrunk",
        window="8 weeks",
        meaning="tasks done or approved by the day they were due / tasks due in 8 weeks, those on hold or omitted left out, shrunk to the portfolio's rate (10 tasks)",
        null=f"no task due in the whole portfolio; {_NO_TASKS}",
        direction=-1,
        monotone=-1,
        label="Tasks done in time",
        sentence="{actual} of the tasks were done in time; with accounts like this {expected}.",
    ),
    _feature(
        name="task_age_p90_days",
        code="P13",
        style=Style.DAYS,
        unit="days",
        window="at as_of",
        meaning="age, since it was first in progress, that nine in ten of the tasks in progress or review do not exceed",
        null="no task in progress, no project data, or no consent to read it",
        direction=1,
        label="Age of work in progress",
        sentence="Nine in ten tasks in progress are at most {actual} old; with accounts like this {expected}.",
    ),
    _feature(
        name="omitted_task_share_w13",
        code="P14",
        style=Style.SHARE,
        unit="share of tasks",
        window="13 weeks",
        meaning="tasks omitted / tasks whose state began in 13 weeks, as they stand at as_of",
        null="no state of a task began in 13 weeks, no project data, or no consent to read it",
        direction=1,
        label="Tasks given up",
        sentence="{actual} of the tasks touched were given up; with accounts like this {expected}.",
    ),
    _feature(
        name="project_wrap_usage_par",
        code="P18",
        style=Style.LOG_RATIO,
        unit="ln(actual / expected)",
        window="third to sixth week after the last wrap, of 52 weeks",
        meaning="ln((core actions + 0.5) / (expected + 0.5)) in the third to sixth week after the Monday at which no project was active any more, as known then",
        null="no such wrap 4 to 52 weeks ago, fewer than 2 weeks measured, or no usual level yet",
        direction=-1,
        monotone=-1,
        label="Usage after the last project",
        sentence="After the last project ended, usage was {actual} against expectation; with accounts like this {expected}.",
    ),
    _feature(
        name="projects_in_tool_share_w13",
        code="P20",
        style=Style.SHARE,
        unit="share of active projects",
        window="13 weeks",
        meaning="active projects that usage of 13 weeks names / active projects",
        null=f"{_NO_PROJECT_KEY}, or no active project is known",
        direction=-1,
        monotone=-1,
        label="Projects made in the tool",
        sentence="The tool is used in {actual} of the active projects; with accounts like this {expected}.",
    ),
    _feature(
        name="tool_steps_per_project_w13",
        code="P21",
        style=Style.NUMBER,
        unit="steps of the pipeline",
        window="13 weeks",
        meaning="mean number of steps per project with a task whose asset usage of 13 weeks names, by the task's assignee where both are known",
        null="no usage of 13 weeks names the asset of a known task, or no consent to read tasks",
        direction=-1,
        monotone=-1,
        label="Steps done in the tool",
        sentence="The tool is used in {actual} steps of a project; with accounts like this {expected}.",
    ),
    _feature(
        name="project_coverage_w13",
        code="P24",
        style=Style.SHARE,
        unit="share of projects used",
        window="13 weeks",
        meaning="projects that usage of 13 weeks names and the production data know / projects that it names; tells how far the features of output quality can be relied on, never the model",
        null=f"{_NO_PROJECT_KEY}, or no consent to read production data",
        use=Use.DISPLAY,
        label="Projects we can see",
    ),
)
