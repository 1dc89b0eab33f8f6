"""`runner run`: one command over ranges, with the flags of `backend.ai run`."""

from runner.cli.run.command import command

__all__ = ["command"]
