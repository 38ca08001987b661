"""Does Feast come in as it is written, and is the library that checks types whole afterwards?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, typeguard
before = typeguard.typechecked
{line}
import feast

class Checked:
    @typeguard.typechecked
    def number(self, given: int) -> int:
        return given

try:
    Checked().number("one")
except typeguard.TypeCheckError:
    refused = True
else:
    refused = False
codes = [kind.__init__.__code__ for kind in (feast.FeatureView, feast.FileSource, feast.OnDemandFeatureView)]
checked = sum("typeguard" in code.co_names for code in codes)
print(json.dumps([checked, typeguard.typechecked is before, refused]))
"""


def told(tmp_path: Path, line: str) -> list[object]:
    # A file, since what is checked is written anew from its text.
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(line=line))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, cwd=ROOT)
    found: list[object] = json.loads(done.stdout)
    return found


def test_feast_comes_in_as_written_and_others_are_checked_as_ever(tmp_path: Path) -> None:
    assert told(tmp_path, "import features.store") == [0, True, True]


def test_without_our_door_feast_is_written_anew(tmp_path: Path) -> None:
    # Else the door is of no use any more and can go.
    assert told(tmp_path, "") == [3, True, True]
