"""What makes a session the same session: the digests behind its id.

The input is canonical JSON (UTF-8, no spaces, nothing escaped that need not be; object keys sorted), hashed with SHA-256:

    recipe = sha256({"exec": …, "env": …, "build": …, "image": …, "workdir": …, "python": …, "files": …})
                                                                                     absent parts left out
    point  = sha256([repeat, [name, text, data], …])[:16]                                  variables sorted by name
    id     = sha256(recipe + ":" + point)[:16]                                             hex digits throughout

`exec`, `env`, `build`, `image` and `workdir` are templates as parsed (so `$x` and `${x}` are the same), `files` maps each
path to the SHA-256 of its content, `python` is the interpreter as written (which stands in for the first word of `exec`;
what it preloads computes nothing). The name, the place in the plan, resources, timeout, metrics, secrets and the
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
    # A lone surrogate can come from an undecodable file name; it must have a digest, too.
    return text.encode("utf-8", "surrogatepass")


def recipe(parts: Mapping[str, Any]) -> Recipe:
    """Digest what all sessions share. `parts` is plain JSON data; see the module's text for its keys."""
    rest = {key: value for key, value in parts.items() if key != "files"}
    sans_files = hashlib.sha256(_bytes(_canonical(rest))).hexdigest()
    digest = hashlib.sha256(_bytes(_canonical(dict(parts)))).hexdigest() if "files" in parts else sans_files
    return Recipe(parts, digest, sans_files)


def fragment(name: str, value: Value) -> str:
    """One variable's part of a point; made once for each value, not once for each session."""
    return _canonical([name, value.text, value.data])


def joined(fragments: Iterable[str]) -> str:
    """The fragments of one point, sorted by variable name, as `point` takes them."""
    return ",".join(fragments)


def point(repeat: int, fragments: str) -> str:
    """The digest of a session's variables."""
    text = f"[{repeat},{fragments}]" if fragments else f"[{repeat}]"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def session_id(recipe: Recipe, point: str) -> str:
    return hashlib.sha256(f"{recipe.digest}:{point}".encode()).hexdigest()[:16]


def sample_key(seed: int, fragments: Sequence[str]) -> bytes:
    """What `sample` orders by: it depends on the seed and the variables alone."""
    return hashlib.sha256(_bytes(f"[{','.join((str(seed), *fragments))}]")).digest()


def difference(old: Recipe, new: Recipe) -> str:
    """What differs between two recipes, for people: "`exec` and `files` (train.py)"."""
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
