"""The program that starts, watches and ends the processes of jobs, beside runner itself.

It is a process of its own because it is small and single-threaded: what it spawns does not inherit runner's
peak memory (wait4's ru_maxrss never reads below the parent's), spawning does not hold up the event loop, and
when runner dies, however that happens, the end of the stream between them tells it to end every job and then
itself.

It is a child subreaper: whatever a job leaves behind becomes its child, and nothing it has started outlives
it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from collections import deque
from time import monotonic, time

from runner.backends.local import procfs
from runner.backends.local.cgroups import UnusableError
from runner.backends.local.forkserver.pool import Parents
from runner.backends.local.procfs import Process
from runner.backends.local.protocol import (
    CANCEL,
    CRASHED,
    ENDED,
    HELLO,
    REFUSED,
    SPAWN,
    SPAWN_WARM,
    SPAWNED,
)
from runner.backends.local.supervisor import memory
from runner.backends.local.supervisor.admission import Turns
from runner.backends.local.supervisor.channel import Line
from runner.backends.local.supervisor.forked_jobs import ForkedJobs
from runner.backends.local.supervisor.job import Job
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError, launch
from runner.backends.local.supervisor.memory_limits import Limits, over
from runner.backends.local.supervisor.process_tree import Trees
from runner.backends.local.supervisor.termination import Ending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NEVER_BEGAN = (None, "cancelled before it began", True, False, None, None, None, True)
"""How an attempt ended that was cancelled in time."""

PATIENCE = 60.0
"""Seconds to wait out a shortage of processes or descriptors while none of our own could end it."""


class Spawner:
    def __init__(self, stream: int) -> None:
        self.line = Line(stream)
        self.environ: dict[bytes, bytes] = {}
        self.turns = Turns(self.let_in)
        self.waiting: deque[tuple[Any, ...]] = deque()  # spawns whose turn it is
        self.more = False
        self.short_since = 0.0
        self.clean_at = 0.0
        self.retry_at = 0.0
        self.jobs: dict[int, Job] = {}
        self.endings: dict[int, Job] = {}
        self.limited: dict[int, Job] = {}
        self.sample_at = 0.0
        self.floor = memory.Floor()
        self.limits = Limits()
        self.trees = Trees(self.limits)
        self.poll = select.poll()
        self.parents = Parents(ForkedJobs(self))

    # The loop

    def run(self) -> None:
        """Serve until the stream ends, then until nothing is left."""
        bell, clapper = os.pipe()
        os.set_blocking(bell, False)
        os.set_blocking(clapper, False)
        signal.set_wakeup_fd(clapper, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = self.poll
        poll.register(bell, select.POLLIN)
        poll.register(self.line.stream, select.POLLIN)
        while self.line.open or self.jobs or self.parents.busy:
            for file, _ in poll.poll(self.timeout()):
                if file == bell:
                    os.read(bell, 4096)
                    self.reap()
                elif file != self.line.stream:
                    self.parents.hear(file)
                elif (messages := self.line.hear()) is not None:
                    self.obey(messages)
                else:
                    poll.unregister(self.line.stream)
                    self.end_all()
            self.tick()
            self.start()
            self.line.flush()

    def timeout(self) -> float | None:
        due = [job.look_at for job in self.endings.values()]
        if self.line.due is not None:
            due.append(self.line.due)
        if self.limited:
            due.append(self.sample_at)
        if self.waiting:
            due.append(self.retry_at)
        if self.limits.rubbish:
            due.append(self.clean_at)
        if (at := self.parents.due()) is not None:
            due.append(at)
        return max(0.0, min(due) - monotonic()) * 1000 if due else None

    def tick(self) -> None:
        self.parents.tick()
        if not (self.endings or self.limited or self.limits.rubbish):
            return
        now = monotonic()
        if self.limits.rubbish and now >= self.clean_at:
            self.clean_at = now + 0.05
            self.limits.clean()
        sample = bool(self.limited) and now >= self.sample_at
        look = any(now >= job.look_at for job in self.endings.values())
        if sample or look:
            members = self.trees.members() if look or not self.limits.grouped else {}
            if sample:
                self.sample_at = now + memory.EVERY
                for job in over(self.limits, self.limited, members):
                    job.out_of_memory = True
                    self.end(job, 0)
            for job in list(self.endings.values()):
                if look and now >= job.look_at:
                    self.look(job, members.get(job.name, []))

    # What runner says

    def obey(self, messages: list[tuple[Any, ...]]) -> None:
        for kind, *message in messages:
            if kind in (SPAWN, SPAWN_WARM):
                self.turns.take(kind, *message)
            elif kind == CANCEL:
                self.cancel(*message)
            elif kind == HELLO:
                self.environ, rung = message
                self.limits = Limits(rung)
                self.trees = Trees(self.limits)

    def let_in(self, kind: int, message: tuple[Any, ...]) -> None:
        self.more = True
        if kind == SPAWN:
            self.waiting.append(message)
        else:
            self.parents.take(message[:-1], message[-1])

    def end_all(self) -> None:
        """Runner is gone: nothing that it had started goes on."""
        self.turns.withdraw_all()
        self.waiting.clear()
        self.parents.cancel_all()
        for job in self.jobs.values():
            self.end(job, job.grace)

    # Starting

    def start(self) -> None:
        """Begin all whose turn it is; one that cannot begin gives its turn to the next."""
        self.more = True
        while self.more:
            self.more = False
            self.parents.advance()
            self.spawn_waiting()

    def spawn_waiting(self) -> None:
        while self.waiting:
            # One that lags behind must not start what runner no longer wants, or a later runner has taken over.
            if not self.line.up_to_date():
                self.retry_at = monotonic() + 0.05
                return
            key, name, command, env, workdir, stdout, stderr, mem, grace = self.waiting[0]
            at = time()  # before the monotonic clock: no session seems to have ended later than it has
            job = Job(key, name, mem, grace, monotonic())
            try:
                self.spawn(job, at, command, {**self.environ, **env}, (workdir, stdout, stderr))
            except ShortageError as shortage:
                now = monotonic()
                self.short_since = self.short_since or now
                self.retry_at = now + 0.05
                if self.jobs or now < self.short_since + PATIENCE:
                    return
                self.conclude(REFUSED, key, f"no process could be started for {PATIENCE:.0f} seconds: {shortage}")
            except LaunchError as fault:
                self.conclude(ENDED, key, fault.code, str(fault), False, False, None, None, None, True)
            except (StreamError, UnusableError) as fault:
                self.conclude(REFUSED, key, str(fault))
            self.short_since = 0.0
            self.waiting.popleft()

    def spawn(
        self,
        job: Job,
        at: float,
        command: bytes | list[bytes],
        env: dict[bytes, bytes],
        places: tuple[bytes, bytes, bytes],
    ) -> None:
        if job.mem is None:
            job.pid = launch(command, env, *places)
        else:
            self.limits.launch(job, lambda: launch(command, env, *places))
        self.begun(job, at)
        if job.out_of_memory:
            self.end(job, 0)

    def begun(self, job: Job, at: float) -> None:
        """Its leader is there."""
        if job.mem is not None:
            if not self.limited:
                self.sample_at = job.begun + memory.EVERY
            self.limited[job.key] = job
        self.jobs[job.key] = job
        self.trees.add(job)
        self.line.mention(SPAWNED, job.key, job.pid, at)

    # Ending

    def reap(self) -> None:
        """Take the status of every child that has ended; a job ends with its leader if that was its tree."""
        exited = []
        orphans = False
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            job = self.trees.reaped(pid)
            if job is None and self.parents:
                if self.parents.exited(pid, status):
                    continue
                self.parents.hear_all()  # it may be a session of a dead parent, whose beginning has not been heard yet
                job = self.trees.reaped(pid)
            if job is None:
                orphans = True
                continue
            max_rss = usage.ru_maxrss * 1024 if procfs.LINUX else usage.ru_maxrss
            self.exited(job, status, usage.ru_utime + usage.ru_stime, max_rss)
            exited.append(job)
        if exited or orphans:
            self.parents.hear_all()
            self.trees.adopt()
        for job in exited:
            self.settle(job)
        if orphans:
            for job in self.endings.values():
                job.look_at = 0.0

    def exited(self, job: Job, status: int, cpu_time: float, max_rss: int) -> None:
        job.duration = monotonic() - job.begun
        job.code = os.waitstatus_to_exitcode(status)
        job.cpu_time = cpu_time
        job.max_rss = max_rss

    def settle(self, job: Job) -> None:
        """Its leader has ended: is that the end of it?"""
        if self.trees.leftovers(job):
            self.end(job, job.grace)
        else:
            self.finish(job)

    def cancel(self, key: int, grace: float) -> None:
        self.reap()  # one that has ended by itself has not been cancelled
        self.parents.hear_all()
        if job := self.jobs.get(key):
            ended = job.code is not None or (job.forked and not procfs.lives(job.pid))
            job.asked = job.asked or not (ended or job.out_of_memory)
            self.end(job, grace)
            return
        if self.turns.withdraw(key):
            self.line.say(ENDED, key, *NEVER_BEGAN)  # it had no turn that another could have now
            return
        self.parents.cancel(key, grace)
        for request in self.waiting:
            if request[0] == key:
                self.waiting.remove(request)
                self.never_began(key)
                return

    def end(self, job: Job, grace: float) -> None:
        now = monotonic()
        if job.ending:
            job.ending.hurry(now, grace)
        else:
            job.ending = Ending(now, grace)
            self.endings[job.key] = job
        job.look_at = now

    def look(self, job: Job, members: list[Process]) -> None:
        assert job.ending
        now = monotonic()
        pause = job.ending.step(now, members)
        if pause is not None:
            job.look_at = now + pause
        elif job.code is None:  # a zombie, whose SIGCHLD is on its way
            job.look_at = now + 0.001
        else:
            self.finish(job)

    def finish(self, job: Job) -> None:
        """Nothing of the job is left: tell how it ended, and forget it."""
        self.limits.settle(job)
        peak = job.peak  # out of memory: what the limit was held against
        if not job.out_of_memory and (job.forked or self.floor.below(job.max_rss)):
            peak = max(peak, job.max_rss)
        said = (job.code, None, job.asked, job.out_of_memory, job.duration, job.cpu_time, peak or None)
        certain = self.trees.over(job)
        del self.jobs[job.key]
        self.endings.pop(job.key, None)
        self.limited.pop(job.key, None)
        self.trees.remove(job)
        self.conclude(ENDED, job.key, *said, certain)

    def never_began(self, key: int) -> None:
        self.conclude(ENDED, key, *NEVER_BEGAN)

    def conclude(self, kind: int, key: int, *said: object) -> None:
        """Say how an attempt has ended whose turn it was, or that it cannot begin; the next one may.

        While there are more to begin after that one, runner need not hear of it at once.
        """
        self.turns.ended(key)
        tell = self.line.mention if self.turns.waiting else self.line.say
        tell(kind, key, *said)

    # The very end

    def sweep(self) -> None:
        """End what no job is known to own, too: nothing outlives the spawner."""
        ending = Ending(monotonic(), 0)
        while True:
            table = procfs.descendants(procfs.snapshot(), os.getpid())
            pause = ending.step(monotonic(), [row for row in table.values() if row.alive])
            if pause is None:
                break
            select.select((), (), (), pause)
            self.reap()
        self.limits.clean()


def main(stream: int) -> None:
    """Serve the backend at the other end of `stream` (a descriptor) until it is gone."""
    os.set_inheritable(stream, False)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)  # runner decides what a signal means
    procfs.become_subreaper()
    gc.collect()
    gc.freeze()
    if procfs.LINUX:  # no session is measured below what this process has held
        memory.drop_clean_pages()
        memory.forget_own_peak()
    spawner = Spawner(stream)
    try:
        spawner.run()
    except BaseException:
        import traceback

        spawner.line.say(CRASHED, traceback.format_exc())
        spawner.line.flush()
        sys.exit(1)
    finally:
        spawner.sweep()
