"""The real Backend.AI cluster of `tests/clusters/backendai`: to ask it behind runner's back, and a runner that uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.processes import wait_for

SCRIPTS = Path(__file__).parent / "clusters" / "backendai"
FOLDER = Path(os.environ.get("RUNNER_CLUSTER_DIR", "/tmp/runner-backendai"))

MINUTES = 180.0
"""Seconds after which a test is a hang, on a machine however slow."""


@dataclass(frozen=True)
class Job:
    """A session in the manager's own database. `owner` is an access key; `times` are Unix times, by status."""

    id: str
    name: str
    owner: str
    status: str
    info: str | None
    result: str
    times: Mapping[str, float]

    @property
    def over(self) -> bool:
        return self.status in ("TERMINATED", "CANCELLED")


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
    def endpoint(self) -> str:
        return self.values["BACKEND_ENDPOINT"]

    @property
    def image(self) -> str:
        return self.values["IMAGE"]

    def environ(self, user: str = "user") -> dict[str, str]:
        """This process's environment, and what clients of the cluster have in theirs."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("BACKEND_")},
            "BACKEND_ENDPOINT": self.endpoint,
            "BACKEND_ACCESS_KEY": self.values[f"{user.upper()}_ACCESS_KEY"],
            "BACKEND_SECRET_KEY": self.values[f"{user.upper()}_SECRET_KEY"],
        }

    def sql(self, query: str) -> list[dict[str, Any]]:
        """What the manager's database answers."""
        text = self._call(
            *("psql", "-qtA", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.values["POSTGRES"]),
            *("-U", "postgres", "backend", "-c", query),
        )
        return [json.loads(line) for line in text.splitlines()]

    def jobs(self, tag: str) -> list[Job]:
        """The sessions that carry this tag, oldest first, dead ones too."""
        columns = "id, name, access_key, status, status_info, result, status_history"
        rows = self.sql(
            f"SELECT row_to_json(s) FROM (SELECT {columns} FROM sessions WHERE tag = '{tag}' ORDER BY created_at) s"
        )
        return [
            Job(
                id=row["id"],
                name=row["name"],
                owner=row["access_key"],
                status=row["status"],
                info=row["status_info"],
                result=row["result"],
                times={status: datetime.fromisoformat(at).timestamp() for status, at in row["status_history"].items()},
            )
            for row in rows
        ]

    def requests(self, user: str) -> int:
        """How many requests the manager has counted against this user's rate limit, refused ones too."""
        return int(self._redis("ZCARD", self.values[f"{user.upper()}_ACCESS_KEY"]))

    def forgive(self, user: str) -> None:
        """Forget them."""
        self._redis("DEL", self.values[f"{user.upper()}_ACCESS_KEY"])

    def container(self, job: Job) -> str:
        """The id of the session's running container; empty if there is none."""
        return self._call("docker", "ps", "-q", "--filter", f"label=ai.backend.session-id={job.id}").strip()

    def kill(self, job: Job) -> None:
        """End its container behind the cluster's back."""
        self._call("docker", "kill", self.container(job))

    def run_in(self, job: Job, command: str) -> None:
        """Call sh inside of its container."""
        self._call("docker", "exec", self.container(job), "sh", "-c", command)

    def clock(self, seconds: int) -> dict[str, str]:
        """Variables under which a program's time of day is off."""
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def official(self, *arguments: str, user: str = "user") -> str:
        """What the official client says."""
        environ = {**self.environ(user), "BACKEND_ENDPOINT_TYPE": "api"}
        return self._call(self.values["CLUSTER"] + "/venv/bin/backend.ai", *arguments, environ=environ)

    def destroy(self, job: Job) -> None:
        """End it as its owner does in the web console."""
        self.official("session", "destroy", "--forced", "--owner", job.owner, job.name, user="admin")

    def stop_manager(self) -> None:
        self._call("bash", "-c", f'. "{SCRIPTS}/lib.sh" && stop manager 0', environ=self._folder())

    def start_manager(self) -> None:
        """Return when it answers."""
        self._call(str(SCRIPTS / "up"), environ=self._folder())

    def _folder(self) -> dict[str, str]:
        return {**os.environ, "RUNNER_CLUSTER_DIR": self.values["CLUSTER"]}

    def _redis(self, *command: str) -> str:
        return self._call("redis-cli", "-p", self.values["REDIS"], "-n", "1", *command)

    def _call(self, *command: str, environ: Mapping[str, str] | None = None) -> str:
        environ = {**os.environ, "DOCKER_HOST": self.values["DOCKER_HOST"]} if environ is None else environ
        done = subprocess.run(command, capture_output=True, text=True, timeout=MINUTES, check=False, env=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@dataclass(frozen=True)
class Bench:
    """A folder with a sweep for the cluster. Its sessions there carry `tag`, which no other test has."""

    cluster: Cluster
    folder: Path
    tag: str

    def write(self, text: str, **options: Any) -> None:
        """The sweep file: what all tests have in common, and `text`, which wins."""
        backend = json.dumps({"kind": "backend.ai", "tag": self.tag, **options})
        common = {"backend": backend, "image": self.cluster.image, "resources": "{cpu: 1, mem: 256m}"}
        given = {line.split(":")[0] for line in text.splitlines()}
        lines = [f"{key}: {value}\n" for key, value in common.items() if key not in given]
        (self.folder / "sweep.yaml").write_text("".join(lines) + text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """What a failed test has left takes no room from the others."""
        for job in self.jobs():
            if job.status not in ("TERMINATING", "TERMINATED", "CANCELLED"):
                self.cluster.destroy(job)

    def run(self, *arguments: str, user: str = "user", **environ: str) -> subprocess.CompletedProcess[str]:
        """Call `runner` in the folder, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self._environ(user, environ),
            capture_output=True,
            text=True,
            timeout=2 * MINUTES,
            check=False,
        )

    def start(self, *arguments: str, user: str = "user", **environ: str) -> subprocess.Popen[str]:
        """Call `runner` in the folder, and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self._environ(user, environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Carry out what was printed for a user to type, from elsewhere."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", command],
            cwd="/",
            env=self._environ("user", {"PATH": path}),
            capture_output=True,
            text=True,
            timeout=2 * MINUTES,
            check=False,
        )

    def rows(self) -> list[dict[str, Any]]:
        """What `runner results` says of each session."""
        return list(json.loads(self.run("results", "--format", "json").stdout))

    def by(self, variable: str) -> dict[str, dict[str, Any]]:
        """The rows by the value of a variable."""
        return {str(row["params"][variable]): row for row in self.rows()}

    def jobs(self) -> list[Job]:
        return self.cluster.jobs(self.tag)

    def wait_for_jobs(self, status: str, count: int = 1) -> list[Job]:
        """Return when so many are in this status."""
        found: list[Job] = []

        def there() -> bool:
            found[:] = [job for job in self.jobs() if job.status == status]
            return len(found) >= count

        slowly(there)
        return found

    def _environ(self, user: str, more: Mapping[str, str]) -> dict[str, str]:
        return {**self.cluster.environ(user), "XDG_STATE_HOME": str(self.folder / "xdg"), **more}


def slowly(condition: Any) -> None:
    """Wait for what costs the machine something to look at."""

    def rested() -> bool:
        time.sleep(0.2)
        return bool(condition())

    wait_for(rested, MINUTES)


def alive_at_once(jobs: Iterable[Job], since: str = "PENDING") -> int:
    """How many sessions were alive at the same time, at most: from this status on until the command had ended."""
    changes: list[tuple[float, int]] = []
    for job in jobs:
        end = min(job.times[status] for status in ("TERMINATING", "TERMINATED", "CANCELLED") if status in job.times)
        changes += [(job.times[since], 1), (end, -1)]
    most = alive = 0
    for _, change in sorted(changes):
        alive += change
        most = max(most, alive)
    return most
