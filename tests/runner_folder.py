"""A folder in which tests run `runner` as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import HANG


@dataclass(frozen=True)
class RunnerFolder:
    """Runs `runner` in `path`. A subclass says in which environment."""

    path: Path

    def environment(self, **variables: str) -> dict[str, str]:
        """The environment of `runner`, with these variables."""
        raise NotImplementedError

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `runner` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.path,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=2 * HANG,
            check=False,
        )

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start `runner`."""
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.path,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `runner results`."""
        return list(json.loads(self.run("results", "--format", "json").stdout))

    def by(self, variable: str) -> dict[str, dict[str, Any]]:
        """The rows by the value of a variable."""
        return {str(row["params"][variable]): row for row in self.rows()}
