"""Workflow commands of GitHub Actions: how to write one, and how to keep other text from being one.

The runner of GitHub reads stdout and stderr of a step by lines. A line that begins with `::`, after white space, is a command,
and so is `##[` anywhere in a line: the toolkit's `ActionCommand.TryParseV2` and `TryParse`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.text.escape import printable, printable_lines

_COMMAND = re.compile(r"(?m)((?:^|\r)(?:[^\S\n]|[\ufeff\u200b])*)::")
_OLD_COMMAND = "##["


def in_workflow(environ: Mapping[str, str]) -> bool:
    """Whether this process runs in a step of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def command(name: str, text: str = "", /, **properties: str | int | None) -> str:
    """A workflow command as one line; properties that are None are left out."""
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{name}{' ' if given else ''}{given}::{_data(printable_lines(text))}"


def add_mask(secret: str) -> str:
    """The command that makes GitHub replace one line of text by `***` in the log of the job."""
    return f"::add-mask::{_data(secret)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")


def inert(text: str) -> str:
    r"""Return the text with a backslash where GitHub would read a command: `\::error::`, `##\[group]`."""
    return _COMMAND.sub(r"\1\\::", text).replace(_OLD_COMMAND, r"##\[")


def inert_json(text: str) -> str:
    """Return JSON without `##[`; the data is the same, and no line of JSON begins with `::`."""
    return text.replace(_OLD_COMMAND, "##\\u005b")
