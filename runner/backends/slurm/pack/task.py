"""Runs the sessions of one array task, one after the other: the twin of wrapper.sh.

Both keep the rules that wrapper.sh numbers: same marks, same signals, same records.
"""

from __future__ import annotations

import marshal
import os
import signal
from time import monotonic

from runner.backends.local import procfs
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError, launch
from runner.backends.local.supervisor.termination import Termination, send
from runner.backends.slurm.pack.kills import OomKillCounter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    SessionPlan: TypeAlias = tuple[bytes | list[bytes], dict[bytes, bytes], bytes, bytes, bytes, float | None, float]
    """Command, variables, working directory, stdout, stderr, time limit in seconds, seconds between TERM and KILL."""

HANDLED = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)

LONGEST_WAIT, NEVER = 3600.0, float("inf")
"""Seconds that a single wait for a signal takes at most; a time that is not reached."""

SHORTAGE_PAUSE = 0.05
"""Seconds until a process that could not be started for lack of memory or process ids is tried again."""


def main(folder: str, size: int, task: int) -> None:
    """Run the sessions that the file `plans` has for this task, in `size` bytes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)  # wrapper.sh has them ignored
    procfs.become_subreaper()
    with open(f"{folder}/plans", "rb") as file:
        file.seek(task * size)
        first, plans = marshal.loads(file.read(size))
    with open("/proc/self/environ", "rb") as file:  # os.environ may differ: Python changes some variables
        environ = dict(word.split(b"=", 1) for word in file.read().split(b"\0") if b"=" in word)
    requeued = b"SLURM_RESTART_COUNT" in environ
    oom_kills = OomKillCounter()
    marks = [f"{folder}/{index}.ask" for index in range(first, first + len(plans))]
    for index, plan in enumerate(plans, first):
        if signal.SIGTERM in signal.sigpending():
            return
        if requeued and not to_run(f"{folder}/{index}.end", plan):
            continue
        session = PackSession(f"{folder}/{index}", environ, oom_kills, marks)
        session.run(plan)  # rule 1: returns once it has a record and none of its processes is left
        if session.stopped:
            return


def to_run(end: str, plan: SessionPlan) -> bool:
    """Rule 2: whether a session runs, again or for the first time. If again, its old record and logs are removed."""
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


class PackSession:
    """One session, from its start to its record."""

    def __init__(self, files: str, environ: dict[bytes, bytes], oom_kills: OomKillCounter, marks: list[str]) -> None:
        """`files`: the path of its mark and record without the suffix; `marks`: the marks of all sessions in this task."""
        self.files = files
        self.marks = marks
        self.environ = environ
        self.oom_kills = oom_kills
        self.why = ""
        """Who ended it, as the record says."""
        self.stopped = False
        """Whether Slurm wants the task to end."""
        self.leader = 0
        """The program's pid."""
        self.code: int | None = None
        self.cpu = 0.0
        self.grace = 0.0
        self.begun = monotonic()
        self.ending: Termination | None = None
        self.check_at = NEVER
        """When the ending takes its next step."""

    def run(self, plan: SessionPlan) -> None:
        """Run it to its end, and write its record."""
        command, env, workdir, stdout, stderr, limit, self.grace = plan
        killed = self.oom_kills.count()
        if self.is_marked():  # rule 4
            self.why = "asked"
        elif self.launch(command, env, workdir, stdout, stderr):
            self.wait(limit)
        self.write_record(None if killed is None else (self.oom_kills.count() or 0) - killed)

    def launch(
        self, command: bytes | list[bytes], env: dict[bytes, bytes], workdir: bytes, stdout: bytes, stderr: bytes
    ) -> bool:
        """Start the program. If that fails, the exit code and the log say why."""
        while True:
            try:
                self.leader = launch(command, {**self.environ, **env}, workdir, stdout, stderr)
                return True
            except ShortageError:
                signal.sigtimedwait((), SHORTAGE_PAUSE)
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

    def wait(self, limit: float | None) -> None:
        """Return once the program has ended and none of its processes is left: all descendants of this process are its own."""
        deadline = NEVER if limit is None else monotonic() + limit
        while True:
            due = min(deadline, self.check_at) if self.ending else deadline
            received = signal.sigtimedwait(HANDLED, min(LONGEST_WAIT, max(0.0, due - monotonic())))
            now = monotonic()
            if received is not None:  # before its end is noticed: Slurm has sent TERM to the program, too
                self.handle(received.si_signo, now)
            more = self.reap()
            if now >= deadline:
                deadline = NEVER
                self.end("timeout", now)
            if self.code is not None and self.ending is None:
                if not more:
                    return
                self.ending, self.check_at = Termination(now, self.grace), now  # the processes that it has left
            if self.ending and now >= self.check_at:
                pause = self.ending.step(now, self.members())
                if pause is None and self.code is not None:
                    return
                self.check_at = now + (
                    0.001 if pause is None else pause
                )  # None: a zombie, and its SIGCHLD is on its way

    def handle(self, number: int, now: float) -> None:
        """React to a signal: rules 3 and 5."""
        if number == signal.SIGTERM:
            self.stopped = True
            self.end("slurm", now)
        elif number != signal.SIGCHLD:
            self.refresh_folder()
            if self.is_marked():
                self.end("asked", now)
            if self.ending is None:
                if any(map(os.path.exists, self.marks)):
                    return
                for member in self.members():
                    send(member, signal.Signals(number))
            elif number == signal.SIGUSR2:
                self.ending.shorten_grace(now, 0)
                self.check_at = now

    def end(self, why: str, now: float) -> None:
        """Send TERM, and after the grace KILL. `why` is not recorded if the program has ended by itself."""
        if self.ending is None:
            self.ending = Termination(now, self.grace)
        if self.code is None:
            self.why = self.why or ("asked" if self.is_marked() else why)
        elif why == "slurm":
            # Slurm's time is short: processes that it has left must not cost it its record.
            self.ending.shorten_grace(now, 0)
        self.check_at = now

    def reap(self) -> bool:
        """Take the exit status of all children that have ended. Returns whether others are alive."""
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
        """The processes of the session."""
        table = procfs.descendants(procfs.snapshot(), os.getpid())
        return [row for row in table.values() if row.alive]

    def refresh_folder(self) -> None:
        """Opening the folder makes an NFS client look for new files; testing for a mark may not, for up to a minute."""
        try:
            os.close(os.open(os.path.dirname(self.files), os.O_RDONLY))
        except OSError:
            pass

    def is_marked(self) -> bool:
        """Whether runner has asked for its end."""
        return os.path.exists(f"{self.files}.ask")

    def write_record(self, killed: int | None) -> None:
        """Write how it ended; `killed` processes were ended for lack of memory."""
        ran = round((monotonic() - self.begun) * 100)
        code, oom = ("" if value is None else value for value in (self.code, killed))
        node, job = os.environ.get("SLURMD_NODENAME", ""), os.environ.get("SLURM_ARRAY_JOB_ID", "")
        line = (
            f"code={code} why={self.why} ran={ran} cpu={round(self.cpu * 100)} peak= oom={oom} host={node} job={job}\n"
        )
        if self.why == "slurm" and os.path.exists(f"{self.files}.end"):
            return  # it was started again on another node, which was faster
        with open(f"{self.files}.new", "w") as file:
            file.write(line)
        os.rename(f"{self.files}.new", f"{self.files}.end")
