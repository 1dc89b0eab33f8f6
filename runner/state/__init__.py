"""The state of a sweep: a folder, its lock and its journal."""

from runner.state.attempt_files import AttemptPaths, Kept
from runner.state.open import FOLDER, component, locate, open_at, open_for_reading, open_for_writing
from runner.state.state import Log, State

__all__ = [
    "FOLDER",
    "AttemptPaths",
    "Kept",
    "Log",
    "State",
    "component",
    "locate",
    "open_at",
    "open_for_reading",
    "open_for_writing",
]
