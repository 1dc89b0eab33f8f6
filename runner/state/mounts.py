"""The file system of a folder. On a network file system locks may not work, and hosts do not share memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from runner.text.lines import lines

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "virtiofs", "davfs"),
        *("lustre", "gpfs", "beegfs", "ceph", "glusterfs", "orangefs", "pvfs2", "panfs", "wekafs", "ocfs2", "gfs2"),
        *(f"fuse.{name}" for name in ("sshfs", "ceph", "glusterfs", "juicefs", "s3fs", "quobyte", "mfs")),
    )
)

_LOCAL_LOCKS = ("nolock", "local_lock=all", "local_lock=flock", "local_lock=posix", "localflock", "nobrl")
"""Mount options under which two hosts do not see each other's locks."""


class FileSystem(NamedTuple):
    """`unlocked` explains why locks do not work between hosts, None if they should."""

    name: str
    network: bool
    unlocked: str | None


def file_system(folder: Path) -> FileSystem:
    """The file system of an existing folder. An unknown one counts as local."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return FileSystem("unknown", False, None)
    device = os.stat(folder).st_dev
    return of_device(text, f"{os.major(device)}:{os.minor(device)}")


def of_device(mounts: str, device: str) -> FileSystem:
    """The same, from the text of /proc/self/mountinfo and the device numbers `MAJOR:MINOR`."""
    for line in lines(mounts):
        words, _, rest = line.partition(" - ")
        fields = words.split(" ")
        if len(fields) < 6 or fields[2] != device:
            continue
        name, *more = rest.split(" ")
        options = {*fields[5].split(","), *(more[1].split(",") if len(more) > 1 else ())}
        network = name in _NETWORK
        option = next((option for option in _LOCAL_LOCKS if option in options), None)
        local = network and option is not None
        return FileSystem(
            name, network, f"its locks work on one host only (mount option `{option}`)" if local else None
        )
    return FileSystem("unknown", False, None)
