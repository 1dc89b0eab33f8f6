"""A lock for each GPU and user, so that two runners on one machine do not use the same GPU."""

from __future__ import annotations

import fcntl
import os
import stat
from urllib.parse import quote

from runner.errors import EnvironmentFailed


def user_folder() -> str:
    """The folder for the locks of this user. Never from the environment: a runner of cron and one of a desktop share it."""
    return f"/tmp/runner-{os.getuid()}"


class GpuLocks:
    """Kernel locks (flock) on a file for each GPU in `folder`. A lock ends with the process that holds it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}  # device to the descriptor that holds its lock

    def try_lock(self, device: str) -> bool:
        """True if this process holds the device now; False if another one does.

        Raises EnvironmentFailed if the folder cannot be used, or if another user could change it.
        """
        if device in self._files:
            return True
        try:
            self._prepare()
            file = os.open(
                f"{self._folder}/{quote(device, safe='')}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise EnvironmentFailed(f"no GPU lock can be created in `{self._folder}`: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._files[device] = file
        return True

    def unlock(self, device: str) -> None:
        """Release the device, if this process holds it."""
        if (file := self._files.pop(device, None)) is not None:
            os.close(file)

    def _prepare(self) -> None:
        try:
            os.mkdir(self._folder, 0o700)
        except FileExistsError:
            pass
        status = os.lstat(self._folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise EnvironmentFailed(
                f"`{self._folder}` is not a folder that only you can write to",
                "remove or rename it; runner creates it again, for you alone",
            )
