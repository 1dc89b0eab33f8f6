"""`runner run`: one command over ranges, with Backend.AI's flags. It always runs, and its state lies outside the tree."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from runner.apply.apply import Applied
from runner.apply.selection import Choice
from runner.cli import run_resume
from runner.cli.apply import execute, exit_code, require_detachable, tell_running
from runner.cli.display import Display
from runner.cli.log_paths import where_logs_lie
from runner.cli.options import given, override, show_warnings
from runner.cli.run_flags import Flags, to_document, to_yaml
from runner.cli.streams import Outlets, fault, outlets, say
from runner.config.load import load
from runner.diagnostics import Source
from runner.errors import EnvironmentFailed, InvalidInput
from runner.reporters.progress.progress import Progress
from runner.reporters.streams import LiveOutput, SessionOutputs, Statistics
from runner.state import State

LIVE_SECONDS = 0.05
"""Between two looks at what the one session has written."""

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
"""Flags that only a backend can make something of; they become options of `backend:`."""


NOT_TAKEN: Mapping[str, tuple[bool, str]] = {
    "--clean": (False, "leave it out: every session begins in a fresh folder"),
    "--terminal": (True, "a batch has no terminal; `backend.ai session` gives one"),
    "--max-wait": (False, "leave it out: what waits for room waits, `runner status` says why, and Ctrl-C ends it"),
    "--no-reuse": (True, "leave it out: nothing of another run is ever reused"),
    "--type": (False, "leave it out: every job is a batch job, so that it outlives its client"),
}
"""Flags of `backend.ai run` that mean nothing here: whether each is a switch, and what to do about it."""


def _refuse(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        name = parameter.opts[0]
        raise InvalidInput(f"`runner run` has no `{name}`", NOT_TAKEN[name][1])


def not_taken(function: Any) -> Any:
    for name, (switch, _) in NOT_TAKEN.items():
        function = click.option(name, is_flag=switch, hidden=True, expose_value=False, callback=_refuse)(function)
    return function


def backend_flags(function: Any) -> Any:
    for names, settings in reversed(BACKEND_FLAGS):
        function = click.option(*names, **settings)(function)
    return function


@click.command("run", context_settings={"max_content_width": 100})
@click.argument("arguments", nargs=-1, metavar="[IMAGE] [FILES]...")
@click.option("-c", "--code", metavar="CODE", help="A Python snippet; it reports its real exit code.")
@click.option("--exec", "exec_", metavar="CMD", help="A shell command for each session; may hold variables.")
@click.option("--build", metavar="CMD", help="Built once for each distinct command, in a private copy of FILES.")
@click.option("--basedir", metavar="PATH", help="Where the sessions run. [default: this folder]")
@click.option("-e", "--env", multiple=True, metavar="KEY=VAL", help="An environment variable; VAL may hold variables.")
@click.option("-r", "--resources", multiple=True, metavar="KEY=VAL", help="cpu=1, mem=256m; mem without a unit is MiB.")
@click.option("--env-range", multiple=True, metavar="X=RANGE", help="A variable of --env: `X=case:1,2,3`.")
@click.option("--exec-range", multiple=True, metavar="X=RANGE", help="A variable of --exec: `X=linspace:1,2,3`.")
@click.option("--build-range", multiple=True, metavar="X=RANGE", help="A variable of --build: `X=range:1,6,2`.")
@click.option("--max-parallel", type=click.IntRange(min=1), metavar="NUM", help="At most NUM sessions at once.")
@click.option("-t", "--name", "--client-token", "name", metavar="NAME", help="Name the run, and keep its state.")
@click.option("--backend", metavar="NAME", help="Where to run. [default: backend.ai with an IMAGE, else local]")
@click.option("--rm", is_flag=True, help="Keep nothing of the run, failed sessions included.")
@click.option("-s", "--stats", is_flag=True, help="Show what each session used.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but what the sessions print.")
@click.option("--print-sweep", is_flag=True, help="Print the equivalent sweep file, and run nothing.")
@click.option("--enqueue-only", "--detach", "detach", is_flag=True, help="Return when all sessions are submitted.")
@backend_flags
@not_taken
def command(
    arguments: tuple[str, ...],
    code: str | None,
    exec_: str | None,
    build: str | None,
    basedir: str | None,
    env: tuple[str, ...],
    resources: tuple[str, ...],
    env_range: tuple[str, ...],
    exec_range: tuple[str, ...],
    build_range: tuple[str, ...],
    max_parallel: int | None,
    name: str | None,
    backend: str | None,
    rm: bool,
    stats: bool,
    quiet: bool,
    print_sweep: bool,
    detach: bool,
    **backend_options: Any,
) -> int:
    """Run one command over ranges of parameters, every combination, as many at once as fit.

    The first argument is an image unless it is an existing file; the others are files. Every session runs every time.

    \b
    runner run -c 'import os; print("Hello world, {}".format(os.environ["CASENO"]))' \\
        -r cpu=1 -r mem=256m -e 'CASENO=$X' --env-range=X=case:1,2,3,4
    """
    image, files = _image_and_files(arguments)
    if code is not None and exec_ is not None:
        raise InvalidInput("`--code` and `--exec` exclude each other")
    flags = Flags(
        code=code,
        exec=exec_,
        argv=_program(files) if code is None and exec_ is None else None,
        build=build,
        files=files,
        workdir=basedir,
        env=env,
        resources=resources,
        env_range=env_range,
        build_range=build_range,
        exec_range=exec_range,
        max_parallel=max_parallel,
        name=name or "run",
        image=image,
        backend=backend or ("backend.ai" if image else None),
        backend_options={key: _plain(value) for key, value in backend_options.items() if value},
    )
    document, warnings = to_document(flags)
    text = to_yaml(document)
    for warning in () if quiet else warnings:
        say(f"warning: {warning}")
    if print_sweep:
        click.echo(text, nl=False)
        return 0
    sweep = load(Source("<command line>", text), Path.cwd())
    if not quiet:
        show_warnings(sweep)
    this = given(override(sweep))
    require_detachable(this, detach)
    folder = _made(runs_folder()) / (name or f"run-{secrets.token_hex(6)}")
    where = os.getcwd()
    if not quiet:
        run_resume.warn(runs_folder(), folder)

    def watch(state: State, outlets: Outlets) -> Display:
        if this.sweep.backend.kind != "local":  # its jobs outlive us: nothing starts before they could be found again
            run_resume.leave(folder, text, where)
        out, err = outlets.out, outlets.err
        outputs = LiveOutput(state, out, err) if this.plan.count == 1 else SessionOutputs(state, out, err)
        progress = None if quiet else Progress(err, replace(where_logs_lie(this, state, ""), command=None), live=False)
        shown = [outputs, *([Statistics(err)] if stats else []), *([progress] if progress else [])]

        def finish(applied: Applied) -> None:
            outlets.drain()  # so that the summary stands below what the sessions printed
            if progress:
                progress.finish(applied.ended)

        def tick() -> None:
            outputs.tick()
            if progress:
                progress.tick()

        return Display(shown, LIVE_SECONDS, tick, finish)

    with outlets() as opened:
        applied = execute(this, folder, Choice(fresh=True), opened, watch, detach)
        printed = opened.out.lost is None or opened.out.lost.errno == errno.EPIPE
        if applied.running:
            opened.drain()
            for kind in applied.running:
                other = kind if kind != this.sweep.backend.kind else None
                resume, cancel = run_resume.commands(folder, where, other)
                tell_running(applied, kind, f"`{resume}`", f"`{cancel}`")
            run_resume.told(folder)
            return exit_code(applied)
        run_resume.forget(folder)
        if rm or (name is None and applied.succeeded and printed):
            shutil.rmtree(folder, ignore_errors=True)
        elif not quiet and not (applied.succeeded and printed):
            opened.err.write(f"logs are kept in {folder}\n")
    return exit_code(applied)


def runs_folder() -> Path:
    """Where runs keep their state: outside every tree, as the XDG base directory specification has it."""
    home = os.environ.get("XDG_STATE_HOME")
    if home and os.path.isabs(home):
        return Path(home, "runner", "runs")
    return Path(os.path.expanduser("~"), ".local", "state", "runner", "runs")


def _made(folder: Path) -> Path:
    """Others have no business in what runs print and compute."""
    hint = "set `XDG_STATE_HOME` to a folder that you can write to: runs keep their state there"
    if not folder.is_absolute():
        raise EnvironmentFailed("there is no home folder: `HOME` is not set", hint)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFailed(f"cannot make `{folder}`: {fault(error)}", hint) from error
    return folder


def _image_and_files(arguments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    if arguments and not os.path.exists(arguments[0]):
        return arguments[0], arguments[1:]
    return None, arguments


def _program(files: tuple[str, ...]) -> tuple[str, ...]:
    """What runs where neither code nor a command is given: the one Python file."""
    programs = [file for file in files if file.endswith(".py")]
    if len(programs) != 1:
        raise InvalidInput("there is nothing to run", "give `-c CODE`, `--exec CMD`, or one Python file")
    return ("python3", programs[0].replace("$", "$$"))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
