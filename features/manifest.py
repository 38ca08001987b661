"""Which files make up a stored table right now, and are they the ones that were written?

A dataset is a folder of Parquet files and a ``manifest.json``. Files are written aside, synced and renamed before the
manifest names them, and the manifest itself is replaced in one rename, so a crash at any point leaves the last good
state. Readers follow the manifest, never a directory listing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from features.errors import IntegrityError

MANIFEST = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a dataset. ``facts`` are small words about it, such as its ``as_of`` or the load that wrote it."""

    name: str
    sha256: str
    rows: int
    size: int
    facts: dict[str, str] = field(default_factory=dict)


class Dataset:
    """One stored table: grain and columns are its owner's business, the safety of its files is ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> tuple[StoredFile, ...]:
        """The files of the current state, in order; empty when nothing was ever written.

        Raises:
            IntegrityError: the manifest is not readable.
        """
        path = self.folder / MANIFEST
        if not path.exists():
            return ()
        try:
            document = json.loads(path.read_text())
            return tuple(StoredFile(**entry) for entry in document["files"])
        except (ValueError, KeyError, TypeError) as cause:
            raise IntegrityError(
                f"the manifest of {self.folder.name} cannot be read",
                expected="a JSON document with a list of files",
                found=type(cause).__name__,
                todo=f"restore {path} from a backup, or delete the folder and load again",
            ) from cause

    def files(self) -> tuple[Path, ...]:
        """Paths of the current files; each must exist with the size that was written.

        Raises:
            IntegrityError: a file is missing or has another size.
        """
        return tuple(self._checked(entry) for entry in self.entries())

    def rows(self) -> int:
        """Number of rows over all files."""
        return sum(entry.rows for entry in self.entries())

    def staging(self, name: str) -> Path:
        """A path to write a new file to before :meth:`commit`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f".{name}.{os.getpid()}.tmp"

    def commit(self, staged: Iterable[tuple[Path, StoredFile]], *, replacing: Sequence[str] = ()) -> None:
        """Take staged files in and drop the names in ``replacing``, all at once.

        A staged file whose name exists replaces it. Old files are deleted only after the new manifest stands.
        """
        additions = list(staged)
        fresh = {entry.name for _, entry in additions}
        gone = fresh | set(replacing)
        before = self.entries()
        for path, entry in additions:
            sync_file(path)
            path.rename(self.folder / _stored_name(entry))
        after = [entry for entry in before if entry.name not in gone] + [entry for _, entry in additions]
        self._write_manifest(sorted(after, key=lambda entry: entry.name))
        kept = {_stored_name(entry) for entry in after}
        for entry in before:
            if _stored_name(entry) not in kept:
                (self.folder / _stored_name(entry)).unlink(missing_ok=True)

    def verify(self) -> None:
        """Read every file and compare its SHA-256 with the manifest.

        Raises:
            IntegrityError: a file is not the one that was written.
        """
        for entry in self.entries():
            if sha256_of(self._checked(entry)) != entry.sha256:
                raise _not_the_one(self.folder / _stored_name(entry), "another content (SHA-256 differs)")

    def sweep(self) -> None:
        """Delete what a killed writer left: files that no manifest names. Only for a caller that writes alone."""
        if not self.folder.is_dir():
            return
        kept = {MANIFEST, *(_stored_name(entry) for entry in self.entries())}
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()

    def _checked(self, entry: StoredFile) -> Path:
        path = self.folder / _stored_name(entry)
        if not path.exists():
            raise _not_the_one(path, "no file")
        if path.stat().st_size != entry.size:
            raise _not_the_one(path, f"{path.stat().st_size} bytes instead of {entry.size}")
        return path

    def _write_manifest(self, entries: Sequence[StoredFile]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".{MANIFEST}.{os.getpid()}.tmp"
        aside.write_text(json.dumps({"files": [asdict(entry) for entry in entries]}, indent=1))
        sync_file(aside)
        aside.rename(self.folder / MANIFEST)
        sync_folder(self.folder)


def stored_file(path: Path, *, name: str, rows: int, facts: dict[str, str] | None = None) -> StoredFile:
    """Describe a finished file for :meth:`Dataset.commit`: hash and size are read from it."""
    return StoredFile(name=name, sha256=sha256_of(path), rows=rows, size=path.stat().st_size, facts=facts or {})


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _stored_name(entry: StoredFile) -> str:
    # The content's hash in the name lets an old and a new file of one name lie side by side during a commit.
    return f"{entry.name}.{entry.sha256[:12]}.parquet"


def _not_the_one(path: Path, found: str) -> IntegrityError:
    return IntegrityError(
        "a stored file is not the one that was written",
        expected=f"{path.parent.name}/{path.name} as its manifest says",
        found=found,
        todo="restore it from a backup, or load and build again",
    )


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the disk before its name is relied on."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
