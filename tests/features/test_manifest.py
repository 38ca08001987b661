"""Do readers always see a whole state, and is a file that is not the written one noticed?"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import IntegrityError
from features.manifest import MANIFEST, Dataset, StoredFile, sha256_of, stored_file


def put(dataset: Dataset, content: bytes, name: str, *, rows: int = 1, replacing: tuple[str, ...] = ()) -> StoredFile:
    path = dataset.staging(name)
    path.write_bytes(content)
    entry = stored_file(path, name=name, rows=rows, facts={"load_id": name})
    dataset.commit([(path, entry)], replacing=replacing)
    return entry


def contents(dataset: Dataset) -> list[bytes]:
    return [path.read_bytes() for path in dataset.files()]


def test_a_dataset_never_written_is_empty(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "nothing")
    assert (dataset.entries(), dataset.files(), dataset.rows()) == ((), (), 0)
    dataset.verify()
    dataset.sweep()


def test_committed_files_are_read_back_in_the_order_of_their_names(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "t")
    put(dataset, b"second", "b", rows=2)
    put(dataset, b"first", "a", rows=3)
    assert contents(dataset) == [b"first", b"second"]
    assert (dataset.rows(), [entry.facts for entry in dataset.entries()]) == (5, [{"load_id": "a"}, {"load_id": "b"}])
    dataset.verify()


def test_a_file_of_the_same_name_replaces_the_old_one_and_the_old_bytes_go(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "t")
    put(dataset, b"old", "a")
    put(dataset, b"new", "a")
    assert contents(dataset) == [b"new"]
    assert len(list((tmp_path / "t").iterdir())) == 2


def test_names_to_replace_go_in_the_same_commit(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "t")
    for name in ("a", "b", "c"):
        put(dataset, name.encode(), name)
    put(dataset, b"merged", "m", replacing=("a", "c", "never there"))
    assert contents(dataset) == [b"b", b"merged"]


def test_the_same_commit_twice_changes_nothing(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "t")
    put(dataset, b"x", "a")
    before = (tmp_path / "t" / MANIFEST).read_bytes()
    put(dataset, b"x", "a")
    assert ((tmp_path / "t" / MANIFEST).read_bytes(), contents(dataset)) == (before, [b"x"])


def test_an_uncommitted_file_is_not_read_and_a_sweep_removes_it(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "t")
    put(dataset, b"x", "a")
    dataset.staging("b").write_bytes(b"half")
    (tmp_path / "t" / "b.0123.parquet").write_bytes(b"renamed, never named")
    assert contents(dataset) == [b"x"]
    dataset.sweep()
    assert contents(dataset) == [b"x"]
    assert len(list((tmp_path / "t").iterdir())) == 2


@pytest.mark.parametrize("damage", ["gone", "shorter", "other"])
def test_a_file_that_is_not_the_written_one_is_noticed(tmp_path: Path, damage: str) -> None:
    dataset = Dataset(tmp_path / "t")
    put(dataset, b"content", "a")
    (path,) = dataset.files()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"shorter": b"conten", "other": b"c0ntent"}[damage])
    with pytest.raises(IntegrityError, match="not the one that was written"):
        dataset.verify()
    if damage != "other":
        with pytest.raises(IntegrityError):
            dataset.files()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"files": [{}]}', '{"files": [{"name": "a", "colour": 1}]}', '{"files": 3}']
)
def test_a_manifest_that_cannot_be_read_is_an_error_and_not_an_empty_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / MANIFEST).write_text(text)
    with pytest.raises(IntegrityError, match="the manifest of t cannot be read"):
        Dataset(tmp_path / "t").entries()


def test_a_manifest_says_what_it_promises(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "t")
    put(dataset, b"abc", "a", rows=7)
    document = json.loads((tmp_path / "t" / MANIFEST).read_text())
    assert document == {
        "files": [
            {
                "name": "a",
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "rows": 7,
                "size": 3,
                "facts": {"load_id": "a"},
            }
        ]
    }


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=8), st.sets(st.sampled_from("abc"))), max_size=8))
def test_any_run_of_commits_ends_as_a_dictionary_would(commits: list[tuple[str, bytes, set[str]]]) -> None:
    # The oracle: a plain dict from name to content.
    with tempfile.TemporaryDirectory() as place:
        dataset, oracle = Dataset(Path(place) / "t"), dict[str, bytes]()
        for name, content, replacing in commits:
            put(dataset, content, name, replacing=tuple(replacing))
            oracle = {kept: old for kept, old in oracle.items() if kept not in replacing} | {name: content}
            assert contents(dataset) == [oracle[kept] for kept in sorted(oracle)]
        dataset.verify()


def test_the_hash_of_a_large_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"0123456789" * 250_000)
    assert sha256_of(path) == hashlib.sha256(b"0123456789" * 250_000).hexdigest()
