"""The supervisor process as the backend sees it: a process, and a stream of messages both ways that never blocks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import trio

from runner.backends.local.protocol import Frames, decode, encode
from runner.errors import EnvironmentFailed


class _BeforeWait(trio.abc.Instrument):
    """Calls `call` in each pass of trio's loop, after every task that could run has run."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def before_io_wait(self, timeout: float) -> None:
        self._call()


class SupervisorClient:
    """Starts a supervisor. Raises EnvironmentFailed if that is not possible.

    Messages of one pass of trio's loop are sent together: to wake the supervisor costs more than to handle a message.
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
                    start_new_session=True,  # runner decides what a signal of the terminal means
                )
            except OSError:
                self._socket.close()
                raise
            finally:
                theirs.close()
        except OSError as error:
            raise EnvironmentFailed(f"the supervisor process cannot be started: {error.strerror}") from None
        self._socket.setblocking(False)
        self._backlog = bytearray()
        self._flushing = False
        self._closing = False
        self._token = trio.lowlevel.current_trio_token()
        self._before_wait = _BeforeWait(self._send_all)
        trio.lowlevel.add_instrument(self._before_wait)

    async def messages(self) -> AsyncGenerator[Any, None]:
        """The messages of the supervisor, until the stream ends."""
        frames = Frames()
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                return
            if not data:
                return
            for content in frames.feed(data):
                yield decode(content)

    def send(self, message: object) -> None:
        """Send the message before trio waits next. Never blocks: a task sends what the socket does not take at once."""
        self._backlog += encode(message)

    def hang_up(self) -> None:
        """Send what is left, then end the stream: the supervisor ends every job, and then itself."""
        self._closing = True
        self._send_all()
        if not self._flushing:
            self._shut_down_writing()

    def wake(self) -> None:
        """Continue the supervisor in case it was stopped (SIGSTOP)."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL to the supervisor."""
        self._process.kill()

    async def close(self) -> str:
        """Reap the supervisor, whose stream has ended, and close the socket. Returns how the process ended, for a message."""
        while self._process.poll() is None:  # noqa: ASYNC110 (it exits within milliseconds)
            await trio.sleep(0.001)
        trio.lowlevel.remove_instrument(self._before_wait)
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        code = self._process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _send_all(self) -> None:
        if self._backlog and not self._flushing and not self._push():
            self._flushing = True
            self._token.run_sync_soon(self._start_flush)  # a task that is spawned here would not run before trio waits

    def _start_flush(self) -> None:
        trio.lowlevel.spawn_system_task(self._flush, name="runner.backends.local.supervisor_client")

    def _push(self) -> bool:
        """Send what the socket takes. True if that was everything."""
        try:
            del self._backlog[: self._socket.send(self._backlog)]
        except BlockingIOError:
            pass
        except OSError:  # the supervisor died: `messages` finds the end of the stream
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
            self._shut_down_writing()

    def _shut_down_writing(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # the supervisor has exited already
            pass
