"""Does a bundle score its golden rows as it did when it was made? Asked in a process that it may end.

``python -m training.proof FOLDER``. Scores are computed here by the same code as everywhere, and nothing is fitted:
LightGBM is told that there is no scikit-learn, which it would bring in for its estimators. That is half of what a proof
costs, and a promotion waits for its proof.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from features.errors import EXIT_OK, PulseError, exit_code

NOT_NEEDED = "sklearn"


def main(arguments: Sequence[str]) -> int:
    """Prove the bundle in the folder given; the exit code is 0, or the failure's own (7 for an unusable bundle)."""
    from training.model import check_golden  # noqa: PLC0415  after what it need not bring in is known

    try:
        bundle = check_golden(Path(arguments[0]))
    except PulseError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
    sys.stdout.write(f"{bundle.version}\n")
    return EXIT_OK


if __name__ == "__main__":
    sys.modules[NOT_NEEDED] = None  # type: ignore[assignment]  # how Python is told that there is no such module
    sys.exit(main(sys.argv[1:]))
