"""The sessions of one array task, one after the other, as wrapper.sh has them: same marks, same signals, same records.

A session that shall end is marked by a file `N.ask`, and then this process is sent USR1; USR2 hurries it. Unmarked, both are
passed on. How a session ended is in `N.end`, from the moment that this file exists.
"""

from __future__ import annotations

import marshal
import os
import signal
from time import monotonic

from runner.backends.local import procfs
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError, launch
from runner.backends.local.supervisor.termination import Ending, send
from runner.backends.slurm.pack.kills import Kills

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Plan: TypeAlias = tuple[bytes | list[bytes], dict[bytes, bytes], bytes, bytes, bytes, float | None, float]
    """Command, variables, working directory, stdout, stderr, seconds that it may run, seconds between TERM and KILL."""

HEARD = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)

LONG, NEVER = 3600.0, float("inf")
"""Seconds: no single wait is longer than the first."""

SHORTAGE = 0.05
"""Seconds until a process that could not be started for want of room is tried again."""


def main(folder: str, size: int, task: int) -> None:
    """Carry out the sessions that `plans` holds for this task, in `size` bytes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    for number in HEARD:
        signal.signal(number, signal.SIG_DFL)  # until now they were ignored
    procfs.become_subreaper()
    with open(f"{folder}/plans", "rb") as file:
        file.seek(task * size)
        first, plans = marshal.loads(file.read(size))
    with open("/proc/self/environ", "rb") as file:  # Python may have changed its own
        environ = dict(word.split(b"=", 1) for word in file.read().split(b"\0") if b"=" in word)
    again = b"SLURM_RESTART_COUNT" in environ
    kills = Kills()
    marks = [f"{folder}/{place}.ask" for place in range(first, first + len(plans))]
    for place, plan in enumerate(plans, first):
        if signal.SIGTERM in signal.sigpending():
            return
        # Put back into the queue, a task goes on where it was ended.
        if again and not to_do(f"{folder}/{place}.end", plan):
            continue
        if Session(f"{folder}/{place}", environ, kills, marks).carry_out(plan):
            return


def to_do(end: str, plan: Plan) -> bool:
    """Whether a session has not ended by itself before; what it has left is cleared away."""
    try:
        with open(end) as file:
            if "why=slurm" not in file.read():
                return False
        os.unlink(end)
    except FileNotFoundError:
        pass
    for log in plan[3:5]:
        if os.path.exists(log):
            os.truncate(log, 0)
    return True


class Session:
    """`files` is where its marks and records are, without what comes after the dot; `marks` are those of all in this task."""

    def __init__(self, files: str, environ: dict[bytes, bytes], kills: Kills, marks: list[str]) -> None:
        self.files = files
        self.marks = marks
        self.environ = environ
        self.kills = kills
        self.why = ""
        self.stopped = False
        self.leader = 0
        self.code: int | None = None
        self.cpu = 0.0
        self.grace = 0.0
        self.begun = monotonic()
        self.ending: Ending | None = None
        self.look_at = NEVER

    def carry_out(self, plan: Plan) -> bool:
        """Run it to its end, and write that down. Whether Slurm wants the whole task to end."""
        command, env, workdir, stdout, stderr, limit, self.grace = plan
        killed = self.kills.count()
        if self.marked():
            self.why = "asked"
        elif self.launch(command, env, workdir, stdout, stderr):
            self.see_through(limit)
        self.record(None if killed is None else (self.kills.count() or 0) - killed)
        return self.stopped

    def launch(
        self, command: bytes | list[bytes], env: dict[bytes, bytes], workdir: bytes, stdout: bytes, stderr: bytes
    ) -> bool:
        """Start its program. Where that is not possible, its code says so, and its log why."""
        while True:
            try:
                self.leader = launch(command, {**self.environ, **env}, workdir, stdout, stderr)
                return True
            except ShortageError:
                signal.sigtimedwait((), SHORTAGE)
            except StreamError:
                self.code, self.why = 126, "broken"
                return False
            except LaunchError as fault:
                self.code = fault.code
                try:
                    for path, text in ((stdout, ""), (stderr, f"{fault}\n")):
                        with open(path, "a", encoding="utf-8", errors="surrogateescape") as log:
                            log.write(text)
                except OSError:
                    self.code, self.why = 126, "broken"
                return False

    def see_through(self, limit: float | None) -> None:
        """Until its leader has ended, and nothing of it is left: all that is below this process belongs to it."""
        deadline = NEVER if limit is None else monotonic() + limit
        while True:
            due = min(deadline, self.look_at) if self.ending else deadline
            heard = signal.sigtimedwait(HEARD, min(LONG, max(0.0, due - monotonic())))
            now = monotonic()
            before = self.why
            if heard is not None:  # before its end is seen: Slurm may have signalled the program, too
                self.hear(heard.si_signo, now)
            more = self.reap()
            if self.code not in (None, 128 + signal.SIGTERM) and before != "slurm" == self.why:
                self.why = before  # it had ended by itself already
            if now >= deadline:
                deadline = NEVER
                self.end("timeout", now)
            if self.code is not None and self.ending is None:
                if not more:
                    return
                self.ending, self.look_at = Ending(now, self.grace), now  # what it has left behind
            if self.ending and now >= self.look_at:
                pause = self.ending.step(now, self.members())
                if pause is None and self.code is not None:
                    return
                self.look_at = now + (0.001 if pause is None else pause)  # a zombie, whose SIGCHLD is on its way

    def hear(self, number: int, now: float) -> None:
        if number == signal.SIGTERM:
            self.stopped = True
            self.end("slurm", now)
        elif number != signal.SIGCHLD:
            self.look_afresh()
            if self.marked():
                self.end("asked", now)
            if self.ending is None:
                if any(map(os.path.exists, self.marks)):
                    return  # for another one of this task
                # not ours: a checkpoint, `sbatch --signal=USR1`
                for member in self.members():
                    send(member, signal.Signals(number))
            elif number == signal.SIGUSR2:
                self.ending.hurry(now, 0)
                self.look_at = now

    def end(self, why: str, now: float) -> None:
        """TERM, and after the grace KILL. What has ended by itself has not been ended."""
        if self.ending is None:
            self.ending = Ending(now, self.grace)
        if self.code is None:
            self.why = self.why or ("asked" if self.marked() else why)
        elif why == "slurm":
            self.ending.hurry(now, 0)  # what it has left behind shall not cost it its record
        self.look_at = now

    def reap(self) -> bool:
        """Take the status of whatever has ended. Whether something still lives."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self.leader and self.code is None:
                code = os.waitstatus_to_exitcode(status)
                self.code = 128 - code if code < 0 else code
                self.cpu = usage.ru_utime + usage.ru_stime

    def members(self) -> list[Process]:
        table = procfs.descendants(procfs.snapshot(), os.getpid())
        return [row for row in table.values() if row.alive]

    def look_afresh(self) -> None:
        """Have an NFS client ask for what is in the folder: opening it does that, looking for a mark may not for a minute."""
        try:
            os.close(os.open(os.path.dirname(self.files), os.O_RDONLY))
        except OSError:
            pass

    def marked(self) -> bool:
        return os.path.exists(f"{self.files}.ask")

    def record(self, killed: int | None) -> None:
        ran = round((monotonic() - self.begun) * 100)
        code, oom = ("" if value is None else value for value in (self.code, killed))
        node, job = os.environ.get("SLURMD_NODENAME", ""), os.environ.get("SLURM_ARRAY_JOB_ID", "")
        line = (
            f"code={code} why={self.why} ran={ran} cpu={round(self.cpu * 100)} peak= oom={oom} host={node} job={job}\n"
        )
        if self.why == "slurm" and os.path.exists(f"{self.files}.end"):
            return  # begun anew on another node, which has been faster
        with open(f"{self.files}.new", "w") as file:
            file.write(line)
        os.rename(f"{self.files}.new", f"{self.files}.end")
