"""How much of each resource may be in use at once: a semaphore over all of them, with exact amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.model import Amount, Resources
from runner.units import format_memory


class DeviceLocks(Protocol):
    """Keeps two runners on one machine off the same device. A lock ends with the process that holds it."""

    def try_lock(self, device: str) -> bool:
        """Whether the device is ours now; False while another process has it."""
        ...

    def unlock(self, device: str) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """What one session has taken. `share` is its part of each of `devices`: 1, or a fraction of one."""

    amounts: Resources
    devices: tuple[str, ...] = ()
    share: Amount = 0


class Capacity:
    """A resource that `limits` does not name is unlimited. `gpu` is handed out from `devices`, by name; where
    there are none, it is counted like everything else.

    `kept_there` is a `max_parallel` that the backend keeps itself: nothing waits for it here.
    `contended` are the devices that another process held when last asked for: worth another try in a second.
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
        """Of each limited resource, how much is taken."""
        return self._in_use

    @property
    def full(self) -> bool:
        """Whether an ordinary session finds no room; one that needs no cpu at all still might."""
        if self.max_parallel is not None:
            return self._leases >= self.max_parallel
        return "cpu" in self.limits and self._in_use["cpu"] >= self.limits["cpu"]

    @property
    def shares(self) -> dict[str, float]:
        """Of each limit, `max_parallel` included, the share that is taken."""
        shares = {name: float(taken / limit) for name, taken in self._in_use.items() if (limit := self.limits[name])}
        if self.max_parallel is not None:
            shares["max_parallel"] = self._leases / self.max_parallel
        return shares

    def lacking(self, resources: Resources) -> str | None:
        """The first limit that keeps this from being taken now; None if there is room."""
        if self.max_parallel is not None and self._leases >= self.max_parallel:
            return "max_parallel"
        for name, amount in self._demand(resources).items():
            if self._in_use[name] + amount > self.limits[name]:
                return name
        gpu = resources.get("gpu", 0) if self._shares else 0
        return "gpu" if gpu and sum(share + min(gpu, 1) <= 1 for share in self._shares.values()) < gpu else None

    def fits_ever(self, resources: Resources) -> str | None:
        """None, or the reason why not even an empty machine has room."""
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
        """A lease on all of it, or None while there is no room."""
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
        """Count what runs already, be there room or not; nothing else gets in until there is again."""
        return self._count(Lease(self._demand(resources)))

    def release(self, lease: Lease) -> None:
        """Give a lease back, once."""
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
        """The limited part of what a session needs. Without a named cpu: one, or all there is of less."""
        limits = self.limits
        demand = {name: amount for name, amount in resources.items() if name in limits}
        if self.max_parallel is None and "cpu" in limits and "cpu" not in demand:
            demand["cpu"] = min(1, limits["cpu"])
        return demand

    def _choose(self, gpu: Amount) -> list[str] | None:
        """That many devices, or the one to share: the fullest with room, so that whole ones stay whole."""
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
