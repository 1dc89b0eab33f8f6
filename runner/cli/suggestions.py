"""Hints for commands, options and arguments that do not exist: near names, and what users of other tools type."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import click

from runner.errors import InvalidInput

COMMAND_ALIASES = {
    "list": "`runner status` counts the sessions, `runner results` lists them",
    "ls": "`runner status` counts the sessions, `runner results` lists them",
    "clean": "`runner prune` frees disk space",
    "delete": "`runner prune` frees disk space",
    "rm": "`runner prune` frees disk space",
    "version": "write `runner --version`",
    "start": "write `runner apply`",
    "exec": "write `runner run --exec COMMAND`",
    "check": "write `runner validate`",
    "lint": "write `runner validate`",
    "diff": "write `runner plan`",
    "stop": "write `runner cancel`",
    "kill": "write `runner cancel`",
}

OPTION_ALIASES = {
    "dry-run": "`runner plan` shows what would run",
    "n": "`runner plan` shows what would run",
    "resume": "leave it out: apply continues where the last one stopped",
    "continue": "leave it out: apply continues where the last one stopped",
    "force": "`--fresh` runs every session again",
    "jobs": "write `--max-parallel N`",
    "j": "write `--max-parallel N`",
    "workers": "write `--max-parallel N`",
    "parallel": "write `--max-parallel N`",
    "retry": "write `retry: {limit: N}` into the sweep file",
    "retries": "write `retry: {limit: N}` into the sweep file",
    "timeout": "write `timeout: 10m` into the sweep file",
    "set": "edit the sweep file; `--select X=V` chooses sessions",
    "quiet": "redirect stderr: `2>/dev/null`",
    "q": "redirect stderr: `2>/dev/null`",
    "csv": "write `--format csv`",
    "json": "write `--format json`",
    "o": "redirect stdout: `>FILE`",
    "output": "redirect stdout: `>FILE`",
    "tail": "write `runner logs … | tail`",
}

OPTION_FORMS = {"--pivot": "write `--pivot ROW COL METRIC`"}
"""Hints for options that need several arguments."""

DESTRUCTIVE = frozenset(["--fresh", "--yes", "--gone", "--rm"])
"""Options that are never suggested because of a similar spelling."""


def command_hint(name: str, commands: Iterable[str]) -> str:
    """Return the hint for an unknown command."""
    from runner.diagnostics import did_you_mean

    if name.endswith((".yaml", ".yml", ".json")):
        return f"write `runner apply {shlex.quote(name)}`"
    return did_you_mean(name, commands, COMMAND_ALIASES) or "`runner --help` lists the commands"


def option_hint(name: str, context: click.Context | None) -> str | None:
    """Return the hint for an unknown option of the command of `context`, None if there is nothing to suggest."""
    from runner.diagnostics import nearest

    alias = OPTION_ALIASES.get(name.lstrip("-"))
    known = {option for parameter in context.command.params for option in parameter.opts} if context else set()
    if alias is not None:
        return alias
    near = nearest(name.lstrip("-"), [option.lstrip("-") for option in sorted(known - DESTRUCTIVE)])
    return f"did you mean `--{near}`?" if near else None


def unexpected_argument(error: click.UsageError, context: click.Context) -> InvalidInput | None:
    """Return the problem for an argument too many, None for any other usage error."""
    prefix = "Got unexpected extra argument"
    if not error.message.startswith(prefix):
        return None
    extra = error.message.partition("(")[2].rstrip(")")
    options = {option for parameter in context.command.params for option in parameter.opts}
    first = extra.split()[0] if extra.split() else ""
    hint = f"`{context.command_path} --help` shows the available options"
    if "=" in first and "--select" in options:
        hint = f"to choose sessions: `--select {shlex.quote(first)}`"
    elif "--output" in options:
        hint = f"write `-o {shlex.quote(first)}`"
    return InvalidInput(f"unexpected argument `{extra}`", hint)
