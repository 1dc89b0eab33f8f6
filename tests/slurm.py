"""The real Slurm of `tests/clusters/slurm`: to ask it behind runner's back, and a runner that uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.processes import wait_for

SCRIPTS = Path(__file__).parent / "clusters" / "slurm"
FOLDER = Path(os.environ.get("RUNNER_SLURM_DIR", "/tmp/runner-slurm"))

MINUTES = 180.0
"""Seconds after which a test is a hang, on a machine however slow."""


@dataclass(frozen=True)
class Cluster:
    """`values` are what `up` has written down."""

    values: Mapping[str, str]

    @classmethod
    def running(cls) -> Cluster | None:
        """The cluster that runs on this machine, None if there is none."""
        try:
            lines = (FOLDER / "env").read_text().splitlines()
        except FileNotFoundError:
            return None
        return cls(dict(line.split("=", 1) for line in lines))

    @property
    def environ(self) -> dict[str, str]:
        """This process's environment, and what clients of the cluster have in theirs."""
        return {**os.environ, "SLURM_CONF": self.values["SLURM_CONF"]}

    def call(self, *command: str) -> str:
        """What the command prints."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=MINUTES, check=False, env=self.environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def insist(self, *command: str) -> None:
        """Until it works: Slurm refuses to signal a job whose start it is not through with."""
        wait_for(lambda: subprocess.run(command, check=False, env=self.environ, timeout=MINUTES).returncode == 0)

    def bring_back(self, node: str) -> None:
        """After it was set down. It may have come back by itself."""

        def up() -> bool:
            resume = ["scontrol", "update", f"nodename={node}", "state=resume"]
            subprocess.run(resume, check=False, env=self.environ, timeout=MINUTES, stderr=subprocess.DEVNULL)
            return self.call("sinfo", "-h", "-n", node, "-o", "%T").split()[0] in ("idle", "mixed", "allocated")

        wait_for(up, MINUTES)

    def node(self, number: int) -> str:
        return f"{self.values['NODES']}{number}"

    def jobs(self, prefix: str, *columns: str) -> list[list[str]]:
        """Array tasks whose job's name begins so: what `squeue -O` has in these columns."""
        form = ",".join(f"{column}:100|" for column in ("Name", *columns))
        lines = self.call("squeue", "-h", "-r", "-t", "all", "-O", form).splitlines()
        rows = [[word.strip() for word in line.split("|")[:-1]] for line in lines]
        return [row[1:] for row in rows if row[0].startswith(prefix)]

    def stop(self, daemon: str) -> None:
        """With time to save what it knows, as in a restart: killed, Slurm's controller gives out the same ids again."""
        self._script(f"stop {daemon} 20")

    def start(self) -> None:
        """Bring up whatever is not."""
        self.call(str(SCRIPTS / "up"))

    def _script(self, text: str) -> None:
        self.call("bash", "-c", f'. "{SCRIPTS}/lib.sh" && {text}')


@dataclass(frozen=True)
class Bench:
    """A folder with a sweep for the cluster."""

    cluster: Cluster
    folder: Path

    def write(self, text: str, **options: Any) -> None:
        """The sweep file: `text`, and a backend with these options."""
        backend = json.dumps({"kind": "slurm", **options})
        (self.folder / "sweep.yaml").write_text(f"backend: {backend}\n{text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """What a failed test has left takes no room from the others."""
        for folder in self.folder.glob(".runner/*/jobs/slurm/*"):
            subprocess.run(["scancel", "-n", folder.name], env=self.cluster.environ, timeout=MINUTES, check=False)

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Call `runner` in the folder, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env={**self.cluster.environ, **environ},
            capture_output=True,
            text=True,
            timeout=2 * MINUTES,
            check=False,
        )

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Call `runner` in the folder, and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env={**self.cluster.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> list[dict[str, Any]]:
        """What `runner results` says of each session."""
        return list(json.loads(self.run("results", "--format", "json").stdout))

    def by(self, variable: str) -> dict[str, dict[str, Any]]:
        """The rows by the value of a variable."""
        return {str(row["params"][variable]): row for row in self.rows()}

    def wait_for_files(self, pattern: str, count: int = 1) -> list[Path]:
        """Return when there are so many in the folder."""
        found: list[Path] = []

        def there() -> bool:
            found[:] = sorted(self.folder.glob(pattern))
            return len(found) >= count

        wait_for(there, MINUTES)
        return found
