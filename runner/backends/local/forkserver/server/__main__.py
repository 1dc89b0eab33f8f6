"""Entry of a fork server, run by the user's interpreter (CPython 3.9 or newer).

Arguments: the modules to preload, separated by commas; the descriptors of requests and reports; the supervisor's pid.
"""

import sys

# The global names of a program at its first line: taken before this module defines any.
MAIN = {name: value for name, value in globals().items() if name != "sys"}
BUILTIN_MODULES = frozenset(sys.modules)

if __name__ == "__main__":
    from types import ModuleType

    _name = "runner.backends.local.forkserver.server"
    while _name:
        sys.modules[_name] = ModuleType(_name)
        sys.modules[_name].__path__ = [__file__.rpartition("/")[0]]
        _name = _name.rpartition(".")[0]
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]

    from runner.backends.local.forkserver.server.run import run
    from runner.backends.local.forkserver.server.server import serve
    from runner.backends.local.forkserver.server.shutdown import finish

    _modules = sys.argv[1].split(",") if sys.argv[1] else []
    _request, _code, _imported = serve(_modules, BUILTIN_MODULES, *map(int, sys.argv[2:5]))
    # Only a forked child gets here: it is a session now.
    finish(run(_request, _code, MAIN), _imported)
