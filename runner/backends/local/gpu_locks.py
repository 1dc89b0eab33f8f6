"""One lock for each device and user, so that two runners on one machine do not share a GPU unawares."""

from __future__ import annotations

import fcntl
import os
import stat
from urllib.parse import quote

from runner.errors import EnvironmentFailed


class DeviceLocks:
    """Kernel locks (flock) on a file for each device, in the user's own folder; they die with their holder.

    The folder is never taken from the environment: a runner from cron and one from a desktop have to meet in it.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or f"/tmp/runner-{os.getuid()}"
        self._held: dict[str, int] = {}

    def try_lock(self, device: str) -> bool:
        """Whether the device is ours now (or was already); False while another process has it.

        Raises EnvironmentFailed where the locks cannot be kept, or another user could meddle with them.
        """
        if device in self._held:
            return True
        try:
            self._prepare()
            file = os.open(
                f"{self._folder}/{quote(device, safe='')}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise EnvironmentFailed(f"`{self._folder}` cannot hold the locks of devices: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._held[device] = file
        return True

    def unlock(self, device: str) -> None:
        """Give it up; one that is not held is no error."""
        if (file := self._held.pop(device, None)) is not None:
            os.close(file)

    def _prepare(self) -> None:
        try:
            os.mkdir(self._folder, 0o700)
        except FileExistsError:
            pass
        status = os.lstat(self._folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise EnvironmentFailed(
                f"`{self._folder}` is open to other users",
                "remove it; runner makes it anew, for you alone",
            )
