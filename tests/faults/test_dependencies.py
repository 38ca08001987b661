"""Row 69: is what this stands on whole, known, free to use and without a hole that we know of?

Read are the locks, what is installed from them, and our own code; nothing is asked of anybody.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

from tests.faults.reporter import report

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
FLOORS = Path(__file__).with_name("floors.txt")

OF_USE = re.compile(
    r"\b(MIT|0?BSD|Apache|ISC|ISCL|PSF|Python Software Foundation|MPL|Mozilla|Zlib|CC0|DFSG|OSI)\b", re.IGNORECASE
)
COPYLEFT = re.compile(r"\b[AL]?GPL|Affero|\bSSPL|\bBUSL|\bEUPL|\bNC\b|non-?commercial|proprietary", re.IGNORECASE)
TOLERATED = {
    "huey": "MIT by the file that comes with it; its description says nothing",
    "psycopg": "LGPL: used as it comes, and whoever wants to may put another in its place",
    "psycopg-binary": "LGPL: as above",
}
"""Packages whose licence is not among the usual ones, with the reason why they may stay."""

GRAVE = "S201,S202,S304,S312,S321,S324,S401,S402,S412,S413,S501,S502,S505,S507,S602,S605,S609,S701"
"""What bandit finds of high severity, by ruff's numbers."""

EXCUSED = {("training/markdown_page.py", "S701"): "writes Markdown, which is escaped where it becomes a page"}
"""The one way past a grave finding: an entry here with its reason; a comment in the code does not help."""

PICKLES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
UNPICKLING = re.compile(r"\b(read_pickle|to_pickle)\b|allow_pickle\s*=\s*True|import_module\(.(pickle|joblib|dill)")
MAY_POISON = {"tests/faults/test_bad_models.py", "tests/faults/test_dependencies.py"}
"""Who makes poisoned files to see that nobody reads them, and who has to name what is looked for."""

_NAMED = re.compile("|".join(sorted(PICKLES)))


def plain(name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> dict[str, str]:
    """Version per package of a lock."""
    lines = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE)
    return {plain(name): version for name, version in lines}


@cache
def all_locked() -> Mapping[str, str]:
    """Version per package over both locks."""
    return {name: version for lock in LOCKS for name, version in locked((ROOT / lock).read_text()).items()}


def floors() -> list[Requirement]:
    """One line per package."""
    lines = (line.partition("#")[0].strip() for line in FLOORS.read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def below_floor(held: Mapping[str, str]) -> list[str]:
    """Which packages are older than the oldest without a known hole, or are not there at all."""
    return [f"{need} not {held.get(plain(need.name))}" for need in floors() if not _kept(need, held)]


def _kept(need: Requirement, held: Mapping[str, str]) -> bool:
    version = held.get(plain(need.name))
    return version is not None and need.specifier.contains(version, prereleases=True)


def unhashed(text: str) -> list[str]:
    """Which packages of a lock could be exchanged on their way here."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    held = [block for block in blocks if re.match(r"[A-Za-z0-9_.-]+(\[[^\]]*\])?==", block)]
    return [block.split("==")[0] for block in held if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)]


def unlocked_installs(text: str) -> list[str]:
    """Which steps of a build install what no lock holds: neither by their hashes, nor without what they need."""
    steps = [line.strip() for line in text.splitlines() if re.search(r"\bpip\S* install\b", line)]
    return [step for step in steps if "--require-hashes" not in step and "--no-deps" not in step]


def licence(told: Iterable[str | None]) -> str:
    """What a package says of its licence, in one line; of a whole text the first one."""
    return "; ".join(part.strip().split("\n")[0] for part in told if part and part.strip())


def may_be_used(words: str) -> bool:
    """Is it a licence under which this may be sold?"""
    return bool(OF_USE.search(words)) and not COPYLEFT.search(words)


def licences() -> Iterator[tuple[str, str]]:
    """Package and licence of what is installed from the locks."""
    for one in distributions():
        facts = one.metadata
        if plain(facts["Name"]) in all_locked():
            classes = [entry for entry in facts.get_all("Classifier") or [] if entry.startswith("License ::")]
            spoken = licence([facts.get("License-Expression"), *classes])
            yield plain(facts["Name"]), spoken or licence([facts.get("License")])


def grave_findings() -> list[tuple[str, str]]:
    """File and rule of each grave finding, whatever the code says in excuse."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--ignore-noqa", "--no-cache", "--preview"]
    chosen = ["--select", GRAVE, "--output-format", "json", "features", "training", "serving", "pulse.py"]
    done = subprocess.run([*command, *chosen], cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    return [(Path(one["filename"]).relative_to(ROOT).as_posix(), one["code"]) for one in found]


@cache
def code() -> Mapping[str, str]:
    """Every file of ours by its name."""
    rooms = ("features", "training", "serving", "tests", "notebooks")
    paths = [ROOT / "pulse.py", *(path for room in rooms for path in (ROOT / room).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def pickling(text: str) -> list[str]:
    """What in a file reads or writes pickles."""
    if not _NAMED.search(text):
        return []  # most files; reading them as Python takes seconds
    tree = ast.parse(text)
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return [name for name in names if name.split(".")[0] in PICKLES] + [match[0] for match in UNPICKLING.finditer(text)]


def test_row_69_what_this_stands_on_is_whole_known_free_to_use_and_without_a_known_hole() -> None:
    builds = [ROOT / "Makefile", ROOT / ".ci" / "run", *sorted((ROOT / "deploy").glob("Dockerfile*"))]
    told = dict(licences())
    excused = {name for name, words in told.items() if not may_be_used(words)}
    found = {
        "below their floor": below_floor(all_locked()),
        "unhashed": [name for lock in LOCKS for name in unhashed((ROOT / lock).read_text())],
        "installed without a lock": [step for path in builds for step in unlocked_installs(path.read_text())],
        "under another licence": sorted(excused ^ set(TOLERATED)),
        "not installed, so their licence is unknown": sorted(set(all_locked()) - set(told)),
        "grave": sorted(set(grave_findings()) ^ set(EXCUSED)),
        "pickling": sorted(name for name, text in code().items() if name not in MAY_POISON and pickling(text)),
    }
    wrong = {kind: which for kind, which in found.items() if which}
    assert wrong == {}
    of = len(all_locked()) + len(code())
    report(69, sum(map(len, found.values())), of, "packages and files with a hole, a licence or a pickle of concern")


def test_an_old_release_and_one_that_went_missing_are_found() -> None:
    held = dict(all_locked())
    assert below_floor(held | {"starlette": "0.40.0"}) == ["starlette>=1.0.1 not 0.40.0"]
    assert below_floor({name: version for name, version in held.items() if name != "h11"}) == ["h11>=0.16.0 not None"]


def test_a_package_without_a_whole_hash_is_found() -> None:
    whole = "a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert unhashed(whole) == []
    assert unhashed(f"{whole}b[x]==2\nc==3 \\\n    --hash=sha256:00\n    # via a\n") == ["b[x]", "c"]


def test_an_install_past_the_locks_is_found() -> None:
    text = "\tpip install --require-hashes --requirement a.lock\nRUN /opt/bin/pip install --no-deps .\npip install b\n"
    assert unlocked_installs(text) == ["pip install b"]


def test_only_licences_under_which_this_may_be_sold_are_taken() -> None:
    for good in ("MIT", "Apache-2.0 OR BSD-3-Clause", "License :: OSI Approved :: BSD License", "PSF-2.0", "MPL-2.0"):
        assert may_be_used(good)
    for bad in ("", "GPL-3.0-only", "MIT AND AGPL-3.0", "LGPL-2.1", "BUSL-1.1", "CC-BY-NC-4.0", "Proprietary"):
        assert not may_be_used(bad)


def test_every_way_to_a_pickle_is_found() -> None:
    for line in ("import pickle", "from joblib import load", "import a.b, dill", "x.read_pickle(p)"):
        assert len(pickling(f"def f():\n    {line}\n")) == 1, line
    assert pickling("np.load(p, allow_pickle=True)\nnp.load(p, allow_pickle=False)\n") == ["allow_pickle=True"]
    assert pickling("import json  # no pickle\n") == []
