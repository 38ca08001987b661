"""What would a person look up about features and tables, and on which page?

Two Markdown pages made from the declarations: one section per feature of the catalogue, with a test that proves its
rule as the example, and one per canonical table. ``make reference`` writes them; a test holds them true.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.catalogue import FEATURES, NOT_CARRIED, Feature, Use, features_of
from features.events import ENVELOPE, TABLES, Column, Table
from features.vocabulary import Subcategory

_DIRECTIONS = {1: "more of it goes with more churn", -1: "more of it goes with less churn", 0: "no expectation"}
_USES = {Use.MODEL: "input of the model", Use.TIMING: "timing of the decision", Use.DISPLAY: "shown to people only"}
_LONGEST_EXAMPLE = 40


@dataclass(frozen=True, slots=True)
class Spec:
    """A test that proves a feature's rule: its name as a sentence, its file and its text."""

    sentence: str
    file: str
    text: str


def spec_tests(folder: Path) -> dict[str, Spec]:
    """For each feature that a test under ``folder`` names, the shortest such test."""
    found: dict[str, Spec] = {}
    for path in sorted(folder.glob("test_*_features.py")):
        source = path.read_text()
        for node in ast.parse(source).body:
            if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
                continue
            text = ast.get_source_segment(source, node) or ""
            spec = Spec(node.name.removeprefix("test_").replace("_", " "), path.name, text)
            for name in _named_features(node):
                if name not in found or len(text) < len(found[name].text):
                    found[name] = spec
    return found


def features_page(specs: Mapping[str, Spec]) -> str:
    """The page of the features; ``specs`` by feature name (:func:`spec_tests`)."""
    lines = [
        "# Features",
        "",
        f"{len(FEATURES)} features per account and Monday. `make reference` writes this page from",
        "`features/catalogue.py`; do not edit it. A feature of a Monday 00:00 UTC rests on rows with `available_at`",
        "up to that moment. A null never means that all is well.",
    ]
    for subcategory in Subcategory:
        lines += ["", f"## {subcategory.value.replace('_', ' ').capitalize()}"]
        for feature in features_of(subcategory):
            lines += ["", *_feature_section(feature, specs.get(feature.name))]
    lines += ["", "## Not carried", "", "Of the 120 features of the domain reference these are not in the catalogue."]
    lines += ["", "| reference | feature | why not |", "|---|---|---|"]
    lines += [f"| {each.code} | `{each.name}` | {_cell(each.reason)} |" for each in NOT_CARRIED]
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    """The page of the canonical tables."""
    lines = [
        "# Canonical tables",
        "",
        "One file per table (Parquet, CSV or JSON lines). `make reference` writes this page from",
        "`features/events.py`; do not edit it.",
        "",
        "## Envelope",
        "",
        "Every row has these columns; those that a file lacks are filled when it is taken in.",
        "",
        *_columns(ENVELOPE),
    ]
    for table in TABLES.values():
        lines += ["", *_table_section(table)]
    return "\n".join(lines) + "\n"


def write_pages(docs: Path, tests: Path) -> None:
    """Write both pages into ``docs``, with examples from the tests of the data room in ``tests``."""
    (docs / "features.md").write_text(features_page(spec_tests(tests)))
    (docs / "tables.md").write_text(tables_page())


def _named_features(node: ast.FunctionDef) -> set[str]:
    # A name may stand alone, within a text table, or be put together: f"campaigns_live_{phase}".
    words = {
        word for one in ast.walk(node) if isinstance(one, ast.Constant) for word in re.findall(r"\w+", str(one.value))
    }
    # A variable counts only under a telling name: `phase` is a word that any test may use.
    words |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and one.id.count("_") > 1}
    heads = [head for one in ast.walk(node) if isinstance(one, ast.JoinedStr) and (head := _head(one))]
    return {
        feature.name
        for feature in FEATURES
        if feature.name in words or any(feature.name.startswith(head) for head in heads)
    }


def _head(text: ast.JoinedStr) -> str:
    first = text.values[0] if text.values else None
    head = str(first.value) if isinstance(first, ast.Constant) else ""
    return head if re.fullmatch(r"\w{8,}", head) else ""


def _feature_section(feature: Feature, spec: Spec | None) -> list[str]:
    free = "free" if feature.monotone == 0 else "held to the expected direction"
    facts = {
        "Reference": feature.code,
        "Unit": feature.unit,
        "Window": feature.window,
        "Null": feature.null,
        "Expected": _DIRECTIONS[feature.direction],
        "In the model": free if feature.use is Use.MODEL else _USES[feature.use],
        "Sentence": feature.sentence,
    }
    lines = [f"### {feature.name}", "", f"**{feature.label}**: {feature.meaning}.", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(fact)} |" for name, fact in facts.items() if fact)]
    if spec:
        text = spec.text.splitlines()
        kept = text if len(text) <= _LONGEST_EXAMPLE else [*text[:_LONGEST_EXAMPLE], "    ..."]
        lines += ["", f"<details><summary>Example: {spec.sentence} ({spec.file})</summary>", ""]
        lines += ["```python", *kept, "```", "", "</details>"]
    return lines


def _table_section(table: Table) -> list[str]:
    key = ", ".join(f"`{name}`" for name in table.key)
    return [
        f"## {table.name}",
        "",
        f"{table.grain[0].upper()}{table.grain[1:]}. Key: {key}.",
        "",
        *_columns(table.columns),
    ]


def _columns(columns: Sequence[Column]) -> list[str]:
    lines = ["| column | type | null | meaning |", "|---|---|---|---|"]
    for column in columns:
        unit = f" ({column.unit})" if column.unit else ""
        choices = f": {', '.join(column.choices)}" if column.choices else ""
        meaning = _cell(f"{column.meaning}{unit}{choices}")
        lines.append(f"| `{column.name}` | {column.kind.value} | {'yes' if column.nullable else 'no'} | {meaning} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]), Path(sys.argv[2]))
