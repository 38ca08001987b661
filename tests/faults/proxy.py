"""How does a connection go wrong between two programs of ours? A TCP proxy on loopback that can be told to.

It passes bytes on, waits before each, resets connections, or swallows everything without a word. One thread of its own;
every connection ends with it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from enum import StrEnum
from threading import Thread
from types import TracebackType

_PATIENCE = 10.0
_PIECE = 65_536


class Fault(StrEnum):
    """What the proxy does with new bytes and new connections."""

    NONE = "none"
    DELAY = "delay"
    RESET = "reset"
    BLACK_HOLE = "black hole"


class Proxy:
    """Stands between a client and ``127.0.0.1:target``; :attr:`port` is where the client goes."""

    def __init__(self, target: int, *, delay: float = 2.0) -> None:
        self.fault = Fault.NONE
        self.port = 0
        self._target = target
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._connected, "127.0.0.1", 0), self._loop)
        self._server = starting.result(_PATIENCE)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._joined(reader, writer)
        finally:
            self._tasks.discard(task)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault is Fault.RESET:
            _reset(writer)
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ways = (self._pass(reader, there_writer), self._pass(there_reader, writer))
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in tasks:
                one.cancel()
            if self.fault is Fault.RESET:
                _reset(writer)
            for end in (writer, there_writer):
                end.close()
                with suppress(OSError, asyncio.CancelledError):
                    await end.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if self.fault is Fault.RESET:
                    return
                if self.fault is Fault.DELAY:
                    await asyncio.sleep(self._delay)
                if self.fault is not Fault.BLACK_HOLE:
                    writer.write(piece)
                    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    # Zero seconds of lingering: the other side gets a reset, not an orderly end.
    end: socket.socket = writer.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
