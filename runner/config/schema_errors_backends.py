"""Where the options of a backend do not fit, in words of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.config.schema_mismatch import Misfit
from runner.diagnostics import Problem

TITLE = "Backend"

_KEYS = "keys belong in the environment, and in no file: BACKEND_ACCESS_KEY and BACKEND_SECRET_KEY"
_ADDRESS = "is no http or https address"

_PATTERNS: Mapping[str, tuple[str, str]] = {
    "Endpoint": (_ADDRESS, f"such as `https://api.example.com`, without a user; {_KEYS}"),
    "Callback": (_ADDRESS, "such as `https://ci.example.com/hook`"),
    "option": ("is not `KEY=VALUE`", "such as `shmem=64m`"),
    "mount": ("names no folder", "write `NAME`, `NAME=PATH` or `NAME:PATH`"),
    "Ports": ("is no list of port numbers", "write `[8080, 8081]`"),
}
"""By the titles that the schema gives them. The values are not repeated: an address may hold a password."""


def pattern(misfit: Misfit) -> Problem | None:
    if misfit.path[0] != "backend" or misfit.title not in _PATTERNS:
        return None
    fault, hint = _PATTERNS[misfit.title]
    return Problem(f"{misfit.name} {fault}", misfit.node.span, hint)


def meant(misfit: Misfit, text: str, known: Sequence[str]) -> str | None:
    """What to do about an unknown option, before its name is compared with the known ones."""
    if misfit.title != TITLE:
        return None
    if len(known) == 1:
        return f"backend `{_kind(misfit)}` has no options"
    return _KEYS if "endpoint" in known and re.search("key|secret|password|token", text.casefold()) else None


def _kind(misfit: Misfit) -> str:
    return str(misfit.value.get("kind"))
