"""State on file systems that several hosts share: which are detected, and the journal mode on them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from runner.state import database, lock
from runner.state.mounts import of_device

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:45 / /home rw,relatime - nfs4 server:/home rw,vers=4.2,local_lock=none
31 22 0:46 / /old rw,relatime - nfs server:/old rw,vers=3,nolock,proto=tcp
32 22 0:47 / /scratch rw,noatime - lustre mds@tcp:/scratch rw,flock
33 22 0:48 / /fast rw,noatime - lustre mds@tcp:/fast rw,localflock
34 22 0:49 / /ssh rw,relatime - fuse.sshfs me@there:/ rw,user_id=0
36 22 0:51 / /a\u2028b\u00a0c rw,relatime - nfs4 server:/a rw,vers=4.2
35 22 0:50 / /odd rw,relatime - ext4 /dev/vdb rw,nolock
"""


@pytest.mark.parametrize(
    ("device", "name", "network", "locks"),
    [
        ("254:0", "ext4", False, True),
        ("0:45", "nfs4", True, True),
        ("0:46", "nfs", True, False),
        ("0:47", "lustre", True, True),
        ("0:48", "lustre", True, False),
        ("0:49", "fuse.sshfs", True, True),
        ("0:50", "ext4", False, True),
        ("0:51", "nfs4", True, True),
        ("9:9", "unknown", False, True),
    ],
)
def test_kinds(device: str, name: str, network: bool, locks: bool) -> None:
    found = of_device(MOUNTS, device)
    assert (found.name, found.network, found.unlocked is None) == (name, network, locks)


def mode(connection: sqlite3.Connection) -> tuple[str, int]:
    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    return journal, connection.execute("PRAGMA synchronous").fetchone()[0]


def test_no_shared_memory_on_a_network(tmp_path: Path) -> None:
    """There the journal has no WAL and no side file that hosts would have to share, and others read beside its writer."""
    path = tmp_path / "journal.db"
    writer = database.for_writing(path, network=True)
    assert mode(writer) == ("truncate", 2)
    reader = database.for_reading(path)
    assert reader is not None
    for sweep in ("a", "b"):
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE meta SET home = ?", (sweep,))
        writer.execute("COMMIT")
        assert reader.execute("SELECT home FROM meta").fetchone() == (sweep,)
    assert not list(tmp_path.glob("*-wal")) + list(tmp_path.glob("*-shm"))
    reader.close()
    writer.close()


def test_a_journal_that_moves_between_file_systems(tmp_path: Path) -> None:
    """What a killed writer had in its WAL is taken in; and back on a local disk it has a WAL again."""
    path = tmp_path / "journal.db"
    killed = database.for_writing(path)
    assert mode(killed) == ("wal", 1)
    killed.execute("UPDATE meta SET home = 'kept'")
    copy = tmp_path / "network" / "journal.db"
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        (tmp_path / f"network/journal.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    killed.close()
    there = database.for_writing(copy, network=True)
    assert mode(there) == ("truncate", 2)
    assert there.execute("SELECT home FROM meta").fetchone() == ("kept",)
    there.close()
    assert not Path(f"{copy}-wal").exists()
    back = database.for_writing(copy)
    assert mode(back) == ("wal", 1)
    assert back.execute("SELECT home FROM meta").fetchone() == ("kept",)
    back.close()


def test_a_lock_that_is_proven(tmp_path: Path) -> None:
    """The proof itself leaves the lock as it was."""
    with lock.hold(tmp_path, prove=True):
        found = lock.holder(tmp_path)
        assert found is not None
        assert found.since is not None
        assert found.since <= time.time()
    assert lock.holder(tmp_path) is None
