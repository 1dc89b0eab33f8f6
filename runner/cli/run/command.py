"""`runner run`: one command over ranges, with the flags of `backend.ai run`. Its state is outside of the working tree."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from runner.apply.apply import Applied
from runner.apply.selection import Choice
from runner.cli.apply import execute, exit_code, report_running, require_detachable
from runner.cli.console import error_text, say
from runner.cli.display import Display
from runner.cli.log_paths import log_locator
from runner.cli.outlets import Outlets, outlets
from runner.cli.run import recovery
from runner.cli.run.backend_flags import BACKEND_OPTIONS, backend_flags, unsupported_flags
from runner.cli.run.flags import Flags, to_document, to_yaml
from runner.cli.sweeps import PlannedSweep, override, plan_sweep, show_warnings
from runner.config.load import load
from runner.diagnostics import Source
from runner.errors import EnvironmentFailed, InvalidInput
from runner.reporters.progress.progress import Progress
from runner.reporters.streams import LiveOutput, SessionOutputs, Statistics
from runner.state import State

LIVE_SECONDS = 0.05
"""Seconds between two reads of what a single session has written."""


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
@unsupported_flags
def command(arguments: tuple[str, ...], name: str | None, quiet: bool, print_sweep: bool, **options: Any) -> int:
    """Run one command for every combination of values, as many at once as the capacity allows.

    The first argument is an image unless it is an existing file; the others are files. Every session runs every time.

    \b
    runner run -c 'import os; print("Hello world, {}".format(os.environ["CASENO"]))' \\
        -r cpu=1 -r mem=256m -e 'CASENO=$X' --env-range=X=case:1,2,3,4
    """
    document, warnings = to_document(_flags(arguments, name, options))
    text = to_yaml(document)
    for warning in () if quiet else warnings:
        say(f"warning: {warning}")
    if print_sweep:
        click.echo(text, nl=False)
        return 0
    sweep = load(Source("<command line>", text), Path.cwd())
    if not quiet:
        show_warnings(sweep)
    planned = plan_sweep(override(sweep))
    require_detachable(planned, options["detach"])
    run = Run(planned, text, _create(runs_folder()) / (name or f"run-{secrets.token_hex(6)}"), quiet, options["stats"])
    if not quiet:
        recovery.warn(runs_folder(), run.folder)
    with outlets() as opened:
        applied = execute(planned, run.folder, Choice(fresh=True), opened, run.display, options["detach"])
        run.close(applied, opened, keep=name is not None, remove=options["rm"])
    return exit_code(applied)


@dataclass(frozen=True)
class Run:
    """One call of `runner run`."""

    planned: PlannedSweep
    text: str
    """The sweep file that is equivalent to the flags."""
    folder: Path
    """The folder of its state."""
    quiet: bool
    stats: bool

    def display(self, state: State, outlets: Outlets) -> Display:
        """Return the display. The jobs of a remote backend outlive runner: the run is recorded before the first one starts."""
        if self.planned.sweep.backend.kind != "local":
            recovery.save(self.folder, self.text, os.getcwd())
        out, err = outlets.out, outlets.err
        outputs = LiveOutput(state, out, err) if self.planned.plan.count == 1 else SessionOutputs(state, out, err)
        logs = replace(log_locator(self.planned, state, ""), command=None)
        progress = None if self.quiet else Progress(err, logs, live=False)
        shown = [outputs, *([Statistics(err)] if self.stats else []), *([progress] if progress else [])]

        def finish(applied: Applied) -> None:
            outlets.drain()  # the summary comes after what the sessions printed
            if progress:
                progress.finish(applied.ended)

        def tick() -> None:
            outputs.tick()
            if progress:
                progress.tick()

        return Display(shown, LIVE_SECONDS, tick, finish)

    def close(self, applied: Applied, outlets: Outlets, *, keep: bool, remove: bool) -> None:
        """Name the jobs that still run, or remove the folder, or say where the logs are."""
        if applied.running:
            outlets.drain()
            for kind in applied.running:
                other = kind if kind != self.planned.sweep.backend.kind else None
                resume, cancel = recovery.commands(self.folder, os.getcwd(), other)
                report_running(applied, kind, f"`{resume}`", f"`{cancel}`")
            recovery.mark_reported(self.folder)
            return
        recovery.remove(self.folder)
        printed = outlets.out.lost is None or outlets.out.lost.errno == errno.EPIPE
        complete = applied.succeeded and printed
        if remove or (complete and not keep):
            shutil.rmtree(self.folder, ignore_errors=True)
        elif not (self.quiet or complete):
            outlets.err.write(f"logs are kept in {self.folder}\n")


def _flags(arguments: tuple[str, ...], name: str | None, options: Mapping[str, Any]) -> Flags:
    image, files = _image_and_files(arguments)
    if image and not options["backend"] and "BACKEND_ACCESS_KEY" not in os.environ and shutil.which(image):
        hint = f"to run a command on this machine: `runner run --exec {shlex.quote(shlex.join(arguments))}`"
        if options["code"] is not None:
            hint = f"to run Python on this machine: `runner run -c {shlex.quote(options['code'])}`"
        message = f"`{image}` is taken for a Backend.AI image, and `BACKEND_ACCESS_KEY` is not set"
        raise InvalidInput(message, hint)
    code, command, backend = options["code"], options["exec_"], options["backend"]
    if code is not None and command is not None:
        raise InvalidInput("`--code` and `--exec` cannot be combined", "leave one of them out")
    return Flags(
        code=code,
        exec=command,
        argv=_program(arguments, files) if code is None and command is None else None,
        build=options["build"],
        files=files,
        workdir=options["basedir"],
        env=options["env"],
        resources=options["resources"],
        env_range=options["env_range"],
        build_range=options["build_range"],
        exec_range=options["exec_range"],
        max_parallel=options["max_parallel"],
        name=name or "run",
        image=image,
        backend=backend or ("backend.ai" if image else None),
        backend_options={key: _plain(options[key]) for key in BACKEND_OPTIONS if options[key]},
    )


def runs_folder() -> Path:
    """Return the folder for the states of runs, by the XDG base directory specification."""
    home = os.environ.get("XDG_STATE_HOME")
    if home and os.path.isabs(home):
        return Path(home, "runner", "runs")
    return Path(os.path.expanduser("~"), ".local", "state", "runner", "runs")


def _create(folder: Path) -> Path:
    """Create a folder that only this user can read."""
    hint = "set `XDG_STATE_HOME` to a folder that you can write to: runs keep their state there"
    if not folder.is_absolute():
        raise EnvironmentFailed("`HOME` is not set: the folder for runs is unknown", hint)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFailed(f"cannot create `{folder}`: {error_text(error)}", hint) from error
    return folder


def _image_and_files(arguments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    if arguments and not os.path.exists(arguments[0]):
        return arguments[0], arguments[1:]
    return None, arguments


def _program(arguments: tuple[str, ...], files: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command without `--code` and `--exec`: the one Python file among the files."""
    programs = [file for file in files if file.endswith(".py")]
    if len(programs) != 1:
        hint = "give `-c CODE`, `--exec CMD`, or one Python file"
        if arguments and not files:  # the first one was taken for an image
            hint = f"to run a command on this machine: `runner run --exec {shlex.quote(' '.join(arguments))}`"
        raise InvalidInput("there is nothing to run", hint)
    return ("python3", programs[0].replace("$", "$$"))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
