"""What can be wrong with `exec` and `build` where they are strings for the shell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.config.fields import Placed, entries
from runner.config.sweep import REPEAT, Sweep
from runner.config.yaml.nodes import place
from runner.diagnostics import Problem
from runner.template.shell import Expansion, ShellScript, is_evaluated, is_split, process_ids
from runner.template.template import did_you_mean
from runner.text.shorten import excerpt

SHELL_VARIABLES = frozenset(
    "BASHOPTS BASHPID BASH_SOURCE CDPATH COLUMNS DIRSTACK ENV EUID FUNCNAME GROUPS HISTFILE HOME HOSTNAME HOSTTYPE IFS LANG"  # noqa: SIM905
    " LINENO LINES LOGNAME MACHTYPE MAIL OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH PIPESTATUS PPID PS1 PS2 PS4 PWD RANDOM REPLY"
    " SECONDS SHELL SHELLOPTS SHLVL TERM TMPDIR TZ UID USER".split()
)
"""Names that a shell sets, reads or exports itself."""

_SET_BY_RUNNER = ("RUNNER_", "CUDA_", "HIP_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "SLURM_", "BACKENDAI_")
"""Beginnings of names that a session finds in its environment, set by runner or its backend."""


def check_shell(sweep: Sweep) -> Iterator[Problem]:
    """Problems that the file alone decides: `$$name`, names of the shell, values that would be evaluated or split."""
    for placed, script in _scripts(sweep):
        for start, end, name in process_ids(script.text):
            yield _problem(
                sweep,
                placed,
                (start, end),
                f"`$${name}` is the shell's process id followed by `{name}`",
                f"write `${name}`, which the shell expands; the process id followed by text is `${{$}}{name}`",
            )
        for name in script.names:
            if name in SHELL_VARIABLES:
                yield _collision(sweep, placed, name, "a variable of the shell")
        if script.evaluates:
            yield from _evaluated(sweep, placed, script)
        yield from _split(sweep, placed, script)


def check_shell_names(sweep: Sweep, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Problems that depend on the environment of the caller: names that nothing defines, variables that are exported."""
    secrets = frozenset(sweep.secrets.names())
    for placed, script in _scripts(sweep):
        for name in script.names:
            if name in secrets or (name in environ and name not in SHELL_VARIABLES and not _same(sweep, name)):
                yield _collision(sweep, placed, name, "exported")
        # What a container or a node exports is not known here.
        elsewhere = sweep.backend.kind != "local"
        defined = {*sweep.env, *secrets, *environ, *SHELL_VARIABLES}
        for found in script.undefined(defined):
            if not found.name.startswith(_SET_BY_RUNNER) and not (elsewhere and found.name.isupper()):
                yield _undefined(sweep, placed, found)


def _scripts(sweep: Sweep) -> Iterator[tuple[Placed, ShellScript]]:
    for placed in (sweep.shell, sweep.build):
        if placed is not None and isinstance(placed.template, ShellScript):
            yield placed, placed.template


def _same(sweep: Sweep, name: str) -> bool:
    """Whether `env` exports the variable under its own name, so that the assignment changes nothing."""
    return name in sweep.env and sweep.env[name].template.canonical() == [{"var": name}]


def _collision(sweep: Sweep, placed: Placed, name: str, what: str) -> Problem:
    ranges = entries(sweep.document.get("ranges"))
    key = next((key for key, _ in ranges if key.value.text == name), placed.node)
    message = f"`{name}` is {what}, so the string cannot use it as a variable of the sweep"
    return Problem(message, key.span, f"give the range another name, or write `exec` as a list: `[program, ${name}]`")


def _undefined(sweep: Sweep, placed: Placed, found: Expansion) -> Problem:
    known = [*sweep.space.names, REPEAT, *sweep.env]
    hint = did_you_mean(found.name, known) or "name it in `ranges` or `env`, or assign it in the string"
    return _problem(sweep, placed, (found.start, found.end), f"nothing defines `{found.name}`", hint)


def _evaluated(sweep: Sweep, placed: Placed, script: ShellScript) -> Iterator[Problem]:
    for name in script.names:
        for value in sweep.space.values_of(name) if name != REPEAT else ():
            if is_evaluated(value.text) and sweep.space.has({name: value}):
                message = f"the value `{excerpt(value.text)}` of `{name}` would run as code in the shell's arithmetic"
                hint = "write the command as a list, or use the value outside of a string with `((` or `[[`"
                yield Problem(message, placed.node.span, hint)
                break


def _split(sweep: Sweep, placed: Placed, script: ShellScript) -> Iterator[Problem]:
    """A warning for the first unquoted use of each variable that has a value the shell splits."""
    seen = {REPEAT}
    for found in script.unquoted():
        if found.name in seen or not found.whole:
            continue
        seen.add(found.name)
        for value in sweep.space.values_of(found.name):
            if is_split(value.text) and sweep.space.has({found.name: value}):
                used = placed.node.value.text[found.start : found.end]
                what = "will be split into words or matched with file names" if value.text else "will be left out"
                message = f"the value `{excerpt(value.text)}` of `{found.name}` {what}"
                problem = _problem(sweep, placed, (found.start, found.end), message, f'quote it: `"{used}"`')
                yield Problem(problem.message, problem.span, problem.hint, "warning")
                break


def _problem(sweep: Sweep, placed: Placed, at: tuple[int, int], message: str, hint: str) -> Problem:
    return Problem(message, place(sweep.source, placed.node, *at), hint)
