"""Which kind of file system a folder is on. On a network's, locks may not hold, and memory is not shared between hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "virtiofs", "davfs"),
        *("lustre", "gpfs", "beegfs", "ceph", "glusterfs", "orangefs", "pvfs2", "panfs", "wekafs", "ocfs2", "gfs2"),
        *(f"fuse.{name}" for name in ("sshfs", "ceph", "glusterfs", "juicefs", "s3fs", "quobyte", "mfs")),
    )
)

_LOCAL_LOCKS = {
    "nolock": "locks are switched off (`nolock`)",
    "local_lock=all": "locks hold on one host only (`local_lock=all`)",
    "local_lock=flock": "locks hold on one host only (`local_lock=flock`)",
    "local_lock=posix": "locks hold on one host only (`local_lock=posix`)",
    "localflock": "locks hold on one host only (`localflock`)",
    "nobrl": "locks hold on one host only (`nobrl`)",
}
"""Options of a mount under which two hosts do not see each other's locks."""


class FileSystem(NamedTuple):
    """`unlocked` says why locks do not hold between hosts, None where they should."""

    name: str
    network: bool
    unlocked: str | None


def file_system(folder: Path) -> FileSystem:
    """Of an existing folder. Where the kernel does not tell, it counts as a local one."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return FileSystem("unknown", False, None)
    device = os.stat(folder).st_dev
    return of_device(text, f"{os.major(device)}:{os.minor(device)}")


def of_device(mounts: str, device: str) -> FileSystem:
    """The same, from the text of `mountinfo` and the device's numbers, `MAJOR:MINOR`."""
    for line in mounts.splitlines():
        words, _, rest = line.partition(" - ")
        fields = words.split()
        if len(fields) < 6 or fields[2] != device:
            continue
        name, *more = rest.split()
        options = {*fields[5].split(","), *(more[1].split(",") if len(more) > 1 else ())}
        network = name in _NETWORK
        why = next((why for option, why in _LOCAL_LOCKS.items() if option in options), None)
        return FileSystem(name, network, why if network else None)
    return FileSystem("unknown", False, None)
