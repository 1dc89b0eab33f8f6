"""The real Backend.AI cluster of `tests/clusters/backendai`, and a sweep folder whose sessions run there."""

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

from tests.processes import HANG, wait_for
from tests.runner_folder import RunnerFolder

SCRIPTS = Path(__file__).parent / "clusters" / "backendai"
FOLDER = Path(os.environ.get("RUNNER_CLUSTER_DIR", "/tmp/runner-backendai"))


@dataclass(frozen=True)
class SessionRow:
    """A session in the manager's database. `owner` is an access key; `times` are Unix times by status."""

    id: str
    name: str
    owner: str
    status: str
    info: str | None
    result: str
    times: Mapping[str, float]

    @property
    def terminated(self) -> bool:
        return self.status in ("TERMINATED", "CANCELLED")


@dataclass(frozen=True)
class Cluster:
    """A running cluster. `values` are the variables that `up` has written to `env`."""

    values: Mapping[str, str]

    @classmethod
    def running(cls) -> Cluster | None:
        """Return the cluster that runs on this machine, or None."""
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
        """Return this process's environment with the variables of the official client for this user."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("BACKEND_")},
            "BACKEND_ENDPOINT": self.endpoint,
            "BACKEND_ACCESS_KEY": self.values[f"{user.upper()}_ACCESS_KEY"],
            "BACKEND_SECRET_KEY": self.values[f"{user.upper()}_SECRET_KEY"],
        }

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Return the JSON objects that a query of the manager's database gives."""
        text = self._call(
            *("psql", "-qtA", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.values["POSTGRES"]),
            *("-U", "postgres", "backend", "-c", query),
        )
        return [json.loads(line) for line in text.splitlines()]

    def jobs(self, tag: str) -> list[SessionRow]:
        """Return the sessions with this tag, oldest first, ended ones too."""
        columns = "id, name, access_key, status, status_info, result, status_history"
        rows = self.sql(
            f"SELECT row_to_json(s) FROM (SELECT {columns} FROM sessions WHERE tag = '{tag}' ORDER BY created_at) s"
        )
        return [
            SessionRow(
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
        """Return the requests that count against this user's rate limit, refused ones too."""
        return int(self._redis("ZCARD", self.values[f"{user.upper()}_ACCESS_KEY"]))

    def reset_rate_limit(self, user: str) -> None:
        self._redis("DEL", self.values[f"{user.upper()}_ACCESS_KEY"])

    def container(self, job: SessionRow) -> str:
        """Return the id of the session's running container; empty if there is none."""
        return self._call("docker", "ps", "-q", "--filter", f"label=ai.backend.session-id={job.id}").strip()

    def kill(self, job: SessionRow) -> None:
        """Kill the session's container without a request to the manager."""
        self._call("docker", "kill", self.container(job))

    def run_in(self, job: SessionRow, command: str) -> None:
        """Run a shell command in the session's container."""
        self._call("docker", "exec", self.container(job), "sh", "-c", command)

    def clock(self, seconds: int) -> dict[str, str]:
        """Return variables under which a program's clock is wrong by so many seconds (libfaketime)."""
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def official(self, *arguments: str, user: str = "user") -> str:
        """Run the official client and return its output."""
        environ = {**self.environ(user), "BACKEND_ENDPOINT_TYPE": "api"}
        return self._call(self.values["CLUSTER"] + "/venv/bin/backend.ai", *arguments, environ=environ)

    def destroy(self, job: SessionRow) -> None:
        """End the session as an administrator does in the web console."""
        self.official("session", "destroy", "--forced", "--owner", job.owner, job.name, user="admin")

    def stop_manager(self) -> None:
        self._call("bash", "-c", f'. "{SCRIPTS}/lib.sh" && stop manager 0', environ=self._folder())

    def start_manager(self) -> None:
        """Start the manager again and return when it answers."""
        self._call(str(SCRIPTS / "up"), environ=self._folder())

    def _folder(self) -> dict[str, str]:
        return {**os.environ, "RUNNER_CLUSTER_DIR": self.values["CLUSTER"]}

    def _redis(self, *command: str) -> str:
        return self._call("redis-cli", "-p", self.values["REDIS"], "-n", "1", *command)

    def _call(self, *command: str, environ: Mapping[str, str] | None = None) -> str:
        environ = {**os.environ, "DOCKER_HOST": self.values["DOCKER_HOST"]} if environ is None else environ
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False, env=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@dataclass(frozen=True)
class SweepFolder(RunnerFolder):
    """A folder with a sweep for the cluster. Its sessions have a tag of their own."""

    cluster: Cluster
    tag: str

    def write(self, text: str, **options: Any) -> None:
        """Write the sweep file: `text`, and defaults for the keys that it lacks."""
        backend = json.dumps({"kind": "backend.ai", "tag": self.tag, **options})
        common = {"backend": backend, "image": self.cluster.image, "resources": "{cpu: 1, mem: 256m}"}
        given = {line.split(":")[0] for line in text.splitlines()}
        lines = [f"{key}: {value}\n" for key, value in common.items() if key not in given]
        (self.path / "sweep.yaml").write_text("".join(lines) + text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Destroy the sessions that a failed test left: they would use the capacity of other tests."""
        for job in self.jobs():
            if job.status not in ("TERMINATING", "TERMINATED", "CANCELLED"):
                self.cluster.destroy(job)

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command that was printed for a user to type, in another folder."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", command],
            cwd="/",
            env=self.environment(PATH=path),
            capture_output=True,
            text=True,
            timeout=2 * HANG,
            check=False,
        )

    def jobs(self) -> list[SessionRow]:
        return self.cluster.jobs(self.tag)

    def wait_for_jobs(self, status: str, count: int = 1) -> list[SessionRow]:
        """Return the sessions in this status, once there are so many."""
        found: list[SessionRow] = []

        def enough() -> bool:
            found[:] = [job for job in self.jobs() if job.status == status]
            return len(found) >= count

        wait_slowly(enough)
        return found

    def environment(self, user: str = "user", **variables: str) -> dict[str, str]:
        return {**self.cluster.environ(user), "XDG_STATE_HOME": str(self.path / "xdg"), **variables}


def wait_slowly(condition: Any) -> None:
    """Wait for a condition that is expensive to check."""

    def paused() -> bool:
        time.sleep(0.2)
        return bool(condition())

    wait_for(paused, HANG)


def max_concurrent(jobs: Iterable[SessionRow], since: str = "PENDING") -> int:
    """Return how many sessions ran at the same time at most, from the status `since` until the command's end."""
    changes: list[tuple[float, int]] = []
    for job in jobs:
        end = min(job.times[status] for status in ("TERMINATING", "TERMINATED", "CANCELLED") if status in job.times)
        changes += [(job.times[since], 1), (end, -1)]
    maximum = running = 0
    for _, change in sorted(changes):
        running += change
        maximum = max(maximum, running)
    return maximum
