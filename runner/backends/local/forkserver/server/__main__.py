"""The parent's entry, run by the user's interpreter (CPython 3.8 or newer): `python … __main__.py PRELOAD REQUESTS REPORTS PAD`.

PRELOAD is a comma-separated list of modules, REQUESTS and REPORTS are descriptors (see `serve`), PAD is room for the
command lines of sessions.
"""

import sys

# What every program finds at its first line: taken before anything of ours is there.
MAIN = {name: value for name, value in globals().items() if name != "sys"}
BARE = frozenset(sys.modules)

if __name__ == "__main__":
    from types import ModuleType

    _names = ["runner"]
    for _part in ("backends", "local", "forkserver", "server"):
        _names.append(_names[-1] + "." + _part)
    for _name in _names:
        _package = sys.modules[_name] = ModuleType(_name)
        _package.__path__ = [__file__.rpartition("/")[0]]
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]

    from runner.backends.local.forkserver.server.run import execute
    from runner.backends.local.forkserver.server.server import serve
    from runner.backends.local.forkserver.server.shutdown import finish

    _request = _before = None  # there is room for them: a fork would have to make some
    _request, _before = serve(
        sys.argv[1].split(",") if sys.argv[1] else [], int(sys.argv[2]), int(sys.argv[3]), BARE, MAIN
    )
    # From here on this is a session.
    finish(execute(_request, MAIN), _before)
