"""The executor decides policy: what runs when, retries, timeouts, when to stop. No backend does."""

from runner.executor.executor import Executor
from runner.executor.types import Builds, PlannedAttempt, Running, Snapshot

__all__ = ["Builds", "Executor", "PlannedAttempt", "Running", "Snapshot"]
