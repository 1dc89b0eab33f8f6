"""The jobs whose leaders were started: their memory limits, their termination, and how they ended."""

from __future__ import annotations

import os
from time import monotonic

from runner.backends.local import procfs
from runner.backends.local.protocol import Ended, Stuck
from runner.backends.local.supervisor.memory_limits import SAMPLE_INTERVAL
from runner.backends.local.supervisor.peak_memory import PeakFloor
from runner.backends.local.supervisor.process_tree import ProcessTrees
from runner.backends.local.supervisor.termination import Termination

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.backends.local.procfs import Process
    from runner.backends.local.supervisor.job import LocalJob
    from runner.backends.local.supervisor.memory_limits import MemoryLimits

DELETE_INTERVAL = 0.05
"""Seconds between two attempts to delete cgroups that the kernel did not let go."""

REAP_INTERVAL = 0.001
"""Seconds to wait for the SIGCHLD of a leader that is a zombie already."""

HELD_SHARE, LONGEST_HELD = 0.01, 0.05
"""The end of a job is held back for this share of its duration, and at most for so many seconds: see `stop_signal`."""

LEFT_SECONDS = 0.5
"""A process that outlives its leader by so many seconds was left running; a shorter one was about to end."""

STOP_WINDOW = 5.0
"""Seconds after a stop signal in which runner, which got it, too, asks for the end of every job."""


class RunningJobs:
    """Watches each job until its leader was reaped and no process of its tree is left, then calls `conclude`."""

    def __init__(self, limits: MemoryLimits, conclude: Callable[[Ended], None], stuck: Callable[[Stuck], None]) -> None:
        self.trees = ProcessTrees(limits)
        self._limits = limits
        self._conclude = conclude
        self._stuck = stuck
        self._peak_floor = PeakFloor()
        self._jobs: dict[int, LocalJob] = {}  # by key, as the two below
        self._terminating: dict[int, LocalJob] = {}
        self._limited: dict[int, LocalJob] = {}
        self._held: dict[int, float] = {}  # key of an ended job to the time of its report
        self._stopped_at = -STOP_WINDOW
        self._sample_at = 0.0
        self._delete_at = 0.0

    def __len__(self) -> int:
        return len(self._jobs)

    def get(self, key: int) -> LocalJob | None:
        """The running job of this key."""
        return self._jobs.get(key)

    def add(self, job: LocalJob) -> None:
        """The job's leader was started."""
        if job.mem is not None:
            if not self._limited:
                self._sample_at = job.started + SAMPLE_INTERVAL
            self._limited[job.key] = job
        self._jobs[job.key] = job
        self.trees.add(job)
        if job.out_of_memory:
            self.terminate(job, 0)

    def leader_reaped(self, job: LocalJob, status: int, cpu_time: float, max_rss: int) -> None:
        """Record the wait status, seconds and bytes. Call `leader_ended` once the orphans have their owners."""
        job.duration = monotonic() - job.started
        job.code = os.waitstatus_to_exitcode(status)
        job.cpu_time = cpu_time
        job.max_rss = max_rss

    def leader_ended(self, job: LocalJob) -> None:
        """End the processes that the leader left behind, if there are any; otherwise the job has ended."""
        held = _held(job)
        if self.trees.has_orphans(job):
            self.terminate(job, job.grace)
        elif held < REAP_INTERVAL:
            self._finish(job)
        else:
            self._held[job.key] = monotonic() + held

    def stop_signal(self) -> None:
        """SIGTERM or the like has come, as it does when a service is stopped: it goes to each process, in no order.

        Sessions have got it, too, and may exit with 0 although they have not finished. So jobs that end now, or have ended just
        before, count as cancelled.
        """
        self._stopped_at = monotonic()
        for key in list(self._held):
            self._finish(self._jobs[key])

    def orphan_reaped(self, owner: LocalJob | None, status: int) -> None:
        """An orphan of this job, if that is known, has ended with this wait status."""
        if owner is not None and os.WIFSIGNALED(status):
            self._note_left_behind(owner)

    def orphans_reaped(self) -> None:
        """The end of an orphan may be the end of a tree that is being ended: check these at once."""
        for job in self._terminating.values():
            job.check_at = 0.0

    def cancel(self, job: LocalJob, grace: float) -> None:
        """End the job; it counts as cancelled unless its leader has ended or was over its limit before."""
        leader_lives = job.code is None and not (job.forked and not procfs.lives(job.pid))
        job.cancelled = job.cancelled or (leader_lives and not job.out_of_memory)
        self.terminate(job, grace)

    def terminate(self, job: LocalJob, grace: float) -> None:
        """Start to end the job's process tree, or shorten the grace if that has begun."""
        now = monotonic()
        self._held.pop(job.key, None)
        if job.termination:
            job.termination.shorten_grace(now, grace)
        else:
            job.termination = Termination(now, grace)
            self._terminating[job.key] = job
        job.check_at = now

    def terminate_all(self) -> None:
        """End every job, each with its own grace."""
        for job in self._jobs.values():
            self.terminate(job, job.grace)

    def due(self) -> float | None:
        """When `tick` is to be called next, on the monotonic clock; None if only events matter."""
        times = [*self._held.values(), *(job.check_at for job in self._terminating.values())]
        if self._limited:
            times.append(self._sample_at)
        if self._limits.undeleted:
            times.append(self._delete_at)
        return min(times, default=None)

    def tick(self) -> None:
        """Check limits and step terminations, where that is due."""
        if not (self._terminating or self._limited or self._held or self._limits.undeleted):
            return
        now = monotonic()
        for key in [key for key, at in self._held.items() if now >= at]:
            self._finish(self._jobs[key])
        if self._limits.undeleted and now >= self._delete_at:
            self._delete_at = now + DELETE_INTERVAL
            self._limits.delete_undeleted()
        sample = bool(self._limited) and now >= self._sample_at
        step = any(now >= job.check_at for job in self._terminating.values())
        if not (sample or step):
            return
        members = self.trees.members() if step or not self._limits.uses_cgroups else {}
        if sample:
            self._sample_at = now + SAMPLE_INTERVAL
            # The memory of an orphan that another job may have left counts for none.
            measured = self.trees.members(certain=True) if members and self.trees.doubtful else members
            for job in self._limits.exceeded(self._limited.values(), measured):
                job.out_of_memory = True
                self.terminate(job, 0)
        for job in list(self._terminating.values()) if step else ():
            if now >= job.check_at:
                self._step(job, members.get(job.name, []))

    def _step(self, job: LocalJob, members: list[Process]) -> None:
        assert job.termination
        now = monotonic()
        if members and job.code is not None and now >= job.started + job.duration + LEFT_SECONDS:
            self._note_left_behind(job)
        before = job.termination.stuck
        pause = job.termination.step(now, members)
        if job.termination.stuck not in (None, before):
            self._stuck(Stuck(key=job.key, reason=job.termination.stuck.text))
        if pause is not None:
            job.check_at = now + pause
        elif job.code is None:
            job.check_at = now + REAP_INTERVAL
        else:
            self._finish(job)

    def _note_left_behind(self, job: LocalJob) -> None:
        """A process of it was ended by a signal, or outlives the leader."""
        job.left_behind = job.code is not None and job.termination is not None

    def _finish(self, job: LocalJob) -> None:
        """No process of the job is left: report how it ended, and forget it."""
        self._limits.finish(job)
        peak = job.peak
        # Out of memory: report what was compared with the limit. A forked leader was not spawned from here: no floor.
        if not job.out_of_memory and (job.forked or self._peak_floor.is_below(job.max_rss)):
            peak = max(peak, job.max_rss)
        drained = self.trees.drained(job)
        stopped = not (job.cancelled or job.out_of_memory) and self._ended_by_stop_signal(job)
        del self._jobs[job.key]
        self._held.pop(job.key, None)
        self._terminating.pop(job.key, None)
        self._limited.pop(job.key, None)
        self.trees.remove(job)
        self._conclude(
            Ended(
                key=job.key,
                code=job.code,
                reason="a signal to all processes of runner" if stopped else None,
                lost=job.lost,
                cancelled=job.cancelled or stopped,
                out_of_memory=job.out_of_memory,
                left_behind=job.left_behind,
                duration=job.duration,
                cpu_time=job.cpu_time,
                max_rss=peak or None,
                drained=drained,
            )
        )

    def _ended_by_stop_signal(self, job: LocalJob) -> bool:
        """True if the leader may have ended for the last stop signal."""
        since = job.started + job.duration - self._stopped_at
        return job.started < self._stopped_at and -_held(job) <= since < STOP_WINDOW


def _held(job: LocalJob) -> float:
    """Seconds for which the end of the job is held back."""
    return min(HELD_SHARE * job.duration, LONGEST_HELD)
