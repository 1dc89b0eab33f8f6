"""What a build is known by."""

from __future__ import annotations

import hashlib
import json

from runner.model import Recipe, Session


def build_key(session: Session, recipe: Recipe, backend: str) -> str:
    """What a session's build is known by: a digest of its rendered text, of the content of `files` (digests by path), and of
    where it is made: what one machine or image has built need not run on another.
    """
    where = None if backend == "local" else [backend, session.image]
    parts = [session.build, recipe.parts.get("files", {}), where]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
