"""Builds: each distinct one runs once, in a private copy of `files` that is also its sessions' working directory.

Two builds are the same when their rendered text and the content of `files` are. The copy is made in a temporary folder
and renamed, so that a half-made one is never taken for whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets as random
import shutil
from collections.abc import Mapping
from pathlib import Path

from runner.model import Attempt, Ended, Outcome, Recipe, Session
from runner.state import State
from runner.sweep import Sweep


class Builds:
    """The builds of one apply; what has succeeded in an earlier one, and is still there, is not built again."""

    def __init__(self, sweep: Sweep, recipe: Recipe, state: State, secrets: Mapping[str, str]) -> None:
        self._sweep = sweep
        self._files: Mapping[str, str] = recipe.parts.get("files", {})
        self._state = state
        self._secrets = secrets
        self._ready: set[str] = set()

    def key(self, session: Session) -> str | None:
        """The build that must run before this session; None where there is none, or it is there."""
        if session.build is None:
            return None
        key = self._digest(session.build)
        if key in self._ready:
            return None
        if self._state.journal.build_succeeded(key) and self._state.build_folder(key).is_dir():
            self._ready.add(key)
            return None
        return key

    def root(self, session: Session) -> str:
        """Where the session's working directory starts: its build's copy of `files`, or the sweep's folder."""
        if session.build is None:
            return str(self._sweep.folder)
        return str(self._state.build_folder(self._digest(session.build)))

    def attempt(self, session: Session) -> Attempt:
        """The build as something a backend can run; its private copy of `files` is made here."""
        assert session.build is not None
        key = self._digest(session.build)
        folder = self._copy(key)
        return Attempt(
            name=f"{self._state.id}-{key}-build-{random.token_hex(4)}",
            session=key,
            number=1,
            command=session.build,
            env={"RUNNER_SWEEP": self._sweep.name},
            secrets=self._secrets,
            workdir=str(folder),
            stdout=str(folder.with_suffix(".out")),
            stderr=str(folder.with_suffix(".err")),
            output=str(folder),
            resources={},
            image=session.image,
            timeout=None,
            grace=self._sweep.policy.grace,
            root=str(folder),
            files=None,
        )

    def finished(self, key: str, ended: Ended) -> None:
        if ended.outcome is Outcome.SUCCEEDED:
            self._ready.add(key)

    def _digest(self, text: str) -> str:
        return hashlib.sha256(json.dumps([text, self._files], sort_keys=True).encode()).hexdigest()[:16]

    def _copy(self, key: str) -> Path:
        final = self._state.build_folder(key)
        fresh = final.with_name(f"{key}.new")
        for stale in (final, fresh):
            shutil.rmtree(stale, ignore_errors=True)
        for log in (final.with_suffix(".out"), final.with_suffix(".err")):
            log.unlink(missing_ok=True)
        fresh.mkdir(parents=True)
        for path in self._files:
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._sweep.folder / path, target)
        os.rename(fresh, final)
        return final
