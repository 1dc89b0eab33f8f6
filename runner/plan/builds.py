"""The identity of a build."""

from __future__ import annotations

import hashlib
import json

from runner.model import Recipe, Session


def build_key(session: Session, recipe: Recipe, backend: str) -> str:
    """Return 16 hex digits that identify the build of a session.

    They digest the rendered `build` text, the content of `files`, and except for `local` the backend and the image: a program
    that was built on one image need not run on another.
    """
    where = None if backend == "local" else [backend, session.image]
    parts = [session.build, recipe.parts.get("files", {}), where]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
