"""How was a load with refused rows done, so that these can be taken later as they would have been taken then?

One small JSON file per such load: when it was, whether it was live, which mapping it used on which folder, and the
columns of the files with refused rows. It holds no cell of any row.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from features.errors import IntegrityError, MissingStateError
from features.manifest import sync_file, sync_folder
from features.settings import Home
from features.sources.intake import Load

Columns = dict[str, str]


class LoadRecord(BaseModel):
    """One load, as a replay needs to know it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load_id: str = Field(description="the load; its refused rows lie in quarantine/<table>/<load_id>.jsonl")
    offered_at: AwareDatetime = Field(description="its moment: rows of a live load count as known from then")
    live: bool = Field(description="was it a live feed?")
    mapping: str | None = Field(description="path or name of its mapping; none = the files were canonical tables")
    folder: str = Field(description="where its files lay, for mappings that look things up in other files")
    files: dict[str, dict[str, Columns]] = Field(description="per table and file: columns and the engine's types")

    @classmethod
    def of(
        cls, load: Load, folder: Path, mapping: str | Path | None, files: dict[str, dict[str, Columns]]
    ) -> LoadRecord:
        """The record of a load; paths are kept from the root on, so that they mean the same elsewhere."""
        named = str(Path(mapping).resolve()) if mapping is not None and Path(mapping).is_file() else mapping
        return cls(
            load_id=load.load_id,
            offered_at=load.now,
            live=load.live,
            mapping=None if named is None else str(named),
            folder=str(folder.resolve()),
            files=files,
        )

    def replayed_at(self, now: datetime, load_id: str) -> Load:
        """The load that takes its rows at last."""
        return Load(load_id, now, self.live, offered_at=self.offered_at)


def write_record(home: Home, record: LoadRecord) -> None:
    """Keep the record of a load; readable by its owner only."""
    path = _path(home, record.load_id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    aside.touch(mode=0o600)
    aside.write_text(record.model_dump_json(indent=1))
    sync_file(aside)
    aside.rename(path)
    sync_folder(path.parent)


def read_record(home: Home, load_id: str) -> LoadRecord:
    """The record of a load.

    Raises:
        MissingStateError: there is none.
        IntegrityError: it cannot be read.
    """
    path = _path(home, load_id)
    if not path.exists():
        raise MissingStateError(
            f"it is not known how the load {load_id} was done",
            expected=f"its record in {path.parent.name}/{path.name}",
            found="no such file",
            todo="correct the rows in the source and ingest it again",
        )
    try:
        return LoadRecord.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as cause:
        raise IntegrityError(
            f"the record of the load {load_id} cannot be read",
            expected=f"{path.parent.name}/{path.name} as the ingest wrote it",
            found=type(cause).__name__,
            todo="restore it from a backup, or correct the rows in the source and ingest it again",
        ) from None


def _path(home: Home, load_id: str) -> Path:
    return home.root / "loads" / f"{load_id}.json"
