"""Real servers for what is online: Debian's Redis and PostgreSQL, on a free port of loopback, gone after the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

PASSWORD = "sw0rdfish-in-a-test"  # noqa: S105 - of servers that live for a test
_PATIENCE_SECONDS = 30
_POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its address with the password, without it, and its process."""

    address: str
    shown: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server stopped in its tracks: it takes connections, and never answers."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def redis_server() -> Iterator[Server]:
    """A Redis that keeps nothing on disk and asks for a password."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("online features are tested on a real Redis: install Debian's redis-server (apt-get install)")

    def answers(port: int) -> None:
        redis.Redis(port=port, password=PASSWORD, retry=None, socket_timeout=5).ping()

    with tempfile.TemporaryDirectory() as folder:
        options = ("--bind", "127.0.0.1", "--save", "", "--dir", folder, "--requirepass", PASSWORD)
        started = _started(lambda port: [program, *options, "--port", str(port)], answers, redis.RedisError)
        with started as (port, process):
            yield Server(f"redis://:{PASSWORD}@127.0.0.1:{port}/3", f"redis://127.0.0.1:{port}/3", process)


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL with a fresh cluster; it refuses to run as root, so root starts it as Debian's user for it."""
    if not _POSTGRESQL:
        pytest.fail("online features are tested on a real PostgreSQL: install Debian's postgresql (apt-get install)")
    programs, root = _POSTGRESQL[-1], os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="pulse-postgresql-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if root:
            owner = pwd.getpwnam("postgres")
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        made = ("-D", str(folder / "data"), "-U", "pulse", "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        _run([str(programs / "initdb"), *made, "--locale=C", "--encoding=UTF8"], as_owner=root, folder=folder)

        def command(port: int) -> list[str]:
            options = ("-D", str(folder / "data"), "-h", "127.0.0.1", "-k", str(folder), "-F", "-p", str(port))
            return [str(programs / "postgres"), *options]

        def answers(port: int) -> None:
            psycopg.connect(host="127.0.0.1", port=port, user="pulse", password=PASSWORD, dbname="postgres").close()

        with _started(command, answers, psycopg.Error, as_owner=root, folder=folder) as (port, process):
            where = f"127.0.0.1:{port}/postgres"
            yield Server(f"postgresql://pulse:{PASSWORD}@{where}", f"postgresql://{where}", process)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(
    command: Callable[[int], Sequence[str]],
    answers: Callable[[int], None],
    refusal: type[Exception],
    *,
    as_owner: bool = False,
    folder: Path | None = None,
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    # A port that was free may be taken before the server has it: then the next one is tried.
    for _ in range(5):
        port = _free_port()
        process = subprocess.Popen(
            command(port),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **({"user": "postgres", "group": "postgres", "extra_groups": []} if as_owner else {}),
        )
        try:
            if _is_up(process, port, answers, refusal):
                yield port, process
                return
        finally:
            # SIGINT: PostgreSQL closes its connections and leaves no shared memory behind.
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE_SECONDS)
    pytest.fail("no server could be started for the tests of online features")


def _is_up(
    process: subprocess.Popen[bytes], port: int, answers: Callable[[int], None], refusal: type[Exception]
) -> bool:
    until = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            answers(port)
        except refusal:
            time.sleep(0.02)
        else:
            return True
    return False


def _run(command: Sequence[str], *, as_owner: bool, folder: Path) -> None:
    who = {"user": "postgres", "group": "postgres", "extra_groups": []} if as_owner else {}
    made = subprocess.run(command, cwd=folder, capture_output=True, check=False, **who)
    assert made.returncode == 0, made.stderr.decode()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
