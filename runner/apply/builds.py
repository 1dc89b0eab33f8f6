"""Builds: each distinct one runs once, in a private copy of `files` that is also the working directory of its sessions.

Two builds are the same if their rendered text and the content of `files` are. The copy is made in a temporary folder and
renamed, so that an incomplete one is never used.
"""

from __future__ import annotations

import hashlib
import os
import secrets as random
import shutil
from collections.abc import Mapping
from pathlib import Path

from runner import regular
from runner.apply.input_check import stop_reason
from runner.config.inputs import Change
from runner.config.sweep import Sweep
from runner.errors import EnvironmentFailed, InputsChanged
from runner.model import Attempt, AttemptEnd, Outcome, Recipe, Session
from runner.plan.builds import build_key
from runner.state import State
from runner.state.fs import guarded

_BLOCK = 1 << 20
"""Bytes copied at a time."""


class Builds:
    """The builds of one apply. A build that succeeded in an earlier one is used again if its folder still exists."""

    def __init__(self, sweep: Sweep, recipe: Recipe, state: State, secrets: Mapping[str, str]) -> None:
        self._sweep = sweep
        self._recipe = recipe
        self._files: Mapping[str, str] = recipe.parts.get("files", {})
        self._state = state
        self._secrets = secrets
        self._ready: set[str] = set()

    def key(self, session: Session) -> str | None:
        """The build that must run before this session; None if it needs none, or if that has succeeded."""
        if session.build is None:
            return None
        key = self._key(session)
        if key in self._ready:
            return None
        if self._state.journal.build_succeeded(key) and self._state.has_build(key):
            self._ready.add(key)
            return None
        return key

    def root(self, session: Session) -> str:
        """The folder that the working directory is relative to: the build's copy of `files`, or the sweep's folder."""
        if session.build is None:
            return str(self._sweep.folder)
        return str(self._state.build_folder(self._key(session)))

    def attempt(self, session: Session) -> Attempt:
        """The build as an attempt. Makes its private copy of `files`.

        Raises EnvironmentFailed if that fails, or if an earlier build may still run in it, and InputsChanged.
        """
        assert session.build is not None
        key = self._key(session)
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
            # A cluster enforces what is requested; a local build may use the whole machine.
            resources={} if self._sweep.backend.kind == "local" else session.resources,
            image=session.image,
            timeout=self._sweep.policy.timeout,
            grace=self._sweep.policy.grace,
            root=str(folder),
            files=None,
        )

    def _key(self, session: Session) -> str:
        return build_key(session, self._recipe, self._sweep.backend.kind)

    def finished(self, key: str, end: AttemptEnd) -> None:
        """Take note of the end of a build."""
        if end.outcome is Outcome.SUCCEEDED:
            self._ready.add(key)

    def _copy(self, key: str) -> Path:
        for left in self._state.journal.open_builds():
            if left.build == key:
                raise EnvironmentFailed(
                    f"build `{key}` of an earlier apply may still run at backend `{left.backend}`",
                    f"apply with `--backend {left.backend}` first: that ends it",
                )
        final = self._state.build_folder(key)
        fresh = final.with_name(f"{key}.new")
        self._state.remove_build(key)
        with guarded(final):
            fresh.mkdir(parents=True)
            for path, digest in self._files.items():
                target = fresh / path
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy_file(self._sweep.folder / path, target, path, digest)
            os.rename(fresh, final)
        return final


def _copy_file(source: Path, target: Path, path: str, digest: str) -> None:
    """Copy a file with its mode and times. Raises InputsChanged if its content is not what the plan was made from."""
    content = hashlib.sha256()
    try:
        reading = regular.read(source)
    except (FileNotFoundError, NotADirectoryError, regular.NotRegularError):
        raise _changed(path) from None
    with reading, target.open("wb") as writing:
        while block := reading.read(_BLOCK):
            content.update(block)
            writing.write(block)
    if content.hexdigest() != digest:
        raise _changed(path)
    shutil.copystat(source, target)


def _changed(path: str) -> InputsChanged:
    return InputsChanged(stop_reason(Change(path, "changed")))
