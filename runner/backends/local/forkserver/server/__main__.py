"""Entry of a fork server, run by the user's interpreter (CPython 3.9 or newer).

Arguments: the modules to preload, separated by commas; the descriptor of the socket; the supervisor's pid.
"""

import sys

if __name__ == "__main__":
    _builtin = frozenset(sys.modules)

    from types import ModuleType

    _name = "runner.backends.local.forkserver.server"
    while _name:
        sys.modules[_name] = ModuleType(_name)
        sys.modules[_name].__path__ = [__file__.rpartition("/")[0]]
        _name = _name.rpartition(".")[0]
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]

    from runner.backends.local.forkserver.server.server import serve
    from runner.backends.local.forkserver.server.session import run
    from runner.backends.local.forkserver.server.shutdown import finish

    _modules = sys.argv[1].split(",") if sys.argv[1] else []
    _request, _program, _imported = serve(_modules, _builtin, int(sys.argv[2]), int(sys.argv[3]))
    # Only a forked child gets here: it is a session now.
    finish(run(_request, _program), _imported)
