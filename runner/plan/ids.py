"""The id of a session: digests of what it computes.

The input is canonical JSON (UTF-8, no spaces, nothing escaped that need not be; object keys sorted), hashed with SHA-256:

    recipe = sha256({"exec": …, "env": …, "build": …, "image": …, "workdir": …, "python": …, "files": …})
                                                                                     absent parts left out
    point  = sha256([repeat, [name, text, data], …])[:16]                                  variables sorted by name
    id     = sha256(recipe + ":" + point)[:16]                                             hex digits throughout

`exec`, `env`, `build`, `image` and `workdir` are templates as parsed (so `$x` and `${x}` are the same). `files` maps each
path to the SHA-256 of its content. `python` is the interpreter as written, because it replaces the first word of `exec`; the
preloaded modules do not count. The name, the position in the plan, resources, timeout, metrics, secrets and the
backend are left out: changing them runs nothing again. `tests/plan/test_ids.py` pins the digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.model import Recipe, Value

_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode


def _bytes(text: str) -> bytes:
    # A file name that is not UTF-8 has lone surrogates; it has a digest too.
    return text.encode("utf-8", "surrogatepass")


def recipe(parts: Mapping[str, Any]) -> Recipe:
    """Digest the parts that all sessions share. `parts` is plain JSON data with the keys of the module docstring."""
    rest = {key: value for key, value in parts.items() if key != "files"}
    without_files = hashlib.sha256(_bytes(_canonical(rest))).hexdigest()
    digest = hashlib.sha256(_bytes(_canonical(dict(parts)))).hexdigest() if "files" in parts else without_files
    return Recipe(parts, digest, without_files)


def fragment(name: str, value: Value) -> str:
    """Return the part of one variable in the text that is digested. Made once for each value, not for each session."""
    return _canonical([name, value.text, value.data])


def joined(fragments: Iterable[str]) -> str:
    """Join the fragments of one point, sorted by variable name, for `point`."""
    return ",".join(fragments)


def point(repeat: int, fragments: str) -> str:
    """Return the digest of a session's variables: 16 hex digits."""
    text = f"[{repeat},{fragments}]" if fragments else f"[{repeat}]"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def session_id(recipe: Recipe, point: str) -> str:
    """Return the id of a session: 16 hex digits."""
    return hashlib.sha256(f"{recipe.digest}:{point}".encode()).hexdigest()[:16]


def sample_key(seed: int, fragments: Sequence[str]) -> bytes:
    """Return the key that `sample` sorts by. It depends on the seed and the variables only."""
    return hashlib.sha256(_bytes(f"[{','.join((str(seed), *fragments))}]")).digest()


def difference(old: Recipe, new: Recipe) -> str:
    """Return the parts that differ between two recipes, in words: "`exec` and `files` (train.py)"."""
    changed: list[str] = []
    for part in ("exec", "code", "env", "build", "image", "workdir", "python", "files"):
        before, after = old.parts.get(part), new.parts.get(part)
        if before == after:
            continue
        if isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping) and part in ("env", "files"):
            names = sorted(
                key for key in {**(before or {}), **(after or {})} if (before or {}).get(key) != (after or {}).get(key)
            )
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            changed.append(f"`{part}` ({shown})")
        else:
            changed.append(f"`{part}`")
    return " and ".join([", ".join(changed[:-1]), changed[-1]] if len(changed) > 1 else changed)
