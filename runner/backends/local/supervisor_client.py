"""The backend's line to its spawner: a process, and a stream of frames both ways that never blocks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import trio

from runner.backends.local.protocol import Frames, frame
from runner.errors import EnvironmentFailed


class _EachPass(trio.abc.Instrument):
    """Calls back after all tasks that could run have run, before trio waits for what is next."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def before_io_wait(self, timeout: float) -> None:
        self._call()


class Connection:
    """A spawner that has just been started. Raises EnvironmentFailed where none can be.

    What is sent in one pass of trio's loop goes as one: to wake the spawner costs more than all that it is told.
    """

    def __init__(self) -> None:
        program = f"{os.path.dirname(os.path.abspath(__file__))}/supervisor/__main__.py"
        flags = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
        try:
            self._socket, theirs = socket.socketpair()
            try:
                self._process = subprocess.Popen(
                    [sys.executable, *flags, program, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # a terminal's signals are for runner to interpret
                )
            except OSError:
                self._socket.close()
                raise
            finally:
                theirs.close()
        except OSError as error:
            raise EnvironmentFailed(f"no process can be started: {error.strerror}") from None
        self._socket.setblocking(False)
        self._backlog = bytearray()
        self._flushing = False
        self._closing = False
        self._token = trio.lowlevel.current_trio_token()
        self._each_pass = _EachPass(self._send_all)
        trio.lowlevel.add_instrument(self._each_pass)

    async def messages(self) -> AsyncGenerator[tuple[Any, ...], None]:
        """What the spawner says, until it has hung up."""
        frames = Frames()
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                return
            if not data:
                return
            for message in frames.feed(data):
                yield message

    def send(self, *message: object) -> None:
        """Never blocks: what the socket does not take is sent by a task."""
        self._backlog += frame(message)

    def hang_up(self) -> None:
        """Send what is left to send and no more: the spawner then ends what still runs, and itself."""
        self._closing = True
        self._send_all()
        if not self._flushing:
            self._shut()

    def wake(self) -> None:
        """Somebody may have stopped the spawner (SIGSTOP); what is asked of it now has to be done now."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()

    async def end(self) -> str:
        """After the last message: release everything. How the spawner ended, for people."""
        while self._process.poll() is None:  # noqa: ASYNC110 (it has closed its stream: a moment)
            await trio.sleep(0.001)
        trio.lowlevel.remove_instrument(self._each_pass)
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        code = self._process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _send_all(self) -> None:
        if self._backlog and not self._flushing and not self._push():
            self._flushing = True
            self._token.run_sync_soon(self._start_flush)  # trio is about to wait, and would not see a new task

    def _start_flush(self) -> None:
        trio.lowlevel.spawn_system_task(self._flush, name="runner.backends.local.supervisor_client")

    def _push(self) -> bool:
        """Hand the socket what it takes; whether that was everything."""
        try:
            del self._backlog[: self._socket.send(self._backlog)]
        except BlockingIOError:
            pass
        except OSError:  # the spawner died, which reading tells in time
            self._backlog.clear()
        return not self._backlog

    async def _flush(self) -> None:
        while self._backlog and not self._push():
            try:
                await trio.lowlevel.wait_writable(self._socket)
            except trio.ClosedResourceError:
                self._backlog.clear()
        self._flushing = False
        if self._closing:
            self._shut()

    def _shut(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # it has gone first
            pass
