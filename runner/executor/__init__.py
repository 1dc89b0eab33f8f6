"""The executor decides policy: what runs when, retries, timeouts, when to stop. No backend does."""

from runner.executor.types import Builds, Running, Snapshot, Todo
from runner.executor.executor import Executor

__all__ = ["Builds", "Executor", "Running", "Snapshot", "Todo"]
