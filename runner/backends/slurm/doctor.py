"""`runner doctor` for Slurm: commands, controller, limits, accounting, the shared folder. Starts no job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.backends.base import Finding
from runner.backends.slurm.cli import CommandRefused, Unreachable, call
from runner.backends.slurm.options import job_environment
from runner.errors import EnvironmentFailed
from runner.state.mounts import file_system
from runner.text.lines import lines

_NO_PRELOAD = "each session starts its own interpreter; `pack` saves at least the start of a job for each"


async def examine(options: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> list[Finding]:
    """The findings in order, up to the first that makes the next ones pointless. `folder` is where the state is or will be."""
    environ = job_environment(environ)
    found = [await _ask(environ, "slurm", "sbatch", "--version")]
    if not found[0].failed:
        found.append(await _controller(environ))
    if not found[-1].failed:
        found += [await _limits(environ), await _partitions(environ, options.get("partition"))]
        found.append(await _accounting(environ))
    found += [_folder(folder), Finding("warm python", "no", _NO_PRELOAD)]
    return found


async def _ask(environ: Mapping[str, str], fact: str, *command: str, hint: str | None = None) -> Finding:
    try:
        return Finding(fact, (await call(environ, *command, seconds=30)).strip(), None)
    except EnvironmentFailed as error:
        return Finding(fact, error.message, error.hint, failed=True)
    except (CommandRefused, Unreachable) as error:
        return Finding(fact, error.words, hint, failed=True)


async def _controller(environ: Mapping[str, str]) -> Finding:
    hint = "check SLURM_CONF, and whether slurmctld runs: `scontrol ping`"
    found = await _ask(environ, "controller", "scontrol", "ping", hint=hint)
    up = " is UP" in found.value
    return found if found.failed or up else Finding("controller", found.value, hint, failed=True)


async def _limits(environ: Mapping[str, str]) -> Finding:
    found = await _ask(environ, "limits", "scontrol", "show", "config")
    if found.failed:
        return found
    pairs = (line.partition("=") for line in lines(found.value))
    values = {name.strip(): value.strip() for name, _, value in pairs}
    wanted = ("MaxArraySize", "MaxJobCount", "MinJobAge")
    return Finding("limits", ", ".join(f"{name} {values.get(name, 'unknown')}" for name in wanted), None)


async def _partitions(environ: Mapping[str, str], wanted: str | None) -> Finding:
    found = await _ask(environ, "partitions", "sinfo", "-h", "-o", "%P %a %D")
    if found.failed:
        return found
    rows = [line.split() for line in lines(found.value)]
    text = ", ".join(f"{name} ({state}, {nodes} nodes)" for name, state, nodes in rows)
    if wanted is not None and wanted not in {name.rstrip("*") for name, _, _ in rows}:
        return Finding("partitions", text, f"the cluster has no partition `{wanted}`", failed=True)
    return Finding("partitions", text, None)


async def _accounting(environ: Mapping[str, str]) -> Finding:
    found = await _ask(environ, "accounting", "sacct", "-X", "-n", "-S", "now", "-o", "JobID")
    if found.failed:
        return Finding("accounting", found.value, "without it, a job that leaves no record counts as lost")
    return Finding("accounting", "answers", None)


def _folder(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    kind = file_system(existing)
    where = f"`{folder}` on {kind.name}"
    if kind.unlocked:
        return Finding("state", f"{where}: {kind.unlocked}", "mount it with locks, or use `--state DIR`", failed=True)
    if kind.network:
        return Finding("state", f"{where}, a network file system", None)
    return Finding("state", where, "the nodes need to see this folder: use `--state DIR` for one that they share")
