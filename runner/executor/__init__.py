"""The executor decides policy: what runs when, retries, timeouts, when to stop. No backend does."""

from runner.executor.interface import Builds, Running, Snapshot, Todo
from runner.executor.loop import Executor

__all__ = ["Builds", "Executor", "Running", "Snapshot", "Todo"]
