"""The capacity of an apply, and whether every session fits into it."""

from __future__ import annotations

import os

from runner.config.checks import check_fits
from runner.config.shell_checks import check_shell_names
from runner.config.sweep import Sweep
from runner.diagnostics import InvalidSweep
from runner.errors import InvalidInput
from runner.executor.capacity import Capacity
from runner.model import Amount

MAX_DEVICES = 4096
"""The largest number of GPUs in `capacity`: each device has a name and a lock."""


def capacity_of(sweep: Sweep) -> Capacity:
    """Return the capacity of an apply: that of the sweep and, on the local backend, of this machine."""
    if sweep.backend.kind != "local":
        return Capacity(sweep.capacity, sweep.max_parallel, kept_there=sweep.backend.options.get("max_parallel"))
    from runner.backends.local.gpu_locks import GpuLocks, user_folder
    from runner.backends.local.gpu_names import GpuNames, machine_gpus
    from runner.backends.local.resources import machine_resources

    machine = machine_resources(os.environ)
    limits: dict[str, Amount] = {
        "cpu": machine.cpu,
        "mem": machine.mem,
        "gpu": len(machine.gpus),
        **sweep.capacity,
    }
    if not machine.gpus and limits["gpu"] > MAX_DEVICES:
        raise InvalidInput(f"a capacity of {limits['gpu']:,} `gpu` is more than the {MAX_DEVICES:,} that are possible")
    devices = machine.gpus or tuple(str(index) for index in range(int(limits["gpu"])))
    holder = f"{sweep.folder / sweep.source.name}"
    locks = GpuLocks(user_folder(), GpuNames(machine_gpus), os.environ, holder)
    return Capacity(limits, sweep.max_parallel, devices, locks)


def require_fit(sweep: Sweep, capacity: Capacity) -> None:
    """Raise InvalidSweep if some session could never run here, or its shell string names an undefined variable."""
    where = "this machine" if sweep.backend.kind == "local" else f"backend `{sweep.backend.kind}`"
    hint = f"ask for less in `resources`, or raise `capacity` or `--capacity` if {where} has more"
    hints = {}
    if sweep.backend.kind == "local" and "gpu" not in sweep.capacity:
        hints["gpu"] = "`runner doctor` shows the GPUs that runner finds here; `--capacity gpu=N` if there are more"
    if problems := [*check_fits(sweep, capacity.fits_ever, hint, hints), *check_shell_names(sweep, os.environ)]:
        raise InvalidSweep(sweep.source, problems)
