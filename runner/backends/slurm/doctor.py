"""What `runner doctor --backend slurm` looks at: commands, controller, limits, accounting, the shared folder. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.backends.base import Finding
from runner.backends.slurm.cli import Refused, Unreachable, call
from runner.backends.slurm.options import surroundings
from runner.errors import EnvironmentFailed
from runner.state.mounts import file_system

_COLD = "each session starts its interpreter anew; `pack` at least spares the scheduler"


async def examine(options: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> list[Finding]:
    """One finding after the other, as far as it makes sense to go on. `folder` is where the state is or will be."""
    clean = surroundings(environ)
    found = [await _say(clean, "slurm", "sbatch", "--version", hint=None)]
    if not found[0].failed:
        found.append(await _controller(clean))
    if not found[-1].failed:
        found += await _limits(clean)
        found.append(await _partitions(clean, options.get("partition")))
        found.append(await _accounting(clean))
    found += [_folder(folder), Finding("warm python", "no", _COLD)]
    return found


async def _say(environ: Mapping[str, str], fact: str, *command: str, hint: str | None) -> Finding:
    try:
        return Finding(fact, (await call(environ, *command, seconds=30)).strip(), None)
    except EnvironmentFailed as error:
        return Finding(fact, error.message, error.hint, failed=True)
    except (Refused, Unreachable) as error:
        return Finding(fact, error.words, hint, failed=True)


async def _controller(environ: Mapping[str, str]) -> Finding:
    hint = "is it up, and SLURM_CONF right?"
    said = await _say(environ, "controller", "scontrol", "ping", hint=hint)
    up = " is UP" in said.value
    return said if said.failed or up else Finding("controller", said.value, hint, failed=True)


async def _limits(environ: Mapping[str, str]) -> list[Finding]:
    said = await _say(environ, "limits", "scontrol", "show", "config", hint=None)
    if said.failed:
        return [said]
    pairs = (line.partition("=") for line in said.value.splitlines())
    values = {name.strip(): value.strip() for name, _, value in pairs}
    wanted = ("MaxArraySize", "MaxJobCount", "MinJobAge")
    return [Finding("limits", ", ".join(f"{name} {values.get(name, 'unknown')}" for name in wanted), None)]


async def _partitions(environ: Mapping[str, str], wanted: str | None) -> Finding:
    said = await _say(environ, "partitions", "sinfo", "-h", "-o", "%P %a %D", hint=None)
    if said.failed:
        return said
    rows = [line.split() for line in said.value.splitlines()]
    text = ", ".join(f"{name} ({state}, {nodes} nodes)" for name, state, nodes in rows)
    if wanted is not None and wanted not in {name.rstrip("*") for name, _, _ in rows}:
        return Finding("partitions", text, f"there is no partition `{wanted}`", failed=True)
    return Finding("partitions", text, None)


async def _accounting(environ: Mapping[str, str]) -> Finding:
    said = await _say(environ, "accounting", "sacct", "-X", "-n", "-S", "now", "-o", "JobID", hint=None)
    if said.failed:
        return Finding("accounting", said.value, "a job whose record is missing will count as lost")
    return Finding("accounting", "answers", None)


def _folder(folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    kind = file_system(there)
    where = f"`{folder}` on {kind.name}"
    if kind.unlocked:
        return Finding("state", f"{where}: {kind.unlocked}", "mount it with locks, or use `--state DIR`", failed=True)
    if kind.network:
        return Finding("state", f"{where}, a network file system", None)
    return Finding(
        "state", where, "the nodes have to see this folder, too: put the state where they do with `--state DIR`"
    )
