"""A real Dask cluster on this machine: a scheduler and two worker processes on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from distributed import Client

from .search_case import PATIENCE_SECONDS, wait_until

WORKERS = 2
_QUIET = {"DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False", "OMP_NUM_THREADS": "1"}


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a scheduler; it and its workers end with the block."""
    told = folder / "scheduler.json"
    listen = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as running:
        _start(running, folder, "dask_scheduler", *listen, "--port", "0", "--scheduler-file", str(told))
        wait_until(lambda: told.exists() and told.read_text().endswith("}"))
        address = str(json.loads(told.read_text())["address"])
        for _ in range(WORKERS):
            _start(running, folder, "dask_worker", address, *listen, "--no-nanny", "--nthreads", "1")
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(WORKERS, timeout=PATIENCE_SECONDS)
        yield address


def _start(running: ExitStack, folder: Path, program: str, *words: str) -> None:
    log = running.enter_context((folder / f"{program}.log").open("a"))
    command = [sys.executable, "-m", f"distributed.cli.{program}", *words]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **_QUIET}, stdout=log, stderr=log)
    running.callback(process.wait)
    running.callback(process.terminate)
