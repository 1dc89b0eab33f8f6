"""Just enough of GitHub Actions to run a workflow's `run` steps as they stand: jobs in the order of their needs, the matrix
expanded, each job in a fresh checkout; the few actions that a workflow uses are what they are documented to do to files.
"""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import HANG


@dataclass
class Ran:
    """How a job went: its result as `needs` would have it, its log, and its summary."""

    result: str
    log: str = ""
    summary: str = ""


@dataclass
class Actions:
    """A repository at `project` with a cache that outlives runs, and artifacts that do not. `work` is for its own files."""

    project: Path
    work: Path
    runs: int = 0
    artifacts: Path = field(init=False)

    def run(self, workflow: Mapping[str, Any]) -> dict[str, list[Ran]]:
        """Run all jobs; each job's name with one result for each combination of its matrix."""
        self.runs += 1
        self.artifacts = self.work / f"artifacts-{self.runs}"
        results: dict[str, list[Ran]] = {}
        for name, job in workflow["jobs"].items():
            needed = results[job["needs"]] if "needs" in job else []
            combinations = list(_combinations(job.get("strategy", {}).get("matrix", {})))
            match job.get("if"):
                case None:
                    starts = all(ran.result == "success" for ran in needed)
                case condition:
                    assert condition == f"always() && needs.{job['needs']}.result != 'skipped'"
                    starts = any(ran.result != "skipped" for ran in needed)
            if starts:
                results[name] = [self._job(job, matrix) for matrix in combinations]
            else:
                results[name] = [Ran("skipped") for _ in combinations]
        return results

    def _job(self, job: Mapping[str, Any], matrix: Mapping[str, Any]) -> Ran:
        checkout = self.work / "checkout"
        shutil.rmtree(checkout, ignore_errors=True)
        shutil.copytree(self.project, checkout)
        known = {f"matrix.{name}": value for name, value in matrix.items()}
        known |= {"github.run_id": 1000 + self.runs, "github.run_attempt": 1}
        ran = Ran("success")
        for step in _expanded(job["steps"], known):
            if ran.result == "failure" and step.get("if") != "always()":
                continue
            try:
                if "run" in step:
                    self._script(step["run"], checkout, ran)
                else:
                    self._action(step["uses"].partition("@")[0], step.get("with", {}), checkout)
            except subprocess.CalledProcessError:
                ran.result = "failure"
        return ran

    def _script(self, script: str, checkout: Path, ran: Ran) -> None:
        summary = self.work / "summary"
        summary.write_text("")
        environ = {
            **os.environ,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(checkout),
            "GITHUB_STEP_SUMMARY": str(summary),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=checkout,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=HANG,
        )
        ran.log += f"$ {script}\n{done.stdout}"
        ran.summary += summary.read_text()
        done.check_returncode()

    def _action(self, name: str, given: Mapping[str, Any], checkout: Path) -> None:
        cache = self.work / "cache"
        cache.mkdir(exist_ok=True)
        match name:
            case "actions/checkout" | "actions/setup-python":
                pass
            case "actions/cache/restore":
                keys = [given["key"], *given["restore-keys"].split()]
                saved = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
                for key in keys:
                    if found := next((path for path in saved if path.name.startswith(key)), None):
                        shutil.copytree(found, checkout / given["path"])
                        break
            case "actions/cache/save":
                shutil.copytree(checkout / given["path"], cache / given["key"])
                os.utime(cache / given["key"])
            case "actions/upload-artifact":
                self._upload(checkout / given["path"], self.artifacts / given["name"])
            case "actions/download-artifact":
                for artifact in self.artifacts.iterdir():
                    if fnmatch.fnmatch(artifact.name, given["pattern"]):
                        shutil.copytree(artifact, checkout / given["path"] / artifact.name)
            case _:
                raise AssertionError(f"what does `{name}` do?")

    def _upload(self, path: Path, to: Path) -> None:
        """As GitHub does: file modes are lost; hidden files and empty folders are not uploaded."""
        top = path if path.is_dir() else path.parent
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(top).parts):
                target = to / file.relative_to(top)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def _combinations(matrix: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def _expanded(value: Any, known: Mapping[str, Any]) -> Any:
    """Replace every `${{ … }}`. Raises KeyError for an unknown one."""
    if isinstance(value, str):
        return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: str(known[found[1]]), value)
    if isinstance(value, list):
        return [_expanded(one, known) for one in value]
    if isinstance(value, dict):
        return {key: _expanded(one, known) for key, one in value.items()}
    return value
