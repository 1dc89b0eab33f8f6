"""The spawner's entry: `python -I -S …/local/__main__.py FD`, where FD is its end of a socketpair."""

import sys
from types import ModuleType

if __name__ == "__main__":
    # The real packages import what needs site-packages, and 100 ms; the spawner needs this folder alone.
    for name in ("runner", "runner.backends", "runner.backends.local"):
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = [__file__.rpartition("/")[0]]

    from runner.backends.local.supervisor.supervisor import main

    main(int(sys.argv[1]))
