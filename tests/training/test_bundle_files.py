"""Is a bundle that was altered in any way refused before LightGBM sees a byte of it?"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from features.errors import IntegrityError, UsageError
from training.bundle_files import FILES, MANIFEST, bundle_hash, json_bytes, read_files, write_files
from training.model import load_bundle

from .bundle_case import trained


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained().write(tmp_path_factory.mktemp("bundles") / "1")


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "1"))


@pytest.fixture
def no_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any use of LightGBM's loader ends the test."""

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("LightGBM was given a file that had not been checked")

    monkeypatch.setattr("lightgbm.Booster", refuse)


def test_a_bundle_holds_its_files_and_nothing_else(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == sorted((*FILES, MANIFEST))
    assert [path.name for path in written.parent.iterdir()] == ["1"]


def test_the_manifest_names_each_file_with_its_hash(written: Path) -> None:
    manifest = json.loads((written / MANIFEST).read_text())
    assert manifest["files"] == {name: hashlib.sha256((written / name).read_bytes()).hexdigest() for name in FILES}
    assert (manifest["version"], manifest["facts"]["events"]) == ("1", trained().fitted.events)
    names = "first_as_of last_as_of data_cut events params rounds loadings notes group_values"
    assert set(manifest["facts"]) == set(names.split())


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_byte_anywhere_is_refused(copy: Path, name: str, seed: int) -> None:
    content = bytearray((copy / name).read_bytes())
    place = random.Random(seed).randrange(len(content))  # noqa: S311 - which byte to flip is no secret
    content[place] ^= 1 << seed
    (copy / name).write_bytes(content)
    with pytest.raises(IntegrityError) as refused:
        load_bundle(copy)
    assert refused.value.expected.startswith(f"1/{name}")


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"tree\n"])
def test_an_exchanged_file_is_refused(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(IntegrityError, match="SHA-256 differs"):
        load_bundle(copy)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(IntegrityError, match="no readable file"):
        load_bundle(copy)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}}', "[" * 100_000, '{"files": {"model.txt": ""}}'])
def test_a_manifest_that_says_something_else_is_refused(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(IntegrityError):
        load_bundle(copy)


@pytest.mark.usefixtures("no_lightgbm")
def test_a_bundle_exchanged_as_a_whole_is_refused_when_its_hash_was_recorded(copy: Path) -> None:
    recorded = bundle_hash(copy)
    manifest = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_bytes(json_bytes({**manifest, "version": "2"}))
    with pytest.raises(IntegrityError, match="another bundle"):
        load_bundle(copy, expected_hash=recorded)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        load_bundle(tmp_path / "nowhere")


def test_a_bundle_is_never_written_over(copy: Path) -> None:
    before = bundle_hash(copy)
    with pytest.raises(UsageError, match="never written over"):
        trained().write(copy)
    assert bundle_hash(copy) == before


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    files = {name: name.encode() for name in FILES}
    write_files(tmp_path / "b", files, {"version": "9"})
    contents, manifest = read_files(tmp_path / "b")
    assert (contents, manifest["version"]) == (files, "9")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_document_without_finite_numbers_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"slope": value})


def test_one_document_has_one_form() -> None:
    assert (
        json_bytes({"b": 0.1, "a": "é"}) == json_bytes({"a": "é", "b": 0.1}) == '{\n "a": "é",\n "b": 0.1\n}\n'.encode()
    )
