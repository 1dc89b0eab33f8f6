"""`runner merge`: combine the states of a sweep's shards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from runner.cli.console import say
from runner.cli.options import state_option
from runner.cli.sweeps import load_sweep
from runner.config.sweep import Sweep
from runner.errors import Damaged, EnvironmentFailed, InvalidInput
from runner.state import FOLDER, State, component, locate, open_for_writing
from runner.state.merge.files import merge
from runner.state.merge.foreign import open_foreign
from runner.units import counted

SWEEPS = (".yaml", ".yml", ".json")
MEANT = "name the `.runner` folder of another job, or the folder of this sweep in it"


@click.command("merge")
@click.argument("arguments", nargs=-1, required=True, metavar="[SWEEP.YAML] DIR…")
@state_option
def command(arguments: tuple[str, ...], state: Path | None) -> None:
    """Copy the states in these folders, written by shards of the sweep, into the sweep's own state.

    DIR is a `.runner` folder, the folder that contains it, or the state of one sweep. Logs and outputs are copied too. What
    the state already has is not copied again, and the folders are not changed. If a merge is interrupted, repeat it.
    """
    named = arguments[0].endswith(SWEEPS) and not os.path.isdir(arguments[0])
    file, folders = (arguments[0], arguments[1:]) if named else ("sweep.yaml", arguments)
    if not folders:
        raise InvalidInput("no folder to merge", "such as `runner merge sweep.yaml shard-1 shard-2`")
    sweep = load_sweep(file)
    target = locate(sweep.folder, sweep.name, state)
    with ExitStack() as stack:
        others = [stack.enter_context(_opened(sweep, Path(folder), target)) for folder in folders]
        held = stack.enter_context(open_for_writing(sweep.folder, sweep.name, state))
        for folder, other in zip(folders, others, strict=True):
            merged = merge(held, other)
            say(
                f"`{folder}`: {counted(len(merged.sessions), 'new session')}, {counted(merged.copied, 'attempt')} copied"
            )
            if left := merged.left_out:
                what = "is not a plain file" if len(left) == 1 else f"and {len(left) - 1:,} more are not plain files"
                say(f"warning: not copied from `{folder}`: `{left[0]}` {what}")


@contextmanager
def _opened(sweep: Sweep, folder: Path, target: Path) -> Iterator[State]:
    """Open a state to merge. Raises InvalidInput if the folder has none of this sweep, EnvironmentFailed if it is in use."""
    names = [folder, folder / component(sweep.name), folder / FOLDER / component(sweep.name)]
    place = next((place for place in names if (place / "journal.db").exists()), None)
    if place is None:
        raise InvalidInput(f"no state of sweep `{sweep.name}` in `{folder}`", MEANT)
    below = [path for path in (folder / FOLDER, place) if path != folder]
    if link := next((path for path in below if path.is_symlink()), None):
        raise InvalidInput(f"`{link}` is a symbolic link", f"to merge what it points to: `{os.path.realpath(link)}`")
    if target.is_dir() and os.path.samefile(place, target):
        raise InvalidInput(f"`{folder}` is the state to merge into", MEANT)
    with ExitStack() as stack:
        try:
            state = stack.enter_context(open_foreign(place.absolute()))
            last = state.journal.last_apply()
        except Damaged as error:
            hint = f"copy `{folder}` again, or merge the others without it"
            raise EnvironmentFailed(error.message, hint) from error
        if last and last.sweep != sweep.name:
            raise InvalidInput(f"`{folder}` has the state of sweep `{last.sweep}`, not of `{sweep.name}`", MEANT)
        if holder := state.holder:
            raise EnvironmentFailed(f"{holder} holds the state `{place}`", "wait until it ends, then merge again")
        yield state
