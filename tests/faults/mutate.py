"""How does a model file, or a bundle around it, go wrong?

Each sabotage changes a folder that holds a good bundle. ``rehashed`` ones write the manifest anew, as somebody would
who can write the store: then no hash gives them away, and the proof in a child process must.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from training.bundle_files import FILES, MANIFEST, MODEL

Sabotage = Callable[[Path], None]


def copied(good: Path, version: str) -> Path:
    """A copy of a bundle that calls itself another version, as if it had been trained and registered."""
    folder = good.with_name(version)
    shutil.copytree(good, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"version": version}))
    return folder


def mutated(content: bytes, draw: random.Random) -> bytes:
    """A model file after one accident: a bit, a run of bytes, a cut, a doubled or lost line, two lines exchanged."""
    kind = draw.randrange(6)
    place = draw.randrange(len(content))
    if kind == 0:
        changed = content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :]
    elif kind == 1:
        changed = content[:place] + draw.randbytes(draw.randrange(1, 64)) + content[place + 32 :]
    elif kind == 2:
        changed = content[:place]
    else:
        lines = content.splitlines(keepends=True)
        one, other = draw.sample(range(len(lines)), 2)
        if kind == 3:
            lines.insert(one, lines[other])
        elif kind == 4:
            del lines[one]
        else:
            lines[one], lines[other] = lines[other], lines[one]
        changed = b"".join(lines)
    return changed if changed != content else content + b"\n"


def mutant(number: int) -> Sabotage:
    """The model file after an accident; the same number is the same accident."""

    def sabotage(folder: Path) -> None:
        draw = random.Random(number)  # noqa: S311
        path = folder / MODEL
        path.write_bytes(mutated(path.read_bytes(), draw))

    return sabotage


def rehash(folder: Path) -> None:
    """Write the hashes of the files as they are into the manifest."""
    manifest = json.loads((folder / MANIFEST).read_text())
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"files": hashes}))


def wrong_hash(folder: Path) -> None:
    """The manifest names another hash."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][MODEL] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest))


def wrong_feature_list(folder: Path) -> None:
    """Two features are exchanged in the list, with a manifest to match: every column would be scored as another."""
    path = folder / "features.json"
    names = json.loads(path.read_text())
    names["features"][:2] = reversed(names["features"][:2])
    path.write_text(json.dumps(names))
    rehash(folder)


def not_a_number(folder: Path) -> None:
    """Every leaf says NaN, with a manifest to match."""
    path = folder / MODEL
    lines = path.read_text().splitlines(keepends=True)
    told = [
        "leaf_value=" + " ".join(["nan"] * len(line.split("=", 1)[1].split())) + "\n"
        if line.startswith("leaf_value=")
        else line
        for line in lines
    ]
    path.write_text("".join(told))
    rehash(folder)


def other_leaves(folder: Path) -> None:
    """Every leaf says the contrary, with a manifest to match: a model that loads well and errs."""
    path = folder / MODEL
    lines = path.read_text().splitlines(keepends=True)
    told = [
        "leaf_value=" + " ".join(str(-float(one)) for one in line.split("=", 1)[1].split()) + "\n"
        if line.startswith("leaf_value=")
        else line
        for line in lines
    ]
    path.write_text("".join(told))
    rehash(folder)


def cut_in_half(folder: Path) -> None:
    """Half a model file, with a manifest to match: LightGBM alone ends the process."""
    path = folder / MODEL
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    rehash(folder)


def empty_file(folder: Path) -> None:
    """The model file is empty."""
    (folder / MODEL).write_bytes(b"")


def missing_file(folder: Path) -> None:
    """The model file is gone."""
    (folder / MODEL).unlink()


def missing_folder(folder: Path) -> None:
    """Everything is gone."""
    shutil.rmtree(folder)


def another_model(folder: Path) -> None:
    """The folder holds a good bundle of another version."""
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("1"), folder)


def poisoned_json(folder: Path) -> None:
    """A document nests so deep that a careless reader falls over, with a manifest to match."""
    (folder / "golden.json").write_text("[" * 100_000 + "]" * 100_000)
    rehash(folder)


SEEN_AT_ONCE: dict[str, Sabotage] = {
    "wrong hash": wrong_hash,
    "empty file": empty_file,
    "missing file": missing_file,
    "missing folder": missing_folder,
    "another version": another_model,
    "deep document": poisoned_json,
}
"""What a look at hashes and documents tells, before LightGBM sees a byte."""

REHASHED: dict[str, Sabotage] = {
    "wrong feature list": wrong_feature_list,
    "NaN output": not_a_number,
    "contrary leaves": other_leaves,
    "half a file": cut_in_half,
}
"""What only the proof in a child process tells."""
