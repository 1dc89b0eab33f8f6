"""Jobs are processes on this machine."""

from runner.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
