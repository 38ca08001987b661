"""Does a stored model come back as it was, and is a bad one stopped before it can do harm?"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.errors import IntegrityError
from training.bundle_files import CALIBRATION, FEATURES, GOLDEN, MANIFEST, MODEL, bundle_hash, json_bytes
from training.calibrate import calibrate
from training.fit import fit_hazard
from training.held_out import caution_of
from training.level import at_own_level
from training.model import check_golden, load_bundle, prove_in_child
from training.packing import make_bundle, write_bundle
from training.proof import NOT_NEEDED, main
from training.search import search

from .bundle_case import SMALL, provenance, trained


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained().write(tmp_path_factory.mktemp("bundles") / "1")


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "1"))


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Exchange a file and make the manifest agree, as somebody would who knows the format."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


def document(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def test_a_loaded_bundle_scores_the_same_bits_as_the_one_that_was_written(written: Path) -> None:
    made = trained()
    rows = made.world.snapshots.head(500)
    loaded = load_bundle(written)
    pd.testing.assert_frame_equal(loaded.score(rows), made.bundle.score(rows), check_exact=True)
    pd.testing.assert_frame_equal(loaded.feature_points(rows), made.bundle.feature_points(rows), check_exact=True)
    pd.testing.assert_frame_equal(loaded.expected(rows), made.bundle.expected(rows), check_exact=True)


def test_a_loaded_bundle_is_the_one_that_was_written_in_every_part(written: Path) -> None:
    loaded, made = load_bundle(written, threads=2), trained().bundle
    assert loaded.threads == 2
    loaded_plain, made_plain = (replace(one, explainer=None, threads=1, content_hash="") for one in (loaded, made))
    assert loaded_plain == made_plain
    assert (loaded.content_hash, made.content_hash) == (bundle_hash(written), "")
    assert (loaded.explainer.method, loaded.explainer.owners) == ("lookup tables", made.explainer.owners)


def test_the_same_data_and_seed_give_the_same_bundle(tmp_path: Path, written: Path) -> None:
    # Reliability 15, from the search on: nothing but rows, config and seed goes in.
    made = trained()
    found = search(made.development, made.split.walk_forward, SMALL, threads=1)
    fitted = fit_hazard(made.development, found.params, found.rounds, SMALL, threads=1)
    of_folds = calibrate(found.out_of_fold, SMALL)
    again = make_bundle(
        fitted,
        at_own_level(of_folds, fitted.booster, made.development, made.split.walk_forward),
        made.reference_rows,
        caution=caution_of(
            found,
            made.split,
            of_folds,
            snapshots=made.snapshots,
            decided=made.world.decided,
            config=SMALL,
        ),
        provenance=provenance(made.world),
        config=SMALL,
    )
    assert bundle_hash(write_bundle(tmp_path / "again", again, made.reference_rows)) == bundle_hash(written)


def test_another_version_is_another_bundle(tmp_path: Path, written: Path) -> None:
    other = replace(trained().bundle, version="2")
    assert bundle_hash(write_bundle(tmp_path / "2", other, trained().reference_rows)) != bundle_hash(written)


def test_golden_rows_name_no_account(written: Path) -> None:
    golden = document(written, GOLDEN)
    assert golden["rows"]["account_id"] == [f"golden-{place:02d}" for place in range(SMALL.golden_rows)]
    assert "account_name" not in golden["rows"]
    assert len(golden["scores"]["health"]) == SMALL.golden_rows


def test_a_sound_bundle_proves_itself(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_golden(written).version == "1"
    assert main([str(written)]) == 0
    assert capsys.readouterr().out == "1\n"


def test_another_calibration_is_caught_by_the_golden_rows(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calibration = document(copy, CALIBRATION)
    rewrite(copy, CALIBRATION, json_bytes({**calibration, "slope": calibration["slope"] * (1 + 1e-6)}))
    load_bundle(copy)  # the hashes agree: only the proof can see it
    with pytest.raises(IntegrityError, match="other scores for its golden rows"):
        check_golden(copy)
    assert main([str(copy)]) == 7
    assert "golden rows" in capsys.readouterr().err


def test_a_proof_brings_in_nothing_that_only_fits(written: Path) -> None:
    # It is half of the time after which a promotion is live.
    code = (
        f"import sys; sys.modules[{NOT_NEEDED!r}] = None; from training.proof import main; code = main(sys.argv[1:])\n"
        "print(code, sorted({'sklearn.base', 'scipy.stats', 'scipy.optimize', 'numba', 'feast'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(written)], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n0 []\n"


def test_a_sound_bundle_is_proved_in_a_process_of_its_own(written: Path) -> None:
    prove_in_child(written)


def test_a_model_that_kills_its_process_kills_the_child_and_not_us(copy: Path) -> None:
    # The worst case: the damage happened before hashing, so that the hashes agree.
    text = (copy / MODEL).read_text()
    head, _, rest = text.partition("Tree=0\n")
    rewrite(copy, MODEL, f"{head}Tree=0\n{rest[:400]}".encode())
    with pytest.raises(IntegrityError, match="a proof that ended with code"):
        prove_in_child(copy)


def test_a_proof_that_never_ends_is_refused(written: Path) -> None:
    with pytest.raises(IntegrityError, match="ran over"):
        prove_in_child(written, timeout=timedelta(milliseconds=1))


@pytest.mark.parametrize("change", ["swapped", "renamed", "dropped"])
def test_other_columns_than_the_boosters_are_refused(copy: Path, change: str) -> None:
    # LightGBM would score columns in a wrong order without a word.
    names = document(copy, FEATURES)
    first, second, *rest = names["features"]
    altered = {"swapped": [second, first, *rest], "renamed": ["x", second, *rest], "dropped": [second, *rest]}[change]
    parts = names["subcategories"][len(names["features"]) - len(altered) :]
    rewrite(copy, FEATURES, json_bytes({**names, "features": altered, "subcategories": parts}))
    with pytest.raises(IntegrityError, match="other columns"):
        load_bundle(copy)


@pytest.mark.parametrize("name", [CALIBRATION, FEATURES, "reference.json"])
def test_a_document_of_another_form_is_refused(copy: Path, name: str) -> None:
    rewrite(copy, name, json_bytes({"unexpected": 1}))
    with pytest.raises(IntegrityError, match="another form"):
        load_bundle(copy)


def test_a_config_with_an_unknown_key_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["config"]["from_the_future"] = 1
    (copy / MANIFEST).write_bytes(json_bytes(manifest))
    with pytest.raises(IntegrityError, match="ConfigError"):
        load_bundle(copy)


def test_nothing_of_a_bundle_is_a_pickle(written: Path) -> None:
    for path in written.iterdir():
        path.read_text()  # native text and JSON only
        assert path.suffix in {".txt", ".json"}
