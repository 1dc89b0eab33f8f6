"""`runner run`: one command over ranges, with Backend.AI's flags. It always runs, and its state lies outside the tree."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import click

from runner.adhoc import Flags, to_document, to_yaml
from runner.cli.apply import Watch, execute, exit_code, require_detachable, tell_running
from runner.cli.options import given, override, show_warnings
from runner.diagnostics import Source
from runner.errors import InvalidInput
from runner.history import Choice
from runner.loading import load
from runner.outputs import LiveOutput, SessionOutputs, Statistics
from runner.progress import Progress
from runner.state import State

LIVE_SECONDS = 0.05
"""Between two looks at what the one session has written."""

BACKEND_FLAGS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-m", "-v", "--mount", "--volume", "mounts"), {"multiple": True, "metavar": "NAME[=PATH]"}),
    (("--tag", "tag"), {"metavar": "TEXT"}),
    (("--bootstrap-script", "bootstrap_script"), {"metavar": "PATH"}),
    (("--cluster-mode", "cluster_mode"), {"metavar": "MODE"}),
    (("--cluster-size", "cluster_size"), {"type": int, "metavar": "NUMBER"}),
    (("--resource-opts", "resource_opts"), {"multiple": True, "metavar": "KEY=VAL"}),
    (("--arch", "--architecture", "architecture"), {"metavar": "ARCH_NAME"}),
    (("--preopen", "preopen"), {"metavar": "LIST"}),
    (("--assign-agent", "assign_agent"), {"metavar": "LIST"}),
    (("--starts-at", "starts_at"), {"metavar": "TIME"}),
    (("--callback-url", "callback_url"), {"metavar": "URL"}),
    (("--scaling-group", "--sgroup", "scaling_group"), {"metavar": "NAME"}),
    (("-d", "--domain", "domain"), {"metavar": "NAME"}),
    (("-g", "--group", "group"), {"metavar": "NAME"}),
)
"""Flags that only a backend can make something of; they become options of `backend:`."""


def backend_flags(function: Any) -> Any:
    for names, settings in reversed(BACKEND_FLAGS):
        function = click.option(*names, **settings, help="Where the backend knows it.")(function)
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
        click.echo(f"warning: {warning}", err=True)
    if print_sweep:
        click.echo(text, nl=False)
        return 0
    sweep = load(Source("<command line>", text), Path.cwd())
    if not quiet:
        show_warnings(sweep)
    this = given(override(sweep))
    require_detachable(this, detach)
    folder = runs_folder() / (f"{name}" if name else f"run-{secrets.token_hex(6)}")

    def watch(state: State) -> Watch:
        outputs = LiveOutput(state) if this.plan.count == 1 else SessionOutputs(state)
        progress = None if quiet else Progress(None)
        shown = [outputs, *([Statistics()] if stats else []), *([progress] if progress else [])]
        return Watch(shown, LIVE_SECONDS, outputs.tick, progress.finish if progress else lambda _: None)

    applied = execute(this, folder, Choice(fresh=True), watch, detach)
    if applied.running:
        file = f"{this.sweep.name}.yaml"
        how = (
            f"the same command with `--print-sweep >{file}`, then `runner apply {file} --state {folder}` takes them up"
        )
        tell_running(applied, this, how)
        return exit_code(applied)
    if rm or (name is None and applied.succeeded):
        shutil.rmtree(folder, ignore_errors=True)
    elif not quiet and not applied.succeeded:
        click.echo(f"logs are kept in {folder}", err=True)
    return exit_code(applied)


def runs_folder() -> Path:
    """Where runs keep their state: outside every tree, as the XDG base directory specification has it."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home and os.path.isabs(home) else Path.home() / ".local" / "state") / "runner" / "runs"


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
