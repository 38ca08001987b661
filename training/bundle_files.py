"""Which files make up a model bundle, and are they the ones that were written?

A bundle is a folder: the model's native text and four JSON documents, named with their SHA-256 in ``manifest.json``.
It is written aside and renamed, so a half-written bundle never stands under its name. Nothing here knows what the
files mean.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.errors import IntegrityError, UsageError

MODEL, CALIBRATION, FEATURES, REFERENCE, GOLDEN = (
    "model.txt",
    "calibration.json",
    "features.json",
    "reference.json",
    "golden.json",
)
MANIFEST = "manifest.json"
FILES = (MODEL, CALIBRATION, FEATURES, REFERENCE, GOLDEN)
FORM = 2
"""Raised when the documents change their meaning. Form 1 had no offsets, no usual levels and no intervals."""


def write_files(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write all files and the manifest into a new folder, synced, in one rename.

    Raises:
        UsageError: the folder exists.
    """
    if folder.exists():
        raise UsageError(
            "a bundle is never written over",
            expected="a folder that does not exist yet",
            found=folder.name,
            todo="write the new version to a folder of its own",
        )
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = json_bytes({**facts, "form": FORM, "files": hashes})
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    aside.mkdir(parents=True)
    for name, content in {**files, MANIFEST: manifest}.items():
        _write_synced(aside / name, content)
    aside.rename(folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_files(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The content of every file, checked against the manifest, and the manifest.

    The bytes returned are the bytes that were hashed, so nothing can change between the check and the use.

    Raises:
        IntegrityError: a file is missing, is not the one that was written, or the manifest is not readable; or the
            bundle was written in another form.
    """
    manifest = json_document(_read(folder, MANIFEST), folder, MANIFEST)
    _require_form(manifest, folder)
    named = manifest.get("files")
    if not isinstance(named, dict) or set(named) != set(FILES):
        raise damaged(folder, MANIFEST, "another list of files")
    contents = {name: _read(folder, name) for name in FILES}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != named[name]:
            raise damaged(folder, name, "another content (SHA-256 differs)")
    return contents, manifest


def _require_form(manifest: Mapping[str, Any], folder: Path) -> None:
    form = manifest.get("form", 1)
    if form != FORM:
        raise IntegrityError(
            "a model bundle has another form than this release reads",
            expected=f"form {FORM} in {folder.name}/{MANIFEST}",
            found=f"form {form!r}",
            todo="train again with `pulse train --as-of DATE`, or use the release that wrote it",
        )


def bundle_hash(folder: Path) -> str:
    """SHA-256 of the manifest, and through it of every file: two bundles are the same exactly when it is equal."""
    return hashlib.sha256(_read(folder, MANIFEST)).hexdigest()


def json_bytes(document: Any) -> bytes:
    """The one JSON form of a document: sorted keys, shortest exact numbers; NaN and infinity are refused."""
    return (json.dumps(document, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def json_document(content: bytes, folder: Path, name: str) -> dict[str, Any]:
    """Read one JSON document of a bundle.

    Raises:
        IntegrityError: the text is no JSON object.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise damaged(folder, name, "no JSON document") from cause
    if not isinstance(document, dict):
        raise damaged(folder, name, "no JSON object")
    return document


def damaged(folder: Path, name: str, found: str) -> IntegrityError:
    """The error for a bundle file that may not be used."""
    return IntegrityError(
        "a model bundle is not the one that was written",
        expected=f"{folder.name}/{name} as its manifest says",
        found=found,
        todo="restore the bundle from a backup, or promote another version",
    )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as cause:
        raise damaged(folder, name, "no readable file") from cause


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
