"""How do the files of a backup lie together: as a folder, or as one tar file?

Either is written aside and gets its name when it is whole. ``backup.json`` comes last and names every file with size
and SHA-256; a backup without it, or with other files, is none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from features.errors import IntegrityError, UsageError
from features.manifest import sync_file, sync_folder

CONTENTS = "backup.json"
_SUFFIXES = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz"}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class BackedUp:
    """One file of a backup: its name in it, its size, its SHA-256 and who may read it."""

    name: str
    size: int
    sha256: str
    mode: int


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class Writer(ABC):
    """A backup that is being made."""

    def __init__(self) -> None:
        self.files: dict[str, BackedUp] = {}

    def take(self, name: str, path: Path) -> None:
        """Put a file into the backup; under a name that was there, the new one counts."""
        mode = path.stat().st_mode & 0o700
        with path.open("rb") as stream:
            # As long as it is now: who appends meanwhile does not spoil the copy.
            size = os.fstat(stream.fileno()).st_size
            counted = _Counted(stream, size)
            self._put(name, counted, size, mode)
        if counted.left:
            raise FileNotFoundError(path)
        self.files[name] = BackedUp(name, size, counted.digest.hexdigest(), mode)

    def forget(self, folder: str) -> None:
        """Take back what was put in below a folder: it is copied again."""
        self.files = {name: one for name, one in self.files.items() if not name.startswith(f"{folder}/")}

    def close(self, facts: dict[str, Any]) -> None:
        """Write what the backup holds; ``facts`` are told beside the files."""
        files = [asdict(self.files[name]) for name in sorted(self.files)]
        text = json.dumps({**facts, "files": files}, indent=1, sort_keys=True).encode()
        self._put(CONTENTS, BytesIO(text), len(text), 0o600)

    @abstractmethod
    def _put(self, name: str, stream: _Readable, size: int, mode: int) -> None: ...


class Reader(ABC):
    """A backup that is there."""

    def contents(self) -> dict[str, Any]:
        """What it says that it holds.

        Raises:
            IntegrityError: it says nothing that can be read.
        """
        try:
            document = json.loads(self._read(CONTENTS))
            self.files = {one["name"]: BackedUp(**one) for one in document["files"]}
        except (OSError, ValueError, KeyError, TypeError, tarfile.TarError, EOFError) as cause:
            raise _no_backup(f"no {CONTENTS} that can be read") from cause
        if [name for name in self.files if not _stays_below(name)]:
            raise _no_backup("names of files that lie outside of it")
        return dict(document)

    def unpack(self, into: Path) -> int:
        """Write every file below a folder and compare its hash; the bytes written.

        Raises:
            IntegrityError: a file is missing, another one, or one too many.
        """
        missing, written = set(self.files), 0
        for name, stream in self._streams():
            told = self.files.get(name)
            if told is None or name not in missing:
                raise _no_backup("a file that it does not name")
            _write(stream, into / name, told)
            missing.discard(name)
            written += told.size
        if missing:
            raise _no_backup(f"{len(missing)} of {len(self.files)} files missing")
        return written

    @abstractmethod
    def _read(self, name: str) -> bytes: ...

    @abstractmethod
    def _streams(self) -> Iterator[tuple[str, IO[bytes]]]: ...


class _Folder(Writer):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(mode=0o700)

    def forget(self, folder: str) -> None:
        """As above, and from the disk."""
        super().forget(folder)
        shutil.rmtree(self._folder / folder, ignore_errors=True)

    def _put(self, name: str, stream: _Readable, size: int, mode: int) -> None:  # noqa: ARG002 - a folder needs no size
        path = self._folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("wb") as target:
            os.fchmod(target.fileno(), mode)
            shutil.copyfileobj(stream, target, _CHUNK)
            target.flush()
            os.fsync(target.fileno())


class _Tar(Writer):
    def __init__(self, tar: tarfile.TarFile) -> None:
        super().__init__()
        self._tar = tar

    def _put(self, name: str, stream: _Readable, size: int, mode: int) -> None:
        told = tarfile.TarInfo(name)
        told.size, told.mode = size, mode
        self._tar.addfile(told, stream)


class _FolderReader(Reader):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def _streams(self) -> Iterator[tuple[str, IO[bytes]]]:
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            name = path.relative_to(self._folder).as_posix()
            if name != CONTENTS:
                with path.open("rb") as stream:
                    yield name, stream


class _TarReader(Reader):
    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self, name: str) -> bytes:
        with tarfile.open(self._path) as tar:
            stream = tar.extractfile(name)
            if stream is None:
                raise FileNotFoundError(name)
            return stream.read()

    def _streams(self) -> Iterator[tuple[str, IO[bytes]]]:
        with tarfile.open(self._path) as tar:
            # A table that was written during the backup is there twice, and what came later counts.
            last = {member.name: member for member in tar if member.isfile() and member.name in self.files}
            for name, member in last.items():
                stream = tar.extractfile(member)
                if stream is not None:
                    yield name, stream


@contextmanager
def new_archive(target: Path) -> Iterator[Writer]:
    """A backup to be filled; it has its name when the block is left in peace, and leaves nothing when left by an error.

    Raises:
        UsageError: something has this name already, or its folder is missing.
    """
    if target.exists() or not target.parent.is_dir():
        raise UsageError(
            "the backup cannot be written there",
            expected="a name that is free, in a folder that is there",
            found="a file or folder of this name" if target.exists() else "no such folder",
            todo="choose another name with --to",
        )
    aside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with ExitStack() as opened:
            mode = _SUFFIXES.get(target.suffix)
            if mode is None:
                yield _Folder(aside)
            else:
                os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                # Most of it is compressed already: trying harder would only take longer.
                quick = {"compresslevel": 1} if mode.endswith("gz") else {}
                yield _Tar(opened.enter_context(tarfile.open(aside, mode, format=tarfile.PAX_FORMAT, **quick)))  # type: ignore[call-overload] # the modes above
        if aside.is_file():
            sync_file(aside)
        aside.rename(target)
        sync_folder(target.parent)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)


def archive_at(source: Path) -> Reader:
    """The backup of this name.

    Raises:
        UsageError: there is nothing.
        IntegrityError: it is no backup of ours.
    """
    if not source.exists():
        raise UsageError(
            "there is no backup of this name",
            expected="the folder or tar file that `pulse backup` made",
            found="nothing",
            todo="correct the name",
        )
    if source.is_dir():
        return _FolderReader(source)
    if not tarfile.is_tarfile(source):
        raise _no_backup("a file that is no tar file")
    return _TarReader(source)


class _Counted:
    """A stream of so many bytes that keeps their hash."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self.left = stream, size
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        piece = self._stream.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(piece)
        self.digest.update(piece)
        return piece


def _write(stream: IO[bytes], path: Path, told: BackedUp) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    counted = _Counted(stream, told.size + 1)
    with path.open("wb") as target:
        os.fchmod(target.fileno(), told.mode & 0o700)
        shutil.copyfileobj(counted, target, _CHUNK)
        target.flush()
        os.fsync(target.fileno())
    if counted.left != 1 or counted.digest.hexdigest() != told.sha256:
        raise _no_backup("a file whose size or SHA-256 is another")


def _stays_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name


def _no_backup(found: str) -> IntegrityError:
    return IntegrityError(
        "the backup is not the one that was made",
        expected=f"{CONTENTS} and exactly the files that it names, each with its SHA-256",
        found=found,
        todo="take another backup; nothing was restored",
    )
