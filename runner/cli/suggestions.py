"""Hints for commands, options and arguments that do not exist: near names, and what users of other tools type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

import click

from runner.errors import InvalidInput

_SHOWS = "`runner status` counts the sessions, `runner results` lists them"
_PRUNES = "`runner prune` shows what it would remove to free disk space"
_CONTINUES = "write `runner apply`: it continues where the last one stopped"

COMMAND_ALIASES = {
    **dict.fromkeys(("list", "ls", "show", "ps", "info", "jobs", "queue", "top", "sessions"), _SHOWS),
    **dict.fromkeys(("clean", "delete", "rm", "remove", "gc", "purge", "reset", "wipe", "clear"), _PRUNES),
    **dict.fromkeys(("resume", "continue", "restart", "rerun", "retry"), _CONTINUES),
    **dict.fromkeys(("start", "sweep", "submit", "launch", "execute", "go", "train"), "write `runner apply`"),
    **dict.fromkeys(("stop", "kill", "abort", "interrupt"), "write `runner cancel`"),
    **dict.fromkeys(("check", "lint", "verify", "test"), "write `runner validate`"),
    **dict.fromkeys(("diff", "dry_run", "preview"), "write `runner plan`"),
    **dict.fromkeys(("log", "tail", "cat", "output"), "write `runner logs SESSION`"),
    **dict.fromkeys(("export", "metrics", "compare", "table", "csv"), "write `runner results --format csv`"),
    **dict.fromkeys(("html", "plot", "dashboard", "ui", "open"), "write `runner report`"),
    **dict.fromkeys(("new", "create", "example"), "write `runner init`"),
    **dict.fromkeys(("docs", "doc", "guide", "man", "manual", "topics"), "write `runner help`"),
    "version": "write `runner --version`",
    "exec": "write `runner run --exec COMMAND`",
    "watch": "write `runner status --watch`",
}
"""What users of other tools type for a command, folded as `did_you_mean` does it, and what to write."""

_CONTINUED = "leave it out: apply continues where the last one stopped"
_AT_ONCE = "write `--max-parallel N`"
_AGAIN = "`--fresh` runs every session again"
_FAILED = ("write `--only failed`", "write `--where status=failed`")
_REDIRECTED = "redirect stdout: `>FILE`"

OPTION_ALIASES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("dry-run", "n", "check", "noop", "what-if"), ("`runner plan` shows what would run",)),
    **dict.fromkeys(("resume", "continue"), (_CONTINUED,)),
    **dict.fromkeys(
        ("force", "rerun", "restart", "no-cache", "overwrite"),
        (_AGAIN, "without `--yes`, prune only shows what it would remove"),
    ),
    **dict.fromkeys(("failed", "retry-failed", "rerun-failed", "only-failed", "lf", "last-failed"), _FAILED),
    **dict.fromkeys(("jobs", "j", "workers", "parallel", "p", "concurrency"), (_AT_ONCE,)),
    **dict.fromkeys(
        ("retry", "retries"), ("write `retry: {limit: N}` into the sweep file; `--only failed` runs failed ones",)
    ),
    **dict.fromkeys(("timeout", "time-limit", "walltime"), ("write `timeout: 10m` into the sweep file",)),
    **dict.fromkeys(("set", "param", "params", "override"), ("edit the sweep file; `--select X=V` chooses sessions",)),
    **dict.fromkeys(("filter", "session", "sessions"), ("write `--select X=V`", "write `--where 'loss<0.3'`")),
    **dict.fromkeys(("quiet", "q", "silent"), ("redirect stderr: `2>/dev/null`",)),
    **dict.fromkeys(("file", "config", "f", "c"), ("leave it out: write the sweep file as an argument",)),
    **dict.fromkeys(("limit", "top", "head"), ("pipe the output: `| head -n 6`",)),
    **dict.fromkeys(("tail", "lines"), ("pipe the output: `| tail -n 20`",)),
    "csv": ("write `--format csv`",),
    "json": ("write `--format json`", "write `--format jsonl`"),
    "jsonl": ("write `--format jsonl`",),
    "markdown": ("write `--format md`",),
    "md": ("write `--format md`",),
    "o": (_REDIRECTED,),
    "output": (_REDIRECTED,),
    "both": ("stdout is printed without it, stderr with `--stderr`",),
    "err": ("write `--stderr`",),
    "follow": ("write `--watch`",),
    "w": ("write `--watch`",),
    "gpus": ("write `--capacity gpu=N`",),
    "gpu": ("write `--capacity gpu=N`",),
    "V": ("`runner --version` prints the version",),
    "shards": ("write `--shard I/N`",),
}
"""What users of other tools type for an option: hints. The first one counts whose options the command has."""

OPTION_FORMS = {"--pivot": "write `--pivot ROW COL METRIC`"}
"""Hints for options that need several arguments."""

DESTRUCTIVE = frozenset(["--fresh", "--yes", "--gone", "--rm", "cancel", "prune"])
"""Options and commands that are never suggested because of a similar spelling."""

_OPTION = re.compile(r"(?<![\w-])(?<!runner )(--[a-z][a-z-]*)(?: ([a-z]+))?")
"""An option in a hint, and its value if that is a word."""


def command_hint(name: str, commands: Iterable[str]) -> str:
    """Return the hint for an unknown command."""
    from runner.diagnostics import did_you_mean

    if name.endswith((".yaml", ".yml", ".json")):
        return f"write `runner apply {shlex.quote(name)}`"
    known = [command for command in commands if command not in DESTRUCTIVE]
    return did_you_mean(name, known, COMMAND_ALIASES) or "`runner --help` lists the commands"


def option_hint(name: str, context: click.Context | None) -> str | None:
    """Return the hint for an unknown option of the command of `context`, None if there is nothing to suggest."""
    from runner.diagnostics import nearest

    known = {option: parameter for parameter in context.command.params for option in parameter.opts} if context else {}
    for alias in OPTION_ALIASES.get(name.lstrip("-"), ()):
        if all(_takes(known.get(option), value) for option, value in _OPTION.findall(alias)):
            return alias
    near = nearest(name.lstrip("-"), [option.lstrip("-") for option in sorted(known.keys() - DESTRUCTIVE)])
    return f"did you mean `--{near}`?" if near else None


def _takes(option: click.Parameter | None, value: str) -> bool:
    """Whether a command has the option, and the option takes this value if it is a choice."""
    if option is None:
        return False
    return not value or not isinstance(option.type, click.Choice) or value in option.type.choices


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
