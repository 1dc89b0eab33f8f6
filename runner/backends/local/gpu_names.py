"""Which GPU a name in CUDA_VISIBLE_DEVICES means: an index, a UUID or the beginning of one, also of a MIG device.

Indices are those of the PCI bus, as nvidia-smi counts. CUDA counts so where all GPUs are of one model, and with
`CUDA_DEVICE_ORDER=PCI_BUS_ID`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from runner.backends.local.procfs import read

_PROC = "/proc/driver/nvidia/gpus"

_FOLDERS = ("/usr/bin", "/usr/local/nvidia/bin", "/usr/lib/wsl/lib")

_LISTED = re.compile(rb"(?P<mig>\s+)?.*\(UUID: (?P<uuid>(?:GPU|MIG)-[^)]+)\)")
_LEGACY_MIG = re.compile(r"MIG-(GPU-[^/]+)/")
"""Before driver 470: `MIG-GPU-UUID/GI/CI`."""


@dataclass(frozen=True)
class Gpu:
    """uuid: of the whole card. migs: of the parts that it is divided into."""

    uuid: str
    migs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """What a name means.

    gpu: the UUID of the card; where that is not known, the name itself.
    index: of the card, None if it is not known.
    part: the UUID of the MIG device, None for the whole card.
    """

    gpu: str
    index: int | None = None
    part: str | None = None


class GpuNames:
    """Resolves names.

    gpus: lists the GPUs of this machine in the order of their indices; called when it is needed, with True if MIG devices are,
        too.
    """

    def __init__(self, gpus: Callable[[bool], Sequence[Gpu]]) -> None:
        self._gpus = gpus

    def unit(self, name: str) -> Unit:
        """The unit that `name` means. A name that fits none, or more than one, is its own."""
        gpus = self._gpus(name.startswith("MIG-"))
        if name.isdecimal():
            index = int(name)
            return Unit(gpus[index].uuid if index < len(gpus) else str(index), index)
        if legacy := _LEGACY_MIG.match(name):
            card = self.unit(legacy[1])
            return Unit(card.gpu, card.index, name)
        units = [Unit(gpu.uuid, index) for index, gpu in enumerate(gpus)]
        units += [Unit(gpu.uuid, index, part) for index, gpu in enumerate(gpus) for part in gpu.migs]
        found = [unit for unit in units if (unit.part or unit.gpu).lower().startswith(name.lower())]
        return found[0] if len(found) == 1 else Unit(name)

    def distinct(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names up to the first one that means what another one before it means: there CUDA's list ends, too."""
        if all(name.isdecimal() and name == str(int(name)) for name in names):
            return tuple(names)  # the usual case needs no list of GPUs
        units = [self.unit(name) for name in names]
        for place, unit in enumerate(units):
            if any(overlap(unit, other) for other in units[:place]):
                return tuple(names[:place])
        return tuple(names)


def overlap(one: Unit, other: Unit) -> bool:
    """Whether both have memory and processors in common."""
    return one.gpu == other.gpu and (one.part is None or other.part is None or one.part == other.part)


@cache
def machine_gpus(migs: bool) -> tuple[Gpu, ...]:
    """The GPUs of this machine; with their MIG devices, of which the driver's own files do not tell, only on request.

    nvidia-smi is also looked for where it usually is: a runner of cron has a short PATH, and has to use the same locks.
    """
    if not migs and (gpus := _of_driver()):
        return gpus
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
    try:
        program = shutil.which("nvidia-smi", path=path) or "nvidia-smi"
        listing = subprocess.run([program, "-L"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return _of_driver()
    return parse(listing.stdout)


def parse(listing: bytes) -> tuple[Gpu, ...]:
    """The GPUs in the output of `nvidia-smi -L`."""
    gpus: list[Gpu] = []
    for line in listing.splitlines():
        found = _LISTED.match(line)
        if found is None:
            continue
        uuid = found["uuid"].decode(errors="replace")
        if found["mig"] and gpus:
            gpus[-1] = Gpu(gpus[-1].uuid, (*gpus[-1].migs, uuid))
        else:
            gpus.append(Gpu(uuid))
    return tuple(gpus)


def _of_driver() -> tuple[Gpu, ...]:
    try:
        folders = sorted(os.listdir(_PROC))
    except OSError:
        return ()
    uuids = [
        re.search(rb"GPU UUID:\s*(GPU-[0-9a-f-]+)", read(f"{_PROC}/{folder}/information") or b"") for folder in folders
    ]
    return tuple(Gpu(uuid[1].decode()) for uuid in uuids if uuid) if all(uuids) else ()
