"""The executor decides policy: what runs when, retries, timeouts, when to stop. No backend does."""

from runner.executor.executor import Executor
from runner.executor.types import Builds, Running, Snapshot, Todo

__all__ = ["Builds", "Executor", "Running", "Snapshot", "Todo"]
