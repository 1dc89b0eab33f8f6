"""Runs the task of a pack on its node: `python -I -S …/pack/__main__.py FOLDER SIZE TASK`.

Exit codes: 0; 1 if this interpreter cannot run it, before anything was started; 70 for a fault on the way.
"""

import sys
from types import ModuleType

if __name__ == "__main__":
    # Empty packages in place of the real ones: only what a pack needs is imported, which saves milliseconds.
    here = __file__.rpartition("/")[0]
    slurm = here.rpartition("/")[0]
    backends = slurm.rpartition("/")[0]
    folders = {
        "runner": "",
        "runner.backends": backends,
        "runner.backends.local": f"{backends}/local",
        "runner.backends.local.supervisor": f"{backends}/local/supervisor",
        "runner.backends.slurm": slurm,
        "runner.backends.slurm.pack": here,
    }
    for name, folder in folders.items():
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = [folder]

    if sys.version_info < (3, 9):  # noqa: UP036 (the node's own interpreter, at the same path)
        sys.exit(1)
    import ctypes  # noqa: F401 (used later; some interpreters lack it)

    from runner.backends.slurm.pack.task import main

    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except BaseException:
        sys.exit(70)
