"""Small TCP doors before each part of the sandbox, so that the monitor can be blinded and nobody else."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from canary.sandbox.ports import HOST, free_port

Mode = Literal["open", "refuse", "deny", "hang"]
_RESET = struct.pack("ii", 1, 0)
_CLIENT_ID_AT = 12
_HIGH_WATER = 1 << 20


def kafka_client(request: bytes) -> str | None:
    """The client id in the header (v1, v2) of a Kafka request; None where more bytes are needed."""
    if len(request) < _CLIENT_ID_AT + 2:
        return None
    (length,) = struct.unpack_from(">h", request, _CLIENT_ID_AT)
    end = _CLIENT_ID_AT + 2 + max(length, 0)
    if len(request) < end:
        return None
    return request[_CLIENT_ID_AT + 2 : end].decode("utf-8", "replace")


class Door:
    """One listening port that leads to one upstream port.

    With `only` (a client id's beginning) it is a Kafka door through which everybody comes, and modes other
    than open meet those clients alone. `denial` is what a denied caller is answered before the farewell.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, only: str | None, denial: bytes) -> None:
        self._loop, self._denial = loop, denial
        self.only = only
        self.upstream = 0
        self.port = 0
        self._mode: Mode = "open"
        self._closed = False
        self._listener: asyncio.Server | None = None
        self._callers: set[_Caller] = set()
        self.ends: set[_Pipe] = set()

    @property
    def mode(self) -> Mode:
        return self._mode

    async def listen(self) -> None:
        self.port = self.port or free_port()
        self._listener = await self._loop.create_server(lambda: _Caller(self), HOST, self.port, backlog=256)

    async def unlisten(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def switch(self, mode: Mode) -> None:
        """Blind (or see again) the callers that this door is about."""
        self._mode = mode
        if mode == "refuse" and self.only is None:
            await self.unlisten()
        elif self._listener is None and not self._closed:
            await self.listen()
        for caller in list(self._callers):
            caller.mode_changed()

    async def close(self, closed: bool) -> None:
        """Refuse everybody, whoever they are, or let them in again."""
        self._closed = closed
        if closed:
            await self.unlisten()
            for caller in list(self._callers):
                caller.reset()
        elif self._listener is None and not (self._mode == "refuse" and self.only is None):
            await self.listen()

    def meets(self, first: bytes) -> bool | None:
        """Whether the door's mode is about the caller that began so; None where that is not known yet."""
        if self.only is None:
            return True
        client = kafka_client(first)
        return None if client is None else client.startswith(self.only)

    def denial(self) -> bytes:
        return self._denial

    def came(self, caller: "_Caller") -> None:
        self._callers.add(caller)

    def went(self, caller: "_Caller") -> None:
        self._callers.discard(caller)


class _Pipe(asyncio.Protocol):
    """What both ends share: bytes go to the peer, which holds this end up while it is full."""

    peer: "_Pipe | None" = None
    transport: asyncio.Transport | None = None

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.transport = transport
        self._door.ends.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._door.ends.discard(self)
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()


class _Upstream(_Pipe):
    def __init__(self, door: Door, caller: "_Caller") -> None:
        super().__init__(door)
        self.peer = caller
        self._caller = caller

    def data_received(self, data: bytes) -> None:
        self._caller.answer(data)


class _Caller(_Pipe):
    """One caller: what it says waits in `_early` until we know who it is and the upstream has answered."""

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self._early = b""
        self._met: bool | None = None
        self._back: list[bytes] = []
        self._knock: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._door.came(self)
        self._knock = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, self.peer = await loop.create_connection(
                lambda: _Upstream(self._door, self), HOST, self._door.upstream
            )
        except OSError:
            self.reset()
            return
        if self.transport is None:
            transport.close()
        self._flush()

    def data_received(self, data: bytes) -> None:
        upstream = self._upstream()
        if self._met is not None and not self._blind() and upstream is not None and not self._early:
            upstream.write(data)
            return
        self._early += data
        if self._met is None:
            self._met = self._door.meets(self._early)
        self._flush()

    def answer(self, data: bytes) -> None:
        if self._blind():
            self._back.append(data)
        elif self.transport is not None:
            self.transport.write(data)

    def mode_changed(self) -> None:
        if self._met is None and self._door.only is None:
            self._met = True
        self._flush(established=True)

    def reset(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.went(self)
        super().connection_lost(exc)
        self.transport = None

    def _blind(self) -> bool:
        return self._met is True and self._door.mode != "open"

    def _upstream(self) -> asyncio.Transport | None:
        return None if self.peer is None else self.peer.transport

    def _flush(self, *, established: bool = False) -> None:
        """Do what the mode asks now: let what waited through, or turn this caller away."""
        if self._blind():
            if self._door.mode == "refuse" or (established and self._door.mode == "deny"):
                self.reset()
            elif self._door.mode == "deny" and self._early and self.transport is not None:
                self.transport.write(self._door.denial())
                self.transport.close()
            return
        upstream = self._upstream()
        if upstream is None or self._met is None or self.transport is None:
            return
        if self._early:
            upstream.write(self._early)
            self._early = b""
        for data in self._back:
            self.transport.write(data)
        self._back.clear()


class Doors:
    """All doors of a sandbox, on one event loop in one thread; every method may be called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._doors: list[Door] = []
        self._thread.start()

    def open(self, *, upstream: int = 0, only: str | None = None, denial: bytes = b"") -> Door:
        """A new door on a free port; `upstream` may be set later, when it is known."""
        door = Door(self._loop, only=only, denial=denial)
        door.upstream = upstream
        self._run(door.listen)
        self._doors.append(door)
        return door

    def switch(self, door: Door, mode: Mode) -> None:
        self._run(lambda: door.switch(mode))

    def close(self, door: Door, *, closed: bool) -> None:
        self._run(lambda: door.close(closed))

    def stop(self) -> None:
        for door in self._doors:
            self._run(lambda door=door: door.close(True))  # type: ignore[misc]
        self._run(self._settle)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(3)
        self._loop.close()

    async def _settle(self) -> None:
        """Let every connection say goodbye before the loop ends, also to one who does not listen any more."""
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine:
                task.cancel()
        await asyncio.sleep(0.01)
        while ends := [end for door in self._doors for end in door.ends]:
            for end in ends:
                if end.transport is not None:
                    end.transport.abort()
            await asyncio.sleep(0.001)

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(5)
