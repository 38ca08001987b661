"""What every test stands on: one thread per process, no telemetry, no screen."""

from __future__ import annotations

import os

# Set before any library is imported: two test workers with two threads each would slow each other down many times.
for variable in ("PULSE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
