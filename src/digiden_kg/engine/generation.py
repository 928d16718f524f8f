"""One release: its zygote, and the workers forked from it.

What is here starts processes, notices when one ends, and replaces it. It knows no queries.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

from digiden_kg.engine.seam import Limits
from digiden_kg.engine.worker import END, ERROR, HEADER
from digiden_kg.engine.zygote import COLD, EXIT, STATUS, WARM
from digiden_kg.exceptions import ReleaseError

_BUFFER = 256 * 1024
"""Bytes that are read ahead from a worker, at most twice as many."""
_NICE = 10
"""By how much workers in the slow lane are nicer than the server."""
_PAUSE = 0.5
"""Seconds before a zygote that could not start is tried again."""
_SHORT_PAUSE = 0.05
"""Seconds before a worker that could not start is tried again."""
_START = 30.0
"""Seconds in which a worker must be ready; a zygote that does not fork in time is replaced."""
_BRIEF = 0.15
"""Seconds in which a worker that has left the quick lane may come back."""
_COOL = 60.0
"""Seconds after the last heavy query in which workers are made ready for the next."""
_REPORT = 1.0
"""Seconds in which the zygote must say how a worker ended, and itself end when told to."""


class Ended(Exception):
    """The other process has closed its end."""


class Channel(asyncio.Protocol):
    """Frames to and from another process.

    Not by asyncio's streams: those take two calls and a task switch for each part of a frame.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.is_open = True
        """Whether the other side has not closed yet."""
        self._ended = asyncio.Event()
        self._parts: list[bytes] = []
        """What has come of a frame that is not whole yet."""
        self._missing = 0
        """Bytes that it needs at least."""
        self._frames: deque[tuple[bytes, bytes]] = deque()
        self._size, self._paused = 0, False
        self._listener: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = self._due = math.inf
        """When the listener is called in any case, and when the timer looks whether that is now."""
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over one end of a socket pair."""
        _, channel = await asyncio.get_running_loop().create_unix_connection(cls, sock=end)
        return channel

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called by the loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio

    def data_received(self, data: bytes) -> None:
        """Take what has come; called by the loop."""
        if len(data) < self._missing:  # frames are large, so their parts are put together once
            self._parts.append(data)
            self._missing -= len(data)
            return
        if self._parts:
            data = b"".join([*self._parts, data])
            self._parts.clear()
        start, end = 0, HEADER.size
        while end <= len(data):
            kind, length = HEADER.unpack_from(data, start)
            end += length
            if end > len(data):
                break
            self._frames.append((kind, data[end - length : end]))
            self._size += length
            start, end = end, end + HEADER.size
        self._missing = end - len(data)
        if start < len(data):
            self._parts.append(data[start:])
        if self._size > _BUFFER and not self._paused and self._transport:
            self._paused = True
            self._transport.pause_reading()
        if start:
            self._wake()

    def eof_received(self) -> bool:
        """Note that nothing more comes; called by the loop."""
        self._end()
        return True  # what was sent may still be read

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more comes; called by the loop."""
        self._end()

    def _end(self) -> None:
        self.is_open = False
        self._ended.set()
        self._wake()

    def _wake(self) -> None:
        if self._listener:
            listener, self._listener, self._until = self._listener, None, math.inf
            listener()

    async def ended(self) -> None:
        """Wait until the other side closes."""
        await self._ended.wait()

    def send(self, kind: bytes, content: bytes) -> None:
        """Send a frame."""
        assert self._transport
        self._transport.write(HEADER.pack(kind, len(content)) + content)

    async def receive(self, patience: float | None = None) -> tuple[bytes, bytes]:
        """Return the next frame; a call that is cancelled or gives up loses nothing.

        Raises:
            Ended: The other process has closed its end.
            TimeoutError: Nothing has come in these seconds.
        """
        if not self._frames:
            await self._wait(patience)
        return self.pop()

    @property
    def last(self) -> bytes | None:
        """Kind of the last frame that has come and was not received yet."""
        return self._frames[-1][0] if self._frames else None

    def pop(self) -> tuple[bytes, bytes]:
        """Receive a frame that has come."""
        frame = self._frames.popleft()
        self._size -= len(frame[1])
        if self._paused and self._size <= _BUFFER and self._transport:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return frame

    async def _wait(self, patience: float | None) -> None:
        if self.is_open:
            heard = self._loop.create_future()
            self.listen(lambda: None if heard.done() else heard.set_result(None), patience)
            try:
                await heard
            finally:
                self._listener, self._until = None, math.inf
        if not self._frames:
            raise TimeoutError if self.is_open else Ended

    def listen(self, listener: Callable[[], None], patience: float | None = None) -> None:
        """Call back once: when more has come, or will not come, or these seconds are over."""
        self._listener = listener
        self._until = math.inf if patience is None else self._loop.time() + patience
        # A timer that was set for a frame which has come serves those after it: most come in time.
        if self._until < self._due:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._due, self._timer = self._until, self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        self._due, self._timer = math.inf, None
        if self._until <= self._loop.time():
            self._wake()
        elif self._until < math.inf:
            self._set_timer()

    def close(self) -> None:
        """Close our end."""
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._transport.close()


class Launched(NamedTuple):
    """A zygote that loads its dataset, and our end of its control socket."""

    process: subprocess.Popen[bytes]
    control: socket.socket


def launch(dataset: Path, *, in_memory: int, memory: int) -> Launched:
    """Start a zygote; it ends when the control socket closes.

    Args:
        dataset: RDF file, folder of RDF files, or RocksDB folder.
        in_memory: Statements up to which it is held in memory.
        memory: Bytes that a query may use.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 -- ourselves
            [
                *(sys.executable, "-m", "digiden_kg.engine.zygote", str(theirs.fileno())),
                *(str(dataset), str(in_memory), str(memory)),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return Launched(process, ours)


class Worker:
    """A worker process, seen from the front."""

    def __init__(self, generation: Generation, channel: Channel, pid: int, *, warm: bool) -> None:
        self.generation, self.channel, self.pid = generation, channel, pid
        self.warm = warm
        """Whether it has, or will have, a copy of the data of its own."""
        self.status: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """How it ended; None where nobody can say."""
        self.quick = True
        self.leaving: asyncio.Task[None] | None = None
        """Replaces it in the quick lane, if it does not come back before."""
        self.closed = False
        # A descriptor cannot mean another process that was given the same number later.
        self._handle: int | None = None
        with contextlib.suppress(AttributeError, OSError):
            self._handle = os.pidfd_open(pid)

    @property
    def alive(self) -> bool:
        """Whether it may be given a query."""
        return not self.closed and self.channel.is_open

    def processor_time(self) -> float:
        """Return the seconds of processor time that it has used; the clock's where none can say."""
        # Linux numbers the clocks of other processes so: clock_getcpuclockid(3), which Python
        # does not offer.
        try:
            return time.clock_gettime(~self.pid << 3 | 2)
        except (AttributeError, OSError):
            return time.monotonic()

    def slow_down(self) -> None:
        """Let it give way to all others from now on."""
        with contextlib.suppress(OSError):
            ours = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, self.pid, ours + _NICE)

    def close(self) -> None:
        """Kill it and let go of everything that belongs to it."""
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(OSError):
            if self._handle is None:
                os.kill(self.pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
                os.close(self._handle)
        self.channel.close()


class Generation:
    """One release, its zygote, and the workers forked from it."""

    def __init__(
        self,
        dataset: Path,
        release: str,
        size: int,
        limits: Limits,
        launched: Launched | None = None,
    ) -> None:
        self._launched = launched
        self.dataset, self.release, self._size, self._limits = dataset, release, size, limits
        self.idle: deque[Worker] = deque()
        self._offered, self._wanted = asyncio.Event(), asyncio.Event()
        self._takers = 0
        """Those who wait for a worker, and so want one."""
        self.workers: dict[int, Worker] = {}
        self.users = 0
        self.restarts = {"zygote": 0, "worker": 0}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        self._socket: socket.socket | None = None
        self._alive = asyncio.Event()
        self._unused: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._heavy_until = 0.0
        self._cooling = False

    async def start(self) -> None:
        """Start the zygote and the workers.

        Raises:
            ReleaseError: The dataset cannot be read.
        """
        try:
            await self._start_zygote()
            for worker in await asyncio.gather(*(self._fork() for _ in range(self._size))):
                self._offer(worker)
            self._do(self._supervise())
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError | Ended | TimeoutError):
                message = f"{self.dataset} cannot be served: {error or 'a process ended'}"
                raise ReleaseError(message) from error
            raise

    async def take(self, patience: float) -> Worker:
        """Return a worker that is ready, as soon as there is one.

        Raises:
            TimeoutError: There is none in these seconds.
        """
        if ready := self.take_ready():
            return ready
        self.users += 1  # who waits keeps it from ending
        self._takers += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(patience):
                while not (worker := self.take_ready()):
                    self._offered.clear()
                    await self._offered.wait()
        finally:
            self._takers -= 1
            if not self._takers:
                self._wanted.clear()
            self._leave()
        return worker

    def take_ready(self) -> Worker | None:
        """Return a worker that is ready now, if there is one."""
        while self.idle:
            if (worker := self.idle.popleft()).alive:
                self.users += 1
                return worker
        return None

    def _put(self, worker: Worker) -> None:
        self.idle.append(worker)
        self._offered.set()

    def move(self, worker: Worker) -> None:
        """Let a worker leave the quick lane; another takes its place, unless it is soon back."""
        self._heavy_until = time.monotonic() + _COOL
        if not self._cooling:
            self._cooling = True
            self._do(self._cool())
        worker.leaving = self._do(self._replace(worker))

    async def _replace(self, worker: Worker) -> None:
        """Replace a worker in the quick lane as soon as somebody needs one, or it stays away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BRIEF):
                await self._wanted.wait()
        worker.leaving, worker.quick = None, False
        worker.slow_down()
        await self._refill()

    def give_back(self, worker: Worker, *, usable: bool) -> None:
        """Take a worker back, or end it."""
        if worker.leaving:
            worker.leaving.cancel()
            # What it has read is its own now.
            worker.leaving, worker.warm = None, True
        fit = not worker.warm or self._heavy
        if usable and fit and worker.quick and worker.alive and not self._closing:
            self._put(worker)
        else:
            worker.close()
            if worker.quick:
                worker.quick = False
                self._do(self._refill())
        self._leave()

    @property
    def _heavy(self) -> bool:
        """Whether heavy queries come these days."""
        return time.monotonic() < self._heavy_until

    async def _cool(self) -> None:
        """Replace the workers that have much memory once heavy queries come no more."""
        while (rest := self._heavy_until - time.monotonic()) > 0:
            await asyncio.sleep(rest)
        self._cooling = False
        for _ in range(len(self.idle)):
            if not self.idle:
                break  # whoever is busy is replaced when given back
            worker = self.idle.popleft()
            if worker.warm:
                worker.close()
                worker.quick = False
                await self._refill()
            else:
                self._put(worker)

    def _leave(self) -> None:
        self.users -= 1
        if not self.users and self._unused:
            self._unused.set()

    async def drain(self) -> None:
        """End when the last query has."""
        if self.users:
            self._unused = asyncio.Event()
            await self._unused.wait()
        await self.close()

    async def close(self) -> None:
        """End every process."""
        self._closing = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for worker in self.workers.values():
            worker.close()
        await self._end_zygote()

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._closing:
            work.close()
            return None
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start_zygote(self) -> None:
        limits, launched, self._launched = self._limits, self._launched, None
        self._process, ours = launched or launch(
            self.dataset, in_memory=limits.in_memory, memory=limits.memory
        )
        self._socket = ours.dup()
        self._socket.setblocking(False)
        self._control = await Channel.open(ours)
        try:
            kind, content = await self._control.receive()
        except Ended as error:
            status = await asyncio.to_thread(self._process.wait)
            raise ReleaseError(
                f"{self.dataset} cannot be loaded: the process ended (status {status})"
            ) from error
        if kind != END:
            reason = json.loads(content)["message"]
            raise ReleaseError(
                f"{self.dataset} cannot be read: {reason} / {self.dataset} を読み込めません。"
            )
        self._alive.set()

    async def _end_zygote(self) -> None:
        self._alive.clear()
        if self._control:
            self._control.close()
        if self._socket:
            self._socket.close()
        if self._process:
            # It ends by itself, and its workers with it; unless it is stopped, say.
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, _REPORT)
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        # Workers whose zygote is gone end all the same, but nobody will say how.
        for worker in self.workers.values():
            if not worker.status.done():
                worker.status.set_result(None)

    async def _supervise(self) -> None:
        """Read what the zygote reports; start another when it has ended."""
        while True:
            assert self._control
            with contextlib.suppress(Ended):
                while True:
                    kind, content = await self._control.receive()
                    assert kind == EXIT
                    pid, status = STATUS.unpack(content)
                    if (worker := self.workers.get(pid)) and not worker.status.done():
                        worker.status.set_result(status)
            self.restarts["zygote"] += 1
            while not self._alive.is_set() or not self._control.is_open:
                await self._end_zygote()
                try:
                    await self._start_zygote()
                except (ReleaseError, OSError):
                    await asyncio.sleep(_PAUSE)

    async def _fork(self) -> Worker:
        """Return a new worker that is ready.

        Raises:
            ReleaseError: It cannot open the dataset.
            Ended: It or the zygote has ended.
            OSError: There is no zygote, or no room for another process.
            TimeoutError: The zygote does nothing.
        """
        assert self._socket
        warm = self._heavy
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._socket, [WARM if warm else COLD], [theirs.fileno()])
            channel = await Channel.open(ours)
        except BaseException:
            ours.close()
            raise
        try:
            async with asyncio.timeout(_START):
                kind, content = await channel.receive()
            if kind == ERROR:
                raise ReleaseError(
                    f"{self.dataset} cannot be read: {json.loads(content)['message']}"
                )
        except BaseException:
            channel.close()
            raise
        return Worker(self, channel, int(content), warm=warm)

    async def _refill(self) -> None:
        """Offer one more worker, however long it takes."""
        while True:
            await self._alive.wait()
            try:
                worker = await self._fork()
            except TimeoutError:
                if self._process:
                    self._process.kill()
            except (ReleaseError, OSError, Ended):
                await asyncio.sleep(_SHORT_PAUSE)
            else:
                self._offer(worker)
                return

    def _offer(self, worker: Worker) -> None:
        self.workers[worker.pid] = worker
        self._do(self._watch(worker))
        self._put(worker)

    async def _watch(self, worker: Worker) -> None:
        """Wait for the end of a worker; replace one that ended while it had nothing to do."""
        await worker.channel.ended()
        if not worker.closed:
            self.restarts["worker"] += 1
        if worker in self.idle:
            self.idle.remove(worker)
            worker.close()
            worker.quick = False
            self._do(self._refill())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(worker.status), _REPORT)
        if not worker.status.done():
            worker.status.set_result(None)
        self.workers.pop(worker.pid, None)
