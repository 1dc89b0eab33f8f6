"""The real Slurm of `tests/clusters/slurm`: calls to it that bypass runner, and a folder in which runner uses it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.processes import HANG, wait_for
from tests.runner_folder import RunnerFolder

SCRIPTS = Path(__file__).parent / "clusters" / "slurm"
FOLDER = Path(os.environ.get("RUNNER_SLURM_DIR", "/tmp/runner-slurm"))


@dataclass(frozen=True)
class SlurmCluster:
    """A running cluster. `values` are those that `up` has written into `env`."""

    values: Mapping[str, str]

    @classmethod
    def running(cls) -> SlurmCluster | None:
        """The cluster of this machine, None if it does not run."""
        try:
            lines = (FOLDER / "env").read_text().splitlines()
        except FileNotFoundError:
            return None
        return cls(dict(line.split("=", 1) for line in lines))

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the cluster's clients."""
        return {**os.environ, "SLURM_CONF": self.values["SLURM_CONF"]}

    def call(self, *command: str) -> str:
        """The output of a command that succeeds."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False, env=self.environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def insist(self, *command: str) -> None:
        """Repeat a command until it succeeds: Slurm refuses to signal a job that is starting."""
        wait_for(lambda: subprocess.run(command, check=False, env=self.environ, timeout=HANG).returncode == 0)

    def bring_back(self, node: str) -> None:
        """Resume a node that was set down."""

        def up() -> bool:
            resume = ["scontrol", "update", f"nodename={node}", "state=resume"]
            subprocess.run(resume, check=False, env=self.environ, timeout=HANG, stderr=subprocess.DEVNULL)
            return self.call("sinfo", "-h", "-n", node, "-o", "%T").split()[0] in ("idle", "mixed", "allocated")

        wait_for(up, HANG)

    def node(self, number: int) -> str:
        return f"{self.values['NODES']}{number}"

    def jobs(self, prefix: str, *columns: str) -> list[list[str]]:
        """The columns of `squeue -O`, for the array tasks whose job names begin with `prefix`."""
        form = ",".join(f"{column}:100|" for column in ("Name", *columns))
        lines = self.call("squeue", "-h", "-r", "-t", "all", "-O", form).splitlines()
        rows = [[word.strip() for word in line.split("|")[:-1]] for line in lines]
        return [row[1:] for row in rows if row[0].startswith(prefix)]

    def stop(self, daemon: str) -> None:
        """Stop a daemon as for a restart. A controller that is killed gives out the same ids again."""
        self._script(f"stop {daemon} 20")

    def start(self) -> None:
        """Start the daemons that do not run."""
        self.call(str(SCRIPTS / "up"))

    def _script(self, text: str) -> None:
        self.call("bash", "-c", f'. "{SCRIPTS}/lib.sh" && {text}')


@dataclass(frozen=True)
class SlurmFolder(RunnerFolder):
    """A folder with a sweep for the cluster."""

    cluster: SlurmCluster

    def write(self, text: str, **options: Any) -> None:
        """Write the sweep file: `text`, and the backend with these options."""
        backend = json.dumps({"kind": "slurm", **options})
        (self.path / "sweep.yaml").write_text(f"backend: {backend}\n{text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel the jobs that a failed test has left."""
        for folder in self.path.glob(".runner/*/jobs/slurm/*"):
            subprocess.run(["scancel", "-n", folder.name], env=self.cluster.environ, timeout=HANG, check=False)

    def environment(self, **variables: str) -> dict[str, str]:
        return {**self.cluster.environ, **variables}

    def wait_for_files(self, pattern: str, count: int = 1) -> list[Path]:
        """Return once `count` files in the folder match."""
        found: list[Path] = []

        def there() -> bool:
            found[:] = sorted(self.path.glob(pattern))
            return len(found) >= count

        wait_for(there, HANG)
        return found
