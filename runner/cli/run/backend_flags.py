"""The flags of `backend.ai run` that a backend interprets, and those that runner does not support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from runner.errors import InvalidInput

BACKEND_FLAGS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("-m", "-v", "--mount", "--volume", "mounts"),
        {"multiple": True, "metavar": "NAME[=PATH]", "help": "A virtual folder to mount."},
    ),
    (("--tag", "tag"), {"metavar": "TEXT", "help": "A tag for the jobs."}),
    (("--bootstrap-script", "bootstrap_script"), {"metavar": "PATH", "help": "Runs in the container first."}),
    (("--cluster-mode", "cluster_mode"), {"metavar": "MODE", "help": "`single-node` or `multi-node`."}),
    (("--cluster-size", "cluster_size"), {"type": int, "metavar": "NUMBER", "help": "Containers for each job."}),
    (
        ("--resource-opts", "resource_opts"),
        {"multiple": True, "metavar": "KEY=VAL", "help": "Such as `shmem=64m`."},
    ),
    (
        ("--arch", "--architecture", "architecture"),
        {"metavar": "ARCH_NAME", "help": "Of the image. [default: this machine's]"},
    ),
    (("--preopen", "preopen"), {"metavar": "LIST", "help": "Service ports to open: `8080,8081`."}),
    (("--assign-agent", "assign_agent"), {"metavar": "LIST", "help": "Agents to run on; for administrators."}),
    (("--starts-at", "starts_at"), {"metavar": "TIME", "help": "Not before this time."}),
    (("--callback-url", "callback_url"), {"metavar": "URL", "help": "Called at each change of a job."}),
    (("--scaling-group", "--sgroup", "scaling_group"), {"metavar": "NAME", "help": "The resource group to run in."}),
    (("-d", "--domain", "domain"), {"metavar": "NAME", "help": "The domain to run in."}),
    (("-g", "--group", "group"), {"metavar": "NAME", "help": "The group, or project, to run in."}),
)
"""Flags that become options of `backend:`."""

BACKEND_OPTIONS = tuple(names[-1].lstrip("-").replace("-", "_") for names, _ in BACKEND_FLAGS)

UNSUPPORTED: Mapping[str, tuple[bool, str]] = {
    "--clean": (False, "leave it out: every session starts in an empty folder"),
    "--terminal": (True, "use `backend.ai session` for a terminal"),
    "--max-wait": (False, "leave it out: sessions wait for capacity; `runner status` shows why, Ctrl-C ends the run"),
    "--no-reuse": (True, "leave it out: runner never reuses a session of another run"),
    "--type": (False, "leave it out: every job is a batch job"),
}
"""Flags of `backend.ai run` without a meaning here: whether each is a switch, and the hint."""


def _refuse(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        name = parameter.opts[0]
        raise InvalidInput(f"`runner run` does not support `{name}`", UNSUPPORTED[name][1])


def unsupported_flags(function: Any) -> Any:
    for name, (switch, _) in UNSUPPORTED.items():
        function = click.option(name, is_flag=switch, hidden=True, expose_value=False, callback=_refuse)(function)
    return function


def backend_flags(function: Any) -> Any:
    for names, settings in reversed(BACKEND_FLAGS):
        function = click.option(*names, **settings)(function)
    return function
