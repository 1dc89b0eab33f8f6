"""Whether sessions read all of their variables at once, from RUNNER_PARAMS or RUNNER_PARAMS_FILE."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from runner.config.fields import entries, scalar, texts
from runner.config.yaml.nodes import MappingNode

_NAME = re.compile(rb"RUNNER_PARAMS(?:_FILE)?\b")

LARGEST_PROGRAM = 1024 * 1024
"""Bytes of a program that is searched for the name."""


def reads_params(document: MappingNode, folder: Path) -> bool:
    """Return whether `exec`, `code`, `env` or a program that `exec` names mentions RUNNER_PARAMS: then a variable is used."""
    return any(_NAME.search(text) for text in _texts(document, folder))


def _texts(document: MappingNode, folder: Path) -> Iterator[bytes]:
    for node in (document.get("exec"), document.get("code")):
        if (found := scalar(node)) is not None:
            yield found.value.text.encode("utf-8", "surrogatepass")
    for _, node in entries(document.get("env")):
        if (found := scalar(node)) is not None:
            yield found.value.text.encode("utf-8", "surrogatepass")
    workdir = scalar(document.get("workdir"))
    for argument in texts(document.get("exec")):
        text = argument.value.text
        yield text.encode("utf-8", "surrogatepass")
        if "\0" not in text:
            yield _content(folder / (workdir.value.text if workdir else "") / text)


def _content(path: Path) -> bytes:
    """Return the content of a program, nothing if it is not a file or too large."""
    try:
        if not os.path.isfile(path) or path.stat().st_size > LARGEST_PROGRAM:
            return b""
        return path.read_bytes()
    except (OSError, ValueError):
        return b""
