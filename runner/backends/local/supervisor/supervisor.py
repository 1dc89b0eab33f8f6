"""The program that starts, watches and ends the process trees of jobs, beside runner itself.

It is a process of its own because it is small and single-threaded: its children do not inherit runner's peak memory (see
`peak_memory`), spawning does not block runner's event loop, and when runner dies, in any way, the end of the stream between
the two makes it end every job and then itself.

It is a child subreaper: an orphan of a job becomes its child. So no process that it has started outlives it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from time import monotonic

from runner.backends.local import procfs
from runner.backends.local.forkserver.pool import ForkServerPool
from runner.backends.local.protocol import Cancel, Configure, Crashed, Ended, Refused, Spawn, Spawned, never_started
from runner.backends.local.supervisor.admission import Admission
from runner.backends.local.supervisor.channel import Channel
from runner.backends.local.supervisor.job import LocalJob
from runner.backends.local.supervisor.memory_limits import MemoryLimits
from runner.backends.local.supervisor.peak_memory import lower_own_peak
from runner.backends.local.supervisor.running_jobs import RunningJobs
from runner.backends.local.supervisor.start_queue import StartQueue
from runner.backends.local.supervisor.termination import Termination


class Supervisor:
    """Connects the parts. An attempt passes admission, then the start queue or the pool; then it is a running job."""

    def __init__(self, stream: int, stop_signals: list[signal.Signals]) -> None:
        self.channel = Channel(stream)
        self._stop_signals = stop_signals
        self._stop_signalled = False
        self._limits = MemoryLimits()
        self._admission = Admission(self._admit)
        self._jobs = RunningJobs(self._limits, self._conclude, self.channel.send)
        self._queue = StartQueue(
            channel=self.channel,
            limits=self._limits,
            started=self._started,
            conclude=self._conclude,
            any_running=lambda: bool(self._jobs),
        )
        self._poll = select.poll()
        self._pool = ForkServerPool(
            channel=self.channel,
            limits=self._limits,
            jobs=self._jobs,
            queue=self._queue,
            poll=self._poll,
            started=self._started,
            conclude=self._conclude,
        )
        self._admitted = False  # since the last start

    def run(self) -> None:
        """Serve until the stream has ended and no job is left."""
        signals = self._wake_up_on_signals()
        self._poll.register(signals, select.POLLIN)
        self._poll.register(self.channel.stream, select.POLLIN)
        while self.channel.open or self._jobs or self._pool.busy:
            ready = self._poll.poll(self._timeout())
            self._heed_stop_signal()  # first: a job that is submitted after a signal begins after it
            for file, _ in ready:
                if file == signals:
                    os.read(signals, 4096)
                    self._reap()
                elif file == self.channel.stream:
                    self._read_messages()
                else:
                    self._pool.hear(file)
            self._jobs.tick()
            self._start_admitted()
            self.channel.flush()

    def end_descendants(self) -> None:
        """Kill every process below this one, whether a job is known to own it or not."""
        termination = Termination(monotonic(), 0)
        while True:
            table = procfs.descendants(procfs.snapshot(), os.getpid())
            pause = termination.step(monotonic(), [row for row in table.values() if row.alive])
            if pause is None:
                break
            select.select((), (), (), pause)
            self._reap()
        self._limits.delete_undeleted()

    def _wake_up_on_signals(self) -> int:
        """A descriptor that is readable after SIGCHLD and after a signal that is to stop runner."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in self._stop_signals:
            signal.signal(number, self._on_stop_signal)
        return read_end

    def _on_stop_signal(self, *_: object) -> None:
        self._stop_signalled = True

    def _heed_stop_signal(self) -> None:
        if self._stop_signalled:
            self._stop_signalled = False
            self._jobs.stop_signal()

    def _timeout(self) -> float | None:
        """Milliseconds until something is due; None if only events matter."""
        times = (self.channel.due, self._jobs.due(), self._queue.due())
        due = min((time for time in times if time is not None), default=None)
        return None if due is None else max(0.0, due - monotonic()) * 1000

    def _read_messages(self) -> None:
        for message in self.channel.receive():
            match message:
                case Spawn():
                    self._admission.submit(message)
                case Cancel(key=key, grace=grace):
                    self._cancel(key, grace)
                case Configure(environ=environ, memory_method=method):
                    self._queue.environ = environ
                    self._limits.method = method
        if not self.channel.open:
            self._poll.unregister(self.channel.stream)
            self._admission.withdraw_all()
            self._queue.clear()
            self._pool.cancel_all()
            self._jobs.terminate_all()

    # Starting

    def _admit(self, spawn: Spawn) -> None:
        self._admitted = True
        if spawn.preload is None:
            self._queue.append(spawn)
        else:
            self._pool.take(spawn)

    def _start_admitted(self) -> None:
        """Start every admitted attempt. One that cannot start is concluded at once, which may admit another one."""
        self._admitted = True
        while self._admitted:
            self._admitted = False
            self._pool.advance()
            self._queue.start()

    def _started(self, job: LocalJob, at: float) -> None:
        """The leader of `job` runs since `at` (Unix time)."""
        self._jobs.add(job)
        self.channel.send_later(Spawned(key=job.key, pid=job.pid, at=at))

    # Ending

    def _reap(self) -> None:
        """Take the status of every child that has ended: leaders, fork servers, orphans."""
        ended, orphans = [], False
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            owner = self._jobs.trees.owner(pid)
            job = self._jobs.trees.reaped(pid)
            if job is None and self._pool:
                if self._pool.exited(pid, status):
                    continue
                self._pool.hear_all()  # it may be a leader whose fork server died; the report of its start may be unread
                job = self._jobs.trees.reaped(pid)
            if job is None:
                orphans = True
                self._jobs.orphan_reaped(owner, status)
                continue
            max_rss = usage.ru_maxrss * 1024 if procfs.LINUX else usage.ru_maxrss
            self._jobs.leader_reaped(job, status, usage.ru_utime + usage.ru_stime, max_rss)
            ended.append(job)
        if ended or orphans:
            # First the owners of orphans, then the ends: a job with an orphan has not ended with its leader.
            self._pool.hear_all()
            self._jobs.trees.attribute_orphans()
        for job in ended:
            self._jobs.leader_ended(job)
        if orphans:
            self._jobs.orphans_reaped()

    def _cancel(self, key: int, grace: float) -> None:
        self._reap()  # a job that has ended by itself does not count as cancelled
        self._pool.hear_all()
        if job := self._jobs.get(key):
            self._jobs.cancel(job, grace)
        elif self._admission.withdraw(key):
            self.channel.send(never_started(key))  # it was not admitted, so there is nothing to release
        elif self._queue.withdraw(key):
            self._conclude(never_started(key))
        else:
            self._pool.cancel(key, grace)

    def _conclude(self, message: Ended | Refused) -> None:
        """Report that an admitted attempt has ended or cannot start, and admit the next one.

        While more attempts wait for admission, the backend need not read the report at once.
        """
        self._admission.release(message.key)
        if self._admission.waiting:
            self.channel.send_later(message)
        else:
            self.channel.send(message)


def main(stream: int) -> None:
    """Serve the backend at the other end of `stream` (a file descriptor) until it is gone."""
    os.set_inheritable(stream, False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a blocked SIGCHLD is inherited: no end would be noticed
    stops = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    heeded = [number for number in stops if signal.getsignal(number) is not signal.SIG_IGN]  # as runner does
    for number in (*stops, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # runner decides what a signal means
    procfs.become_subreaper()
    gc.collect()
    gc.freeze()
    lower_own_peak()
    supervisor = Supervisor(stream, heeded)
    try:
        supervisor.run()
    except BaseException:
        import traceback

        supervisor.channel.send(Crashed(traceback=traceback.format_exc()))
        supervisor.channel.flush()
        sys.exit(1)
    finally:
        supervisor.end_descendants()
