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

from runner.backends.local import memory, processes
from runner.backends.local.cgroups import Groups, UnusableError
from runner.backends.local.ending import Ending, send
from runner.backends.local.launch import LaunchError, ShortageError, StreamError, launch
from runner.backends.local.processes import Process
from runner.backends.local.protocol import (
    CANCEL,
    CRASHED,
    ENDED,
    HELLO,
    REFUSED,
    SPAWN,
    SPAWNED,
    Frames,
    frame,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE = 60.0
"""Seconds to wait out a shortage of processes or descriptors while none of our own could end it."""

NOISE = 1 << 20
"""Bytes by which the kernel's own count of a process's memory may be off (it counts per cpu)."""


class Job:
    __slots__ = (
        "begun",
        "code",
        "cpu_time",
        "duration",
        "ending",
        "grace",
        "group",
        "key",
        "look_at",
        "max_rss",
        "mem",
        "name",
        "out_of_memory",
        "peak",
        "pid",
    )

    def __init__(
        self,
        key: int,
        name: str,
        pid: int,
        begun: float,
        mem: int | None,
        grace: float,
        group: str | None,
    ) -> None:
        self.key = key
        self.name = name
        self.pid = pid
        self.mem = mem
        self.grace = grace
        self.group = group
        self.begun = begun
        self.code: int | None = None  # until the leader has been reaped
        self.duration = self.cpu_time = 0.0
        self.max_rss = 0
        self.ending: Ending | None = None
        self.look_at = 0.0
        self.out_of_memory = False
        self.peak = 0


class Spawner:
    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.open = True
        self.frames = Frames()
        self.out: list[bytes] = []
        self.environ: dict[bytes, bytes] = {}
        self.rung: str | None = None
        self.groups: Groups | None = None
        self.chosen = False
        self.waiting: deque[tuple[Any, ...]] = deque()  # spawns, while something is short
        self.short_since = 0.0
        self.retry_at = 0.0
        self.jobs: dict[int, Job] = {}
        self.leaders: dict[int, Job] = {}
        self.endings: dict[int, Job] = {}
        self.limited: dict[int, Job] = {}
        self.sample_at = 0.0
        self.strays: dict[int, set[int]] = {}  # adopted orphans, and the jobs that each may belong to
        self.rubbish: list[str] = []  # groups that could not be removed yet
        self.children = processes.Children()
        self.floor = memory.own_peak()

    # The loop

    def run(self) -> None:
        """Serve until the stream ends, then until nothing is left."""
        bell, clapper = os.pipe()
        os.set_blocking(bell, False)
        os.set_blocking(clapper, False)
        signal.set_wakeup_fd(clapper, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(bell, select.POLLIN)
        poll.register(self.stream, select.POLLIN)
        while self.open or self.jobs:
            for file, _ in poll.poll(self.timeout()):
                if file == bell:
                    os.read(bell, 4096)
                    self.reap()
                elif not self.receive():
                    poll.unregister(self.stream)
                    self.end_all()
            self.tick()
            self.flush()

    def timeout(self) -> float | None:
        due = [job.look_at for job in self.endings.values()]
        if self.limited:
            due.append(self.sample_at)
        if self.waiting or self.rubbish:
            due.append(self.retry_at)
        return max(0.0, min(due) - monotonic()) * 1000 if due else None

    def tick(self) -> None:
        if not (self.endings or self.limited or self.waiting or self.rubbish):
            return
        now = monotonic()
        if (self.waiting or self.rubbish) and now >= self.retry_at:
            self.retry_at = now + 0.05
            self.rubbish = [group for group in self.rubbish if self.groups and not self.groups.remove(group)]
            self.spawn_waiting()
        sample = bool(self.limited) and now >= self.sample_at
        if sample or any(now >= job.look_at for job in self.endings.values()):
            members = self.members()
            if sample:
                self.sample_at = now + memory.EVERY
                self.sample(members)
            for job in list(self.endings.values()):
                if monotonic() >= job.look_at:
                    self.look(job, members.get(job.name, []))

    # Talking to runner

    def receive(self) -> bool:
        """Take what runner says; whether there may be more."""
        try:
            data = os.read(self.stream, 65536)
        except ConnectionError:
            data = b""
        for kind, *message in self.frames.feed(data):
            if kind == SPAWN:
                self.waiting.append(tuple(message))
                self.spawn_waiting()
            elif kind == CANCEL:
                self.cancel(*message)
            elif kind == HELLO:
                self.environ, self.rung = message
        return bool(data)

    def say(self, *message: object) -> None:
        self.out.append(frame(message))

    def flush(self) -> None:
        data = b"".join(self.out)
        self.out.clear()
        while data and self.open:
            try:
                data = data[os.write(self.stream, data) :]
            except OSError:  # runner has died; reading will say so too
                return

    def end_all(self) -> None:
        """Runner is gone: nothing that it had started goes on."""
        self.open = False
        self.waiting.clear()
        for job in self.jobs.values():
            self.end(job, job.grace)

    # Starting

    def spawn_waiting(self) -> None:
        while self.waiting:
            key, name, command, env, workdir, stdout, stderr, mem, grace = self.waiting[0]
            try:
                self.spawn(key, name, command, {**self.environ, **env}, (workdir, stdout, stderr), mem, grace)
            except ShortageError as shortage:
                now = monotonic()
                self.short_since = self.short_since or now
                self.retry_at = now + 0.05
                if self.jobs or now < self.short_since + PATIENCE:
                    return
                self.say(REFUSED, key, f"no process could be started for {PATIENCE:.0f} seconds: {shortage}")
            except LaunchError as fault:
                self.say(ENDED, key, fault.code, str(fault), False, None, None, None)
            except (StreamError, UnusableError) as fault:
                self.say(REFUSED, key, str(fault))
            self.short_since = 0.0
            self.waiting.popleft()

    def spawn(
        self,
        key: int,
        name: str,
        command: bytes | list[bytes],
        env: dict[bytes, bytes],
        places: tuple[bytes, bytes, bytes],
        mem: int | None,
        grace: float,
    ) -> None:
        at, begun = time(), monotonic()
        if mem is None:
            group = None
            pid = launch(command, env, *places)
        else:
            group, pid = self.launch_limited(name, mem, command, env, places)
        job = self.jobs[key] = self.leaders[pid] = Job(key, name, pid, begun, mem, grace, group)
        if mem is not None:
            if not self.limited:
                self.sample_at = job.begun + memory.EVERY
            self.limited[key] = job
        self.say(SPAWNED, key, pid, at)

    def launch_limited(
        self,
        name: str,
        mem: int,
        command: bytes | list[bytes],
        env: dict[bytes, bytes],
        places: tuple[bytes, bytes, bytes],
    ) -> tuple[str | None, int]:
        if not self.chosen:
            self.groups, _ = memory.choose(self.rung, (os.getpid(), os.getppid()))
            self.chosen = True
        if not self.groups:
            return None, launch(command, env, *places)
        try:
            group = self.groups.create(name, mem)
        except OSError as error:
            raise UnusableError(
                f"no memory group can be made in `{self.groups.base}`: {error.strerror}"
            ) from None
        try:
            self.groups.enter(group)
            try:
                return group, launch(command, env, *places)
            finally:
                self.groups.leave()
        except BaseException:
            self.discard(group)
            raise

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
            job = self.leaders.get(pid)
            if job is None or job.code is not None:
                orphans = True
                self.strays.pop(pid, None)
                continue
            job.duration = monotonic() - job.begun
            job.code = os.waitstatus_to_exitcode(status)
            job.cpu_time = usage.ru_utime + usage.ru_stime
            job.max_rss = usage.ru_maxrss * 1024 if processes.LINUX else usage.ru_maxrss
            exited.append(job)
        if exited or orphans:
            self.adopt()
        for job in exited:
            if self.leftovers(job):
                self.end(job, job.grace)
            else:
                self.finish(job)
        for job in self.endings.values():
            job.look_at = 0.0
        if exited:
            self.spawn_waiting()

    def adopt(self) -> None:
        """Find the orphans that have become our children since the last look, and whose they are."""
        for pid in self.children():
            if pid in self.strays or (pid in self.leaders and self.leaders[pid].code is None):
                continue
            orphan = processes.process(pid)
            if orphan is None or not orphan.alive:
                continue
            job = self.owner(orphan)
            self.strays[pid] = {job.key} if job else set(self.jobs)
            if not self.jobs:
                send(orphan, signal.SIGKILL)

    def owner(self, orphan: Process) -> Job | None:
        job = self.leaders.get(orphan.sid) or self.leaders.get(orphan.pgid)
        if job:
            return job
        name = processes.mark(orphan.pid)
        for job in self.jobs.values():
            if job.name == name or (self.groups and job.group and orphan.pid in self.groups.pids(job.group)):
                return job
        return None

    def leftovers(self, job: Job) -> bool:
        """Whether anything of a job outlives its leader: its orphans would be our children."""
        if processes.LINUX:
            return any(owners == {job.key} for owners in self.strays.values())
        try:
            os.killpg(job.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def members(self) -> dict[str, list[Process]]:
        """The living processes of each job, by its name."""
        table = processes.descendants(processes.snapshot(), os.getpid())
        names = {job.name for job in self.jobs.values()}
        known = {pid: job.name for pid, job in self.leaders.items()}
        for pid, keys in self.strays.items():
            if len(keys) == 1:
                known[pid] = self.jobs[next(iter(keys))].name
        if self.groups:
            for job in self.limited.values():
                known.update(dict.fromkeys(self.groups.pids(job.group), job.name) if job.group else {})

        def marked(pid: int) -> str | None:
            name = processes.mark(pid)
            return name if name in names else None

        found: dict[str, list[Process]] = {}
        for pid, name in processes.owners(table, known, marked).items():
            if table[pid].alive:
                found.setdefault(name, []).append(table[pid])
        return found

    def cancel(self, key: int, grace: float) -> None:
        if job := self.jobs.get(key):
            self.end(job, grace)
            return
        for request in self.waiting:
            if request[0] == key:
                self.waiting.remove(request)
                self.say(ENDED, key, None, "cancelled before it began", False, None, None, None)
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
        if job.group and self.groups:
            job.out_of_memory = job.out_of_memory or self.groups.kills(job.group) > 0
            if job.out_of_memory:
                job.peak = self.groups.peak(job.group) or 0
            self.discard(job.group)
        peak = job.peak  # out of memory: what the limit was held against
        if not job.out_of_memory and self.measured(job):
            peak = max(peak, job.max_rss)
        self.say(ENDED, job.key, job.code, None, job.out_of_memory, job.duration, job.cpu_time, peak or None)
        del self.jobs[job.key]
        self.endings.pop(job.key, None)
        self.limited.pop(job.key, None)
        if self.leaders.get(job.pid) is job:
            del self.leaders[job.pid]
        for pid, keys in self.strays.items():
            keys.discard(job.key)
            if not keys:  # nobody knows whose it is, and all who could own it have ended
                os.kill(pid, signal.SIGKILL)

    def measured(self, job: Job) -> bool:
        """Whether the job's peak memory is its own: a child's count begins at what its parent holds."""
        if job.max_rss > self.floor + NOISE:
            self.floor = max(self.floor, memory.own_peak())
        return job.max_rss > self.floor + NOISE

    def discard(self, group: str) -> None:
        if self.groups and not self.groups.remove(group):
            self.rubbish.append(group)

    # Memory

    def sample(self, members: dict[str, list[Process]]) -> None:
        """End every job that holds more than its limit, or in which the kernel has killed something."""
        for job in self.limited.values():
            if job.out_of_memory or job.mem is None:
                continue
            if job.group and self.groups:
                job.out_of_memory = self.groups.kills(job.group) > 0
            else:
                use = memory.used(members.get(job.name, []), job.mem)
                job.peak = max(job.peak, use)
                job.out_of_memory = use > job.mem
            if job.out_of_memory:
                self.end(job, 0)

    # The very end

    def sweep(self) -> None:
        """End what no job is known to own, too: nothing outlives the spawner."""
        ending = Ending(monotonic(), 0)
        while True:
            table = processes.descendants(processes.snapshot(), os.getpid())
            pause = ending.step(monotonic(), [row for row in table.values() if row.alive])
            if pause is None:
                break
            select.select((), (), (), pause)
            self.reap()
        for group in self.rubbish:
            if self.groups:
                self.groups.remove(group)


def main(stream: int) -> None:
    """Serve the backend at the other end of `stream` (a descriptor) until it is gone."""
    os.set_inheritable(stream, False)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)  # runner decides what a signal means
    processes.become_subreaper()
    gc.collect()
    gc.freeze()
    memory.forget_own_peak()
    spawner = Spawner(stream)
    try:
        spawner.run()
    except BaseException:
        import traceback

        spawner.say(CRASHED, traceback.format_exc())
        spawner.flush()
        sys.exit(1)
    finally:
        spawner.sweep()
