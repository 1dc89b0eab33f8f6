"""How much of each resource may be in use at once: a semaphore over all of them, with exact amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.model import Amount, Resources
from runner.units import format_memory


class DeviceLocks(Protocol):
    """Keeps runners on one machine from using the same device. A lock ends with the process that holds it."""

    def try_lock(self, device: str) -> bool:
        """Lock a device. False while another process holds it."""
        ...

    def unlock(self, device: str) -> None:
        """Give the device back."""
        ...

    def holder(self, device: str) -> str:
        """Who held the device when it could not be locked, for people; empty if that is unknown."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """A part of the capacity, held by one job. `share`: how much of each of `devices`, 1 or a fraction of one."""

    amounts: Resources
    devices: tuple[str, ...] = ()
    share: Amount = 0


class Capacity:
    """A semaphore over several resources. A resource that `limits` does not name is unlimited.

    devices: names of GPUs. `gpu` is leased from them by name; without them it is a count like all others.
    kept_there: a `max_parallel` that the backend enforces itself. Nothing waits for it here.
    contended: devices that another process held when they were last asked for.
    """

    def __init__(
        self,
        limits: Resources,
        max_parallel: int | None = None,
        devices: Sequence[str] = (),
        locks: DeviceLocks | None = None,
        kept_there: int | None = None,
    ) -> None:
        self.limits: dict[str, Amount] = dict(limits)
        if devices:
            self.limits["gpu"] = min(self.limits.get("gpu", len(devices)), len(devices))
        self.max_parallel = max_parallel
        self.kept_there = kept_there
        self.contended: set[str] = set()
        self._in_use: dict[str, Amount] = dict.fromkeys(self.limits, 0)
        self._shares: dict[str, Amount] = dict.fromkeys(devices, 0)
        self._locks = locks
        self._leases = 0

    @property
    def in_use(self) -> Resources:
        """How much of each limited resource is leased."""
        return self._in_use

    @property
    def full(self) -> bool:
        """Whether a session that needs one cpu cannot start. One that needs none still might."""
        if self.max_parallel is not None:
            return self._leases >= self.max_parallel
        return "cpu" in self.limits and self._in_use["cpu"] >= self.limits["cpu"]

    @property
    def shares(self) -> dict[str, float]:
        """The leased share of each limit, `max_parallel` included, from 0 to 1."""
        shares = {name: float(taken / limit) for name, taken in self._in_use.items() if (limit := self.limits[name])}
        if self.max_parallel is not None:
            shares["max_parallel"] = self._leases / self.max_parallel
        return shares

    def lacking(self, resources: Resources) -> str | None:
        """The first limit for which this does not fit now; None if it fits."""
        if self.max_parallel is not None and self._leases >= self.max_parallel:
            return "max_parallel"
        for name, amount in self._demand(resources).items():
            if self._in_use[name] + amount > self.limits[name]:
                return name
        gpu = resources.get("gpu", 0) if self._shares else 0
        fitting = [name for name, share in self._shares.items() if share + min(gpu, 1) <= 1]
        return "gpu" if gpu and sum(name not in self.contended for name in fitting) < gpu else None

    @property
    def contention(self) -> str | None:
        """Which device another process held when it was last asked for, and which process; None if there was none."""
        for device in self._shares:
            if device in self.contended:
                holder = self._locks.holder(device) if self._locks else ""
                return f"gpu {device} is in use by {holder or 'another runner'}"
        return None

    def fits_ever(self, resources: Resources) -> str | None:
        """Why it does not even fit into unused capacity; None if it does."""
        for name, amount in self._demand(resources).items():
            limit = self.limits[name]
            if amount > limit:
                verb = "is" if limit == 1 or name == "mem" else "are"
                return f"needs {_text(name, amount)} {name}, there {verb} {_text(name, limit)}"
        gpu = resources.get("gpu", 0)
        if self._shares and gpu > 1 and gpu % 1:
            return f"needs {_text('gpu', gpu)} gpu, which is neither whole nor a part of one device"
        return None

    def take(self, resources: Resources) -> Lease | None:
        """A lease on all of it; None while it does not fit."""
        if self.max_parallel is not None and self._leases >= self.max_parallel:
            return None
        demand = self._demand(resources)
        for name, amount in demand.items():
            if self._in_use[name] + amount > self.limits[name]:
                return None
        gpu = resources.get("gpu", 0) if self._shares else 0
        devices = self._choose(gpu) if gpu else []
        if devices is None:
            return None
        share = min(gpu, 1)
        for device in devices:
            self._shares[device] += share
        return self._count(Lease(demand, tuple(devices), share))

    def overdraw(self, resources: Resources) -> Lease:
        """A lease for a job that runs already, even beyond the limits. Nothing more fits until they hold again."""
        return self._count(Lease(self._demand(resources)))

    def release(self, lease: Lease) -> None:
        """Give a lease back. Call it once a lease."""
        self._leases -= 1
        for name, amount in lease.amounts.items():
            self._in_use[name] -= amount
        for device in lease.devices:
            self._shares[device] -= lease.share
            if not self._shares[device]:
                self._unlock(device)

    def _count(self, lease: Lease) -> Lease:
        for name, amount in lease.amounts.items():
            self._in_use[name] += amount
        self._leases += 1
        return lease

    def _demand(self, resources: Resources) -> dict[str, Amount]:
        """The limited resources that a session needs. If it names no cpu: one, or the whole limit if that is less."""
        limits = self.limits
        demand = {name: amount for name, amount in resources.items() if name in limits}
        if self.max_parallel is None and "cpu" in limits and "cpu" not in demand:
            demand["cpu"] = min(1, limits["cpu"])
        return demand

    def _choose(self, gpu: Amount) -> list[str] | None:
        """Devices for this amount; None if there are too few. A fraction shares the fullest device that it fits on."""
        if gpu < 1:
            fitting = [device for device, share in self._shares.items() if share and share + gpu <= 1]
            if fitting:
                return [max(fitting, key=self._shares.__getitem__)]
        taken: list[str] = []
        if gpu < 1 or gpu % 1 == 0:
            for device, share in self._shares.items():
                if not share and self._lock(device):
                    taken.append(device)
                    if len(taken) >= gpu:
                        return taken
        for device in taken:
            self._unlock(device)
        return None

    def _lock(self, device: str) -> bool:
        if self._locks and not self._locks.try_lock(device):
            self.contended.add(device)
            return False
        self.contended.discard(device)
        return True

    def _unlock(self, device: str) -> None:
        if self._locks:
            self._locks.unlock(device)


def _text(name: str, amount: Amount) -> str:
    if name == "mem":
        return format_memory(int(amount))
    return str(amount) if amount % 1 == 0 else f"{float(amount):g}"
