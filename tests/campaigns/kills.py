"""Kills a live apply again and again and counts what the state got wrong.

    python -m tests.campaigns.kills --calls 150 --random 150

Two parts. `--calls`: a new state each time, killed immediately before one of the calls that change a file system or start a
process; the calls are spread evenly over a whole apply, in runner and in its supervisor. `--random`: one growing sweep, killed
at random moments: runner, the supervisor, or both at once. After each kill the same command continues, without a kill in the
first part, with further kills in the second.

The sessions themselves keep the record that runner is compared with, in files outside of its state (`ledger`, one line an
event; a lock for each session). Prints one line for each part, and exits with 1 if any count is not zero.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import HANG, wait_for, with_environment

RUNNER = "runner apply"
SUPERVISOR = "supervisor/__main__.py"
"""Words of the command lines of the two processes that can be killed."""

SESSION = """\
cd "$3" || exit 9
exec 9>>"busy.$1"
flock -n 9 || echo "overlap $1" >>ledger
echo "begin $1" >>ledger
setsid sleep "$2" &
sleep "$2"
echo "loss=$1"
echo "end $1" >>ledger
"""
"""Holds a lock while any process of the attempt lives; leaves a process behind that has left its group."""

SWEEP = """\
exec: [sh, session.sh, $x, '{seconds}', '{folder}']
files: [session.sh]
build: "echo begin build >>'{folder}/ledger'; echo end build >>'{folder}/ledger'"
ranges: {{x: 'range:{count}'}}
metrics: {{loss: {{regex: 'loss=(.+)'}}}}
max_parallel: 4
"""


@dataclass
class Counts:
    """What went wrong, over all kills.

    lost: a session that the last apply did not bring to success, or whose log or metric is not that of its value.
    repeated: a session or build that began again after its success was recorded.
    overlapping: an attempt that began while a process of an earlier one lived.
    left_over: a process that outlived the last apply.
    unclean: an apply without a kill that did not exit with 0.
    """

    kills: int = 0
    lost: int = 0
    repeated: int = 0
    overlapping: int = 0
    left_over: int = 0
    unclean: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return self.lost + self.repeated + self.overlapping + self.left_over + self.unclean

    def __str__(self) -> str:
        names = ("kills", "lost", "repeated", "overlapping", "left_over", "unclean")
        return ", ".join(f"{name.replace('_', ' ')}: {getattr(self, name)}" for name in names)


class Sweep:
    """A sweep in a folder of its own, and the environment variable that marks all processes of its applies."""

    def __init__(self, folder: Path, *, count: int, seconds: float) -> None:
        self.folder = folder
        self.mark = f"campaign-{os.getpid()}-{folder.name}"
        self._seconds = seconds
        (folder / "session.sh").write_text(SESSION)
        (folder / "ledger").touch()
        self.grow(count)

    def grow(self, count: int) -> None:
        self.count = count
        (self.folder / "sweep.yaml").write_text(SWEEP.format(count=count, seconds=self._seconds, folder=self.folder))

    def start(self, **variables: str) -> subprocess.Popen[bytes]:
        """Start `runner apply`, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "runner", "apply"],
            cwd=self.folder,
            env={**os.environ, "CAMPAIGN_MARK": self.mark, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def ledger(self) -> Counter[str]:
        return Counter((self.folder / "ledger").read_text().splitlines())

    def succeeded(self) -> set[str]:
        """What the journal says has succeeded: values of `x`, and `build`."""
        journal = self.folder / ".runner/sweep/journal.db"
        if not journal.exists():
            return set()
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=HANG)) as connection:
            texts = connection.execute(
                "SELECT params FROM texts JOIN sessions ON n = session WHERE outcome = 'succeeded'"
            ).fetchall()
            builds = connection.execute("SELECT 1 FROM builds WHERE outcome = 'succeeded'").fetchall()
        return {_value(params) for (params,) in texts} | ({"build"} if builds else set())

    def finish(self, counts: Counts) -> None:
        """Apply without a kill until everything is done, and count what is wrong then."""
        with self.start() as runner:
            _, errors = runner.communicate(timeout=2 * HANG)
        if runner.returncode != 0:
            counts.unclean += 1
            counts.notes.append(f"{self.folder}: exit {runner.returncode}: {errors.decode(errors='replace')[-500:]}")
        command = [sys.executable, "-m", "runner", "results", "--format", "json"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False, timeout=HANG)
        rows = {str(row["params"]["x"]): row for row in json.loads(done.stdout or "[]")}
        for x in map(str, range(self.count)):
            row = rows.get(x, {"status": "absent"})
            if row["status"] != "succeeded" or not _is_its_own(row, x):
                counts.lost += 1
                counts.notes.append(f"{self.folder}: x={x}: {row}")
        overlaps = [line for line in self.ledger() if line.startswith("overlap")]
        counts.overlapping += len(overlaps)
        counts.notes += [f"{self.folder}: {line}" for line in overlaps]
        left = with_environment(self.mark.encode())
        counts.left_over += len(left)
        counts.notes += [f"{self.folder}: process {pid} is left" for pid in left]

    def count_repeated(self, before: Counter[str], succeeded: set[str], counts: Counts) -> None:
        """Count what began since `before` though it had succeeded then."""
        now = self.ledger()
        for name in succeeded:
            if now[f"begin {name}"] > before[f"begin {name}"]:
                counts.repeated += 1
                counts.notes.append(f"{self.folder}: {name} began again after its success was recorded")


def kill_at_calls(kills: int, *, count: int = 3, seconds: float = 0.02) -> Counts:
    """Kill a new apply at `kills` of its calls, spread evenly; all of them if `kills` is 0. Linux with a C compiler."""
    counts = Counts()
    with tempfile.TemporaryDirectory(prefix="kills-") as top:
        library = Path(top) / "kill_at_call.so"
        source = Path(__file__).with_name("kill_at_call.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        calls = [(role, call) for role in (RUNNER, SUPERVISOR) for call in _calls(Path(top), library, role)]
        chosen = calls if not kills else [calls[i * len(calls) // kills] for i in range(kills)]
        for number, (role, call) in enumerate(chosen):
            folder = Path(top) / f"at-{number}"
            folder.mkdir()
            sweep = Sweep(folder, count=count, seconds=seconds)
            with sweep.start(**_shim(library, folder, role, call)) as runner:
                _wait(sweep, runner, role)
            counts.kills += _was_killed(folder, call)
            before, succeeded = sweep.ledger(), sweep.succeeded()
            sweep.finish(counts)
            sweep.count_repeated(before, succeeded, counts)
            if counts.wrong:
                counts.notes.append(f"{folder}: killed {role} at call {call}")
                break
            shutil.rmtree(folder)
    return counts


def kill_at_random(kills: int, *, seed: int, seconds: float = 0.1) -> Counts:
    """Kill applies of one growing sweep `kills` times, within the first second or while sessions run."""
    counts = Counts()
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as top:
        sweep = Sweep(Path(top), count=20, seconds=seconds)
        while counts.kills < kills:
            before, succeeded = sweep.ledger(), sweep.succeeded()
            begun = sum(sweep.ledger().values())
            with sweep.start() as runner:
                if chance.random() < 0.7:
                    wait_for(lambda: sum(sweep.ledger().values()) > begun or runner.poll() is not None)  # noqa: B023
                time.sleep(chance.uniform(0, 0.6))
                victims = chance.choice(((RUNNER,), (SUPERVISOR,), (RUNNER, SUPERVISOR)))
                killed = _kill(sweep, runner, victims)
                _wait(sweep, runner, victims[-1])
            counts.kills += killed
            sweep.count_repeated(before, succeeded, counts)
            if not killed:
                sweep.grow(sweep.count + 10)
        before, succeeded = sweep.ledger(), sweep.succeeded()
        sweep.finish(counts)
        sweep.count_repeated(before, succeeded, counts)
    return counts


def _value(params: str) -> str:
    found = json.loads(params)
    value = found["x"] if isinstance(found, dict) else found
    return str(value["text"] if isinstance(value, dict) else value[0] if isinstance(value, list) else value)


def _is_its_own(row: dict[str, object], x: str) -> bool:
    metrics = row["metrics"]
    log = Path(str(row["stdout"]))
    return isinstance(metrics, dict) and metrics["loss"] == int(x) and log.read_text() == f"loss={x}\n"


def _shim(library: Path, folder: Path, role: str, call: int) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(library),
        "KILL_ROLE": role,
        "KILL_BELOW": str(folder),
        "KILL_AT": str(call),
        "KILL_LOG": str(folder / "calls"),
    }


def _calls(top: Path, library: Path, role: str) -> Iterator[int]:
    """The numbers of the calls that one whole apply makes in the processes with this role."""
    folder = top / f"count-{role == RUNNER}"
    folder.mkdir()
    sweep = Sweep(folder, count=3, seconds=0.02)
    with sweep.start(**_shim(library, folder, role, 0)) as runner:
        _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0, errors.decode(errors="replace")
    lines = (folder / "calls").read_text().splitlines()
    assert lines, f"no call of `{role}` was seen"
    return iter(range(1, 1 + max(int(line.split()[0]) for line in lines)))


def _was_killed(folder: Path, call: int) -> bool:
    lines = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    return any(line.split()[0] == str(call) for line in lines)


def _kill(sweep: Sweep, runner: subprocess.Popen[bytes], roles: tuple[str, ...]) -> bool:
    """Send SIGKILL to these processes; False if none of them was there. Both are stopped first, so that neither reacts."""
    victims = [runner.pid] if RUNNER in roles and runner.poll() is None else []
    if SUPERVISOR in roles:
        victims += [pid for pid in with_environment(sweep.mark.encode()) if SUPERVISOR in _command_line(pid)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in victims:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
    return bool(victims)


def _wait(sweep: Sweep, runner: subprocess.Popen[bytes], role: str) -> None:
    """Wait for runner to end; its output is not read any further than its processes hold it open."""
    try:
        runner.wait(timeout=2 * HANG)
    except subprocess.TimeoutExpired:
        runner.kill()
        raise SystemExit(f"{sweep.folder}: runner does not end after a kill of `{role}`") from None


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=150, help="kills at chosen calls; 0: at every call")
    parser.add_argument("--random", type=int, default=150, help="kills at random moments")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = 0
    for name, counts in (
        ("at calls", kill_at_calls(options.calls)),
        ("at random", kill_at_random(options.random, seed=options.seed)),
    ):
        print(f"{name}: {counts}", flush=True)
        for note in counts.notes[:20]:
            print(note, flush=True)
        wrong += counts.wrong
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
