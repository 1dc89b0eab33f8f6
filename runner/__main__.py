"""`python -m runner` and the `runner` script."""

from __future__ import annotations

import sys


def main() -> None:
    if not sys.platform.startswith(("linux", "darwin")):
        sys.stderr.write(f"error: runner runs on Linux and macOS, not on `{sys.platform}`\n")
        raise SystemExit(2)
    from runner.cli.boundary import run

    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
