"""Entry of the supervisor process: `python -I -S …/supervisor/__main__.py FD`, with FD its end of a socketpair."""

import sys
from types import ModuleType

if __name__ == "__main__":
    # Empty packages in place of the real ones, which import site-packages and cost 100 ms.
    here = __file__.rpartition("/")[0]
    local = here.rpartition("/")[0]
    root = local.rpartition("/")[0].rpartition("/")[0]
    folders = {
        "runner": root,
        "runner.backends": "",
        "runner.backends.local": local,
        "runner.backends.local.forkserver": f"{local}/forkserver",
        "runner.backends.local.supervisor": here,
    }
    for name, folder in folders.items():
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = [folder]

    from runner.backends.local.supervisor.supervisor import main

    main(int(sys.argv[1]))
