"""How is work done by several machines, and in which one place is Dask spoken to?

A booster is fitted (person-periods in, its native text out), or a list of tasks is done. For a fit each worker gets its
share of the rows (numbers only: no name of an account) and LightGBM's own distributed learner grows the trees. The
workers talk with each other over ports that LightGBM opens; whoever may talk with the scheduler may run code on the
workers, as always with Dask.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.errors import ConfigError, ServiceUnavailable, UsageError
from training.boosting import input_names, inputs_of
from training.periods import Floats

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = timedelta(seconds=20)
"""For the scheduler to answer; one that is there answers at once."""
MEETING = timedelta(minutes=5)
"""For LightGBM's workers to find each other; a firewall between them shows after this time."""
_OURS_ALONE = ("num_threads", "verbosity")
_ADDRESSES = re.compile(r"\[(machines|local_listen_port|num_machines|time_out): [^\]]*\]\n")


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """The workers of a Dask scheduler."""

    scheduler: str

    @classmethod
    def at(cls, scheduler: str | None) -> DaskCluster:
        """The cluster behind an address: ``tcp://HOST:PORT`` or ``tls://HOST:PORT``; asked whether it is there.

        Raises:
            ConfigError: Dask is not installed.
            UsageError: no address, or none that Dask knows.
            ServiceUnavailable: the scheduler does not answer, or has no worker.
        """
        if not scheduler or not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d+", scheduler):
            raise UsageError(
                "this is no Dask scheduler",
                expected="tcp://HOST:PORT or tls://HOST:PORT, as --scheduler",
                found=scheduler or "nothing",
                todo="start one (`dask scheduler`) with workers (`dask worker ADDRESS`) and name it",
            )
        try:
            import dask.array  # noqa: F401, PLC0415 - only who asks for it needs it
            import distributed  # noqa: F401, PLC0415
        except ImportError as cause:
            raise ConfigError(
                "Dask is not installed",
                expected="the packages dask and distributed",
                found="none",
                todo="pip install 'campaign-pulse[dask]', here and on every worker",
            ) from cause
        found = cls(scheduler)
        with closing(found._client()) as client:
            found._workers(client)
        return found

    def boosted(
        self, rows: pd.DataFrame, params: Mapping[str, Any], rounds: int, *, offsets: Floats | None = None
    ) -> tuple[str, str]:
        """The native text of a booster fitted on all workers together, and a note of how many they were.

        ``offsets`` as in :class:`training.effort.Cluster`.

        Raises:
            ServiceUnavailable: the scheduler does not answer, has no worker, or a worker failed.
        """
        with closing(self._client()) as client:
            workers = self._workers(client)
            try:
                text = _fitted(client, workers, rows, offsets, _Order(params, rounds))
            except _failures() as cause:
                raise self._refused(f"a fit that failed on a worker ({type(cause).__name__})") from cause
        return text, f"the final fit was made on a Dask cluster of {len(workers)} workers"

    def map_texts(self, work: Callable[[str], str], texts: Sequence[str]) -> list[str]:
        """One answer per text, in their order; each is a task of its own on a worker.

        ``work`` is a function of a module that the workers have as well.

        Raises:
            ServiceUnavailable: the scheduler does not answer, has no worker, or a worker failed.
        """
        import dask.dataframe as dd  # noqa: PLC0415

        with closing(self._client()) as client:
            self._workers(client)
            rows = dd.from_pandas(pd.DataFrame({"text": list(texts)}), npartitions=len(texts))
            told = rows.map_partitions(_answered, work, meta={"text": "object"})
            try:
                return [str(text) for text in client.compute(told).result()["text"]]
            except _failures() as cause:
                raise self._refused(f"a task that failed on a worker ({type(cause).__name__})") from cause

    def _client(self) -> Client:
        from distributed import Client  # noqa: PLC0415

        try:
            return Client(self.scheduler, timeout=PATIENCE.total_seconds(), set_as_default=False)
        except OSError as cause:
            raise self._refused("no answer") from cause

    def _workers(self, client: Client) -> list[str]:
        if found := sorted(client.scheduler_info(n_workers=-1)["workers"]):
            return found
        raise self._refused("a scheduler without workers")

    def _refused(self, found: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            "the Dask cluster cannot do this",
            expected=f"a scheduler at {self.scheduler}, and workers with the packages of this one",
            found=found,
            todo="look at the cluster's own logs; a search is kept: go on with --resume, or here without --engine",
        )


def _failures() -> tuple[type[BaseException], ...]:
    # What comes from a worker that died, lacks a package, or cannot reach the others.
    from distributed import KilledWorker  # noqa: PLC0415
    from distributed.client import FutureCancelledError  # noqa: PLC0415
    from lightgbm.basic import LightGBMError  # noqa: PLC0415

    return (KilledWorker, FutureCancelledError, LightGBMError, ImportError, OSError)


def _answered(rows: pd.DataFrame, work: Callable[[str], str]) -> pd.DataFrame:
    return rows.assign(text=[work(text) for text in rows["text"]])


@dataclass(frozen=True, slots=True)
class _Order:
    params: Mapping[str, Any]
    rounds: int


def _fitted(client: Client, workers: list[str], rows: pd.DataFrame, offsets: Floats | None, order: _Order) -> str:
    # The regressor is the one that takes labels as they are: a classifier numbers the classes that it sees, worker by
    # worker, and a worker may see one class only.
    from lightgbm import DaskLGBMRegressor  # noqa: PLC0415

    ours = {name: value for name, value in order.params.items() if name not in _OURS_ALONE}
    model = DaskLGBMRegressor(
        client=client, n_estimators=order.rounds, verbosity=-1, time_out=int(MEETING.total_seconds() // 60), **ours
    )
    with client.as_current(), warnings.catch_warnings():
        # LightGBM's own default, about which it then complains.
        warnings.filterwarnings("ignore", message="Parameter n_jobs will be ignored")
        model.fit(
            _spread(client, workers, inputs_of(rows)),
            _spread(client, workers, rows["y"].to_numpy(np.float64)),
            sample_weight=_spread(client, workers, rows["weight"].to_numpy(np.float64)),
            init_score=None if offsets is None else _spread(client, workers, offsets),
            feature_name=list(input_names(rows)),
        )
    # Where the workers stood is no part of a model.
    return _ADDRESSES.sub("", model.booster_.model_to_string())


def _spread(client: Client, workers: list[str], values: Floats) -> Any:
    # Every n-th row to each worker: rows come in order of time, and each worker finds the bins of some features.
    import dask.array as da  # noqa: PLC0415
    from dask import delayed  # noqa: PLC0415

    shares = []
    for place, worker in enumerate(workers):
        share = values[place :: len(workers)]
        sent = client.scatter(share, workers=[worker], hash=False)
        shares.append(da.from_delayed(delayed(sent), shape=share.shape, dtype=share.dtype))
    return da.concatenate(shares)
