"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def sweep_argument(function: F) -> F:
    return click.argument("file", metavar="[SWEEP.YAML]", default="sweep.yaml")(function)


def state_option(function: F) -> F:
    return click.option(
        "--state",
        metavar="DIR",
        type=click.Path(path_type=Path),
        envvar="RUNNER_STATE",
        help="Keep state in DIR instead of `.runner/`, or set RUNNER_STATE.",
    )(function)


def select_option(function: F) -> F:
    return click.option(
        "--select",
        metavar="X=V,…",
        multiple=True,
        help="Only sessions that have these values; may be repeated.",
    )(function)


def is_session(text: str) -> bool:
    """Whether an argument can only mean a session: an id, the beginning of one, or values."""
    return "=" in text or re.fullmatch("[0-9a-fA-F]{1,16}", text) is not None
