"""How do files from outside become canonical rows? The whole story.

Every table is read, judged and written aside first; only when all of them stand are they committed, one after the
other. So a folder that breaks the contract changes nothing, and a crash leaves each table as it was or as it should be.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import IntegrityError
from features.manifest import sync_file, sync_folder
from features.progress import Progress, silent
from features.settings import Home
from features.sources.alone import SCRATCH, alone
from features.sources.intake import Load
from features.sources.load_record import LoadRecord, write_record
from features.sources.mapping import CohortDefaults, load_mapping
from features.sources.owners import OWNING, in_order_of_need
from features.sources.plan import Plan, TableWork, canonical_plan, mapped_plan
from features.sources.quarantine import SHOWN, quarantine_file
from features.sources.replay import replay_unmatched
from features.sources.report import IngestReport, ReplayReport, TableReport
from features.sources.stage import Staged, stage
from features.steps import ONBOARDING
from features.vocabulary import require_utc
from features.warehouse import Warehouse, open_engine

MEMORY = "4GB"
"""Most that the engine keeps in memory; a large table streams, and what does not fit goes to the scratch folder."""


def ingest(
    home: Home,
    folder: Path,
    *,
    mapping: str | Path | None,
    now: datetime,
    live: bool = False,
    progress: Progress = silent,
) -> IngestReport:
    """Bring the files of a folder into the canonical tables of a home.

    ``mapping`` is a path or the name of one that comes with us; without it the files are canonical tables themselves.
    ``now`` becomes ``ingested_at``. In a ``live`` load a row counts as known from now, else from when it usually is.
    Loading the same again adds nothing. Refused rows go to quarantine; the answer tells how many and why.
    Where accounts or aliases are new, rows that waited in quarantine for one of them are tried again.

    Raises:
        DataContractError: a file breaks the contract so that nothing of it may be taken; nothing of the folder is.
        ConfigError: the mapping says something that is not allowed.
        UsageError: there is no such folder, nothing in it, or another ingest is running.
    """
    described = None if mapping is None else load_mapping(mapping)
    plan = canonical_plan(folder) if described is None else mapped_plan(folder, described)
    load = Load(plan.load_id(require_utc(now), live=live), require_utc(now), live)
    with alone(home.prepare()), TemporaryDirectory(dir=home.root, prefix=SCRATCH) as scratch:
        done, waiting = _stage_all(home, plan, load, Path(scratch), progress)
        if refused := {staged.table: staged.columns for staged in waiting if staged.refused.written}:
            # Before the refused rows themselves: a replay needs it to read them.
            write_record(home, LoadRecord.of(load, folder, mapping, refused))
        for staged in waiting:
            _commit(home, staged, load)
        _remember_cohort(home, described.cohort if described else None)
    return IngestReport(
        load_id=load.load_id,
        tables=tuple(sorted([*done, *(staged.report for staged in waiting)], key=lambda report: report.table)),
        unmatched_files=plan.unmatched,
        missing_files=plan.missing,
        worst=tuple(refusal for staged in waiting for refusal in staged.worst)[:SHOWN],
        replayed=_tried_again(home, waiting, load, progress),
    )


def _tried_again(home: Home, waiting: list[Staged], load: Load, progress: Progress) -> ReplayReport | None:
    has_owners = any(staged.table in OWNING and staged.report.new for staged in waiting)
    return replay_unmatched(home, besides=load.load_id, now=load.now, progress=progress) if has_owners else None


def onboarding_of(home: Home) -> timedelta:
    """How old an account must be to be scored: what the source's mapping says, else the product's default.

    Raises:
        IntegrityError: the file that remembers it cannot be read.
    """
    path = _cohort_file(home)
    if not path.exists():
        return ONBOARDING
    try:
        return timedelta(weeks=CohortDefaults.model_validate_json(path.read_text()).onboarding_weeks)
    except ValueError as cause:
        raise IntegrityError(
            "the cohort's defaults cannot be read",
            expected='{"onboarding_weeks": N}',
            found=type(cause).__name__,
            todo=f"correct {path}, or ingest with the mapping again",
        ) from None


def _stage_all(
    home: Home, plan: Plan, load: Load, scratch: Path, progress: Progress
) -> tuple[list[TableReport], list[Staged]]:
    done, waiting = [], []
    with open_engine(memory=MEMORY, scratch=scratch / "spill", ordered=True) as engine:
        for number, work in enumerate(in_order_of_need(plan.tables), start=1):
            before = _loaded_before(home, work)
            if before is not None:
                done.append(before)
            else:
                # A session of its own for each table: nothing of one is named, or held in memory, for the next.
                with engine.session() as own:
                    waiting.append(stage(own, home, work, load, scratch))
            progress("read and judge", number, len(plan.tables))
    return done, waiting


def _loaded_before(home: Home, work: TableWork) -> TableReport | None:
    for entry in Warehouse(home).dataset(work.table).entries():
        if entry.facts.get("source") == work.fingerprint:
            read = int(entry.facts["read"])
            files = tuple(part.source.name for part in work.parts)
            return TableReport(work.table, files, read=read, new=0, known=read, quarantined={}, skipped=True)
    return None


def _commit(home: Home, staged: Staged, load: Load) -> None:
    # Quarantine first: a crash in between repeats refusals in a later load, but never loses one.
    if staged.refused.written is not None:
        target = quarantine_file(home, staged.table, load.load_id)
        for folder in (home.quarantine, target.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        sync_file(staged.refused.written)
        staged.refused.written.rename(target)
        sync_folder(target.parent)
    dataset = Warehouse(home).dataset(staged.table)
    dataset.folder.mkdir(parents=True, exist_ok=True)
    dataset.commit([(staged.rows, staged.entry)])


def _cohort_file(home: Home) -> Path:
    return home.root / "cohort.json"


def _remember_cohort(home: Home, cohort: CohortDefaults | None) -> None:
    if cohort is None:
        return
    aside = home.root / ".cohort.json.tmp"
    aside.write_text(cohort.model_dump_json())
    sync_file(aside)
    aside.rename(_cohort_file(home))
