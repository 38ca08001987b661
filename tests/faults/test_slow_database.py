"""Row 35: is a database that cuts connections, lags or says nothing told within seconds, and used again afterwards?

A database that is stopped (SIGSTOP) or away has tests in ``tests/features/test_online_products.py`` and
``tests/serving/test_state.py``; here the way to it goes wrong, between a server that is well and a store that is well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from features.errors import ServiceUnavailable
from features.online_place import ONLINE_VARIABLE, OnlinePlace
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import WEEK
from tests.faults.proxy import Fault, Proxy
from tests.faults.reporter import report, tries
from tests.features.online_servers import Server, postgresql_server, redis_server
from tests.features.snapshot_case import MONDAY, account_ids, store_snapshot, weeks

ACCOUNTS = account_ids(5)
QUICK_ROUNDS, FULL_ROUNDS = 1, 20
PRODUCTS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "redis": redis_server,
    "postgresql": postgresql_server,
}
_TOLD_WITHIN = 10.0
"""Two seconds for a connection and two for an answer, each tried once more; the rest is a machine that does other
things."""


class Way:
    """A store whose way to its database goes through a proxy."""

    def __init__(self, home: Home, server: Server, proxy: Proxy) -> None:
        host, port = server.address.rsplit(":", 1)
        address = f"{host}:{proxy.port}/{port.split('/', 1)[1]}"
        self.proxy = proxy
        self.store = FeatureStore(home, online=OnlinePlace.from_environment({ONLINE_VARIABLE: address}))
        self.store.apply()
        self.store.materialize(MONDAY + WEEK)
        self.good = self.store.online(ACCOUNTS)
        self.slowest = 0.0

    def fails(self, fault: Fault, pool: ThreadPoolExecutor) -> bool:
        """Is anything else than a right answer or a clear refusal told in time, or is the way not used again?"""
        self.proxy.fault = fault
        begun = time.monotonic()
        asked = pool.submit(self._told)
        try:
            told = asked.result(_TOLD_WITHIN)
        except TimeoutError:
            told = False
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.proxy.fault = Fault.NONE
        return not (told and self.store.online(ACCOUNTS).equals(self.good))

    def _told(self) -> bool:
        try:
            return bool(self.store.online(ACCOUNTS).equals(self.good))
        except ServiceUnavailable:
            return True


@pytest.mark.parametrize("product", PRODUCTS)
def test_row_35_a_database_behind_a_bad_line_is_told_within_seconds_and_used_again(
    product: str, tmp_path: Path
) -> None:
    home = Home(root=tmp_path / "home").prepare()
    for as_of in weeks(2):
        store_snapshot(home, as_of, ACCOUNTS)
    faults = [fault for fault in Fault if fault is not Fault.NONE] * tries(QUICK_ROUNDS, FULL_ROUNDS)
    with PRODUCTS[product]() as server, ThreadPoolExecutor(1) as pool:
        port = int(server.address.rsplit(":", 1)[1].split("/")[0])
        with Proxy(port, delay=5.0) as proxy:
            way = Way(home, server, proxy)
            failed = sum(way.fails(fault, pool) for fault in faults)
    report(35, failed, len(faults), f"faults on the way to {product}, slowest={way.slowest:.1f}s")
