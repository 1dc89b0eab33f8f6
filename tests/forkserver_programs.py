"""Programs that print what they see of their interpreter: forked and cold they print the same.

SCRIPTS run as `python prog.py one "two words"`; COMMANDS are the words after `python`; ENVIRONMENTS are variables and the
words after `python`. All run in the folder that `lay_out` fills.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

SCRIPTS: dict[str, str] = {
    "empty": "",
    "print": "print('hello'); print('été', end='')",
    "argv": "import sys; print(sys.argv, sys.orig_argv)",
    "main module": """
import sys, __main__
print(sys.modules['__main__'] is __main__, list(globals()), vars(__main__) is globals())
print(__name__, __file__, __doc__, __package__, __spec__, __cached__, __annotations__, __builtins__)
print(type(__loader__).__name__, __loader__.name, __loader__.path)
""",
    "docstring": '"""What it is."""\nx: int = 1\nprint(__doc__, __annotations__)',
    "path": "import sys; print(sys.path, sys.executable, sys.prefix, sys.exec_prefix)",
    "flags": "import sys; print(sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode, sys.platlibdir)",
    "cwd": "import os; print(os.getcwd(), os.path.abspath('.'), os.environ.get('PWD'))",
    "environ": """
import os, subprocess
own = {name: value for name, value in os.environ.items() if name != 'RUNNER_JOB'}
print(list(own.items()), os.environb[b'RUNNER_SESSION'])
os.environ['ADDED'] = 'here'
del os.environ['HOME']
print(sorted(set(subprocess.check_output(['env']).splitlines()) - {b'RUNNER_JOB=' + os.environb[b'RUNNER_JOB']}))
""",
    "stdin": "import sys; print(repr(sys.stdin.read()), sys.stdin.fileno())",
    "input": "input('? ')",
    "streams": """
import sys
for one in (sys.stdin, sys.stdout, sys.stderr):
    print(one.name, one.mode, one.encoding, one.errors, one.newlines, one.line_buffering, one.write_through,
          one.isatty(), one.fileno(), one.buffer, one.buffer.raw, one.buffer.raw.closefd, one.seekable())
print(sys.__stdin__ is sys.stdin, sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr)
""",
    "buffering": """
import os, sys
print('buffered'); os.write(1, b'at once\\n'); print('x' * 9000); os.write(1, b'between\\n')
sys.stderr.write('a'); os.write(2, b'b'); sys.stderr.write('c\\n'); os.write(2, b'd\\n')
print('no newline', end='')
""",
    "libc buffering": "import ctypes; ctypes.CDLL(None).printf(b'from C, not flushed\\n'); print('from Python')",
    "stdout closed": "import sys; print('before'); sys.stdout.close()",
    "stdout is None": "import sys; sys.stdout = None; print('nowhere')",
    "stdout cannot be flushed": "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('lost')",
    "stdout cannot be flushed after an error": (
        "import os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('lost'); sys.exit(3)"
    ),
    "stdout fails in Python": """
import sys
class Fails:
    closed = property(lambda self: 1 / 0)
    def flush(self): raise OSError('no')
sys.stdout = Fails()
""",
    "stdout is another": "import io, sys; print('out'); sys.stdout = io.StringIO(); print('nowhere')",
    "files left open": """
import gzip, os, zipfile
class Cycle:
    def of_functions_with_the_module(self): pass
if pid := os.fork():
    os.waitpid(pid, 0)
    print(os.path.getsize('plain'), gzip.open('packed').read(), zipfile.ZipFile('archive').namelist())
else:
    plain = open('plain', 'w'); plain.write('text')
    packed = gzip.open('packed', 'w'); packed.write(b'x')
    archive = zipfile.ZipFile('archive', 'w'); archive.writestr('a', 'b')
""",
    "file left open in a function that fails": """
import os
def fail():
    file = open('plain', 'w'); file.write('text'); 1 / 0
if pid := os.fork():
    os.waitpid(pid, 0); print(open('plain').read())
else:
    fail()
""",
    "file left open in a module": """
import os, sibling
if pid := os.fork():
    os.waitpid(pid, 0); print(open('plain').read())
else:
    sibling.file = open('plain', 'w'); sibling.file.write('text')
""",
    "unencodable": "import sys; sys.stdout.reconfigure(encoding='ascii'); print('é')",
    "surrogates": "print('\\udcff')",
    "exit": "import sys; sys.exit()",
    "exit None": "raise SystemExit",
    "exit 0": "import sys; sys.exit(0)",
    "exit 3": "import sys; print('out'); sys.exit(3)",
    "exit 256": "import sys; sys.exit(256)",
    "exit -1": "import sys; sys.exit(-1)",
    "exit 2**40": "import sys; sys.exit(2**40 + 5)",
    "exit 2**70": "import sys; sys.exit(2**70)",
    "exit True": "import sys; sys.exit(True)",
    "exit text": "import sys; print('out'); sys.exit('because of this')",
    "exit list": "import sys; sys.exit([1, 'two'])",
    "exit object": "class Why:\n    def __str__(self): return 'why'\nraise SystemExit(Why())",
    "exit unprintable": "class Why:\n    def __str__(self): raise ValueError\nraise SystemExit(Why())",
    "exit -2**70": "import sys; sys.exit(-2**70)",
    "exit without a code": "class Fails(SystemExit): code = property(lambda self: 1 / 0)\nraise Fails('why')",
    "exit text without stderr": "import sys; sys.stderr = None; sys.exit('été')",
    "exit builtin": "exit(4)",
    "exit at once": "import os; print('lost'); os._exit(5)",
    "exit in a thread": "import threading, sys; threading.Thread(target=sys.exit, args=(7,)).start()",
    "error": "def inner(x):\n    return 1 / x\n\ndef outer():\n    inner(0)\n\nouter()",
    "error chain": "try:\n    {}['a']\nexcept KeyError as error:\n    raise RuntimeError('while') from error",
    "error context": "try:\n    {}['a']\nexcept KeyError:\n    [][1]",
    "error notes": "error = ValueError('x')\nerror.add_note('a note')\nraise error",
    "error group": "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
    "error in a class": "class A:\n    def __repr__(self): raise OSError(2, 'gone')\nrepr(A())",
    "error from C": "import json; json.loads('{')",
    "error in a lambda": "sorted([1, 'a'])",
    "recursion": "def f(): f()\ntry:\n    f()\nexcept RecursionError as error:\n    print(error)",
    "recursion limit": "import sys; print(sys.getrecursionlimit())",
    "syntax error": "print('never')\nif True print('x')",
    "indentation error": "if True:\nx = 1",
    "bad coding": "# -*- coding: nonsense -*-\nprint(1)",
    "null byte": "print(1)\0",
    "module missing": "import no_such_module_anywhere",
    "last error": """
import atexit, sys
atexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_lineno, sys.exc_info()))
1 / 0
""",
    "interrupt": "raise KeyboardInterrupt",
    "interrupted": "import atexit, os, signal; atexit.register(print, 'end'); os.kill(os.getpid(), signal.SIGINT)",
    "hook": "import sys; sys.excepthook = lambda *args: print('hooked', args[0], args[2].tb_lineno); 1 / 0",
    "hook fails": "import sys\ndef hook(*args): raise OSError('in the hook')\nsys.excepthook = hook\n1 / 0",
    "hook exits": "import sys; sys.excepthook = lambda *args: sys.exit(9)\n1 / 0",
    "hook is None": "import sys; sys.excepthook = None; 1 / 0",
    "hook fails without stderr": "import sys; sys.excepthook = sys.stderr = None; 1 / 0",
    "stdout is gone": "import sys; print('out'); del sys.stdout",
    "error without stderr": "import sys; sys.stderr = None; 1 / 0",
    "unraisable": "class A:\n    def __del__(self): raise ValueError('in del')\na = A()\ndel a\nprint('on')",
    "warnings": """
import warnings
warnings.warn('shown')
warnings.warn('here', DeprecationWarning)
print(warnings.filters[0])
""",
    "compiler warns": "x = 1\nif x is 1: print('one')",
    "signals": """
import signal
for number in sorted(signal.valid_signals()):
    print(number, signal.getsignal(number))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1), signal.getitimer(signal.ITIMER_REAL))
print([line for line in open('/proc/self/status') if line.startswith(('SigBlk', 'SigIgn', 'SigCgt', 'ShdPnd'))])
""",
    "killed": "import os, signal; print('lost'); os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import os, signal; print('lost'); os.kill(os.getpid(), signal.SIGTERM)",
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
    "aborted": "import os; os.abort()",
    "handler": """
import signal, os, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))
os.kill(os.getpid(), signal.SIGTERM)
print('never')
""",
    "alarm": "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(60)",
    "broken pipe": "import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')",
    "atexit": """
import atexit
atexit.register(print, 'first'); atexit.register(print, 'last', flush=True)
""",
    "atexit fails": "import atexit\ndef fail(): raise ValueError('at exit')\natexit.register(print, 'on')\natexit.register(fail)",
    "atexit exits": "import atexit, sys; atexit.register(print, 'on'); atexit.register(lambda: sys.exit(8))",
    "del at the end": """
class A:
    def __init__(self, name): self.name = name
    def __del__(self): print('gone', self.name)
kept, _private = A('kept'), A('private')
class Cycle(A): pass
cycle = Cycle('cycle'); cycle.itself = cycle
print('end')
""",
    "del fails at the end": "class A:\n    def __del__(self): raise ValueError\na = A()",
    "finalize": "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'finalized')\nprint('end')",
    "generator left open": "def g():\n    try: yield\n    finally: print('closed')\nx = g(); next(x); print('end')",
    "thread": """
import threading, time
def work(): time.sleep(0.05); print('from', threading.current_thread().name, threading.main_thread().is_alive())
threading.Thread(target=work).start()
print(threading.current_thread(), threading.active_count(), threading.main_thread().name)
""",
    "daemon thread": "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); print(1)",
    "thread fails": "import threading\ndef fail(): return 1 / 0\nthread = threading.Thread(target=fail)\nthread.start()",
    "thread pool": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(3)
print(list(pool.map(abs, range(-5, 0)))); pool.submit(print, 'at the end')
""",
    "fork": """
import os, sys
print('before', flush=True)
pid = os.fork()
if pid:
    print('parent', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    print('child'); sys.exit(2)
""",
    "process pool": """
from concurrent.futures import ProcessPoolExecutor
def double(x): return 2 * x
if __name__ == '__main__':
    with ProcessPoolExecutor(2) as pool: print(list(pool.map(double, range(5))))
""",
    **{
        f"multiprocessing {method}": f"""
import multiprocessing, os, sys
def work(queue, x):
    queue.put((x, __name__, multiprocessing.current_process().name, os.getcwd(), sys.argv, sys.path[0]))
    sys.exit(x)
class Point:
    x = 1
if __name__ == '__main__':
    context = multiprocessing.get_context('{method}')
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=(queue, 3))
    process.start(); print(queue.get()); process.join(); print(process.exitcode)
    with context.Pool(2) as pool: print(pool.map(abs, [-1, -2]), multiprocessing.active_children() != [])
    print(multiprocessing.parent_process(), multiprocessing.current_process())
"""
        for method in ("fork", "spawn", "forkserver")
    },
    "subprocess": """
import subprocess, sys
done = subprocess.run([sys.executable, '-c', 'import sys; print(sys.path); sys.exit(3)'], capture_output=True)
print(done.stdout, done.stderr, done.returncode)
subprocess.run('echo out; echo err >&2', shell=True)
""",
    "exec": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'import os; print(os.getpgrp() == os.getpid())'])",
    "seeded": "import random; random.seed(7); print(random.random()); print(random.Random(3).random())",
    "limits": """
import resource
names = sorted(name for name in dir(resource) if name.startswith('RLIMIT_'))
print([(name, resource.getrlimit(getattr(resource, name))) for name in names])
""",
    "place among processes": """
import os
print(os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid(), os.nice(0), oct(os.umask(0o22)), os.getuid())
print(os.sched_getaffinity(0), open('/proc/self/oom_score_adj').read())
""",
    "open files": "import os; print(os.readlink('/proc/self/fd/0'), len(os.listdir('/proc/self/fd')))",
    "collector": "import gc; print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.garbage, gc.callbacks)",
    "hooks": """
import sys, threading
print(sys.gettrace(), sys.getprofile(), sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__,
      sys.unraisablehook is sys.__unraisablehook__, sys.getswitchinterval(), sys.exc_info(), hasattr(sys, 'ps1'))
print([getattr(sys, 'last_type', None)], sys.meta_path, [str(hook)[:20] for hook in sys.path_hooks])
""",
    "encodings": """
import locale, sys
print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), locale.getpreferredencoding(), locale.setlocale(0))
print(sys.getdefaultencoding(), open('x.txt', 'w').encoding)
""",
    "time": "import time; print(time.tzname, time.localtime(0), time.process_time() < 30)",
    "hash": "print(hash('x') == hash('x'))",
    "pickle": """
import pickle
class Point:
    def __init__(self, x): self.x = x
print(pickle.loads(pickle.dumps(Point(3))).x, Point)
""",
    "dataclass": """
import dataclasses, typing
@dataclasses.dataclass
class A:
    x: 'int'
print(typing.get_type_hints(A), A(1))
""",
    "source": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f), inspect.getfile(f))",
    "sibling": "import sibling; print(sibling.VALUE, sibling.__file__)",
    "sibling in a package": "from package import inner; print(inner.NAME)",
    "logging": "import logging; logging.warning('w'); logging.getLogger('x').error('e'); logging.info('i')",
    "asyncio": """
import asyncio, sys
async def main():
    process = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(1)', stdout=-1)
    print(await process.communicate(), await process.wait())
    await asyncio.sleep(0.001)
asyncio.run(main())
""",
    "context variables": "import contextvars; print(list(contextvars.copy_context()))",
    "decimal": "import decimal; print(decimal.getcontext(), decimal.Decimal(1) / 3)",
    "temporary file": """
import os, tempfile
file = tempfile.NamedTemporaryFile()
print(os.path.dirname(file.name), os.path.exists(file.name))
""",
    "modules": "import sys; print('runner' in sys.modules, 'json' in globals(), 'sibling' in sys.modules)",
    "runner of its own": "import runner; print(runner.__file__)",
    "main run again": "import runpy; print(runpy.run_path(__file__.replace('prog', 'sibling'))['VALUE'])",
    "numpy": """
import numpy
numpy.random.seed(3)
print(numpy.random.rand(), (numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum())
""",
}

COMMANDS: dict[str, tuple[str, ...]] = {
    "code": ("-c", "import sys; print(sys.argv, sys.path, __name__, list(globals()))", "x", "-y"),
    "code imports a sibling": (
        "-c",
        "import sibling, sys; print(sibling.__file__, sys.modules['__main__'].__loader__)",
    ),
    "code fails": ("-c", "def f():\n    1 / 0\nf()"),
    "code of many lines fails": (
        "-c",
        "import sys, linecache\n\ndef f(): 1 / 0\nprint(linecache.getline('<string>', 1))\nf()",
    ),
    "code with a syntax error": ("-c", "print('a'\nx"),
    "code exits": ("-c", "import sys; sys.exit('no')"),
    "code with surrogates": ("-c", "print('\udcff'.encode('utf-8', 'surrogateescape'))"),
    "module": ("-m", "package.tool", "a", "-b"),
    "module of a package": ("-m", "package", "a"),
    "module fails": ("-m", "package.fails"),
    "module is missing": ("-m", "package.nowhere"),
    "module name that is a path": ("-m", "package/tool.py"),
    "module of the library": ("-m", "json.tool", "data.json"),
    "module that is preloaded": ("-m", "decimal"),
    "module with pools": ("-m", "package.pools"),
    "script is missing": ("nowhere.py",),
    "script is a folder": ("folder", "a"),
    "script is a folder without a program": ("package/data",),
    "script is an archive": ("archive.zip", "a"),
    "script in a folder": ("package/alone.py", "a"),
    "script by a link": ("link.py",),
    "script by an absolute path": ("{folder}/package/alone.py",),
    "script with a byte order mark": ("marked.py",),
    "script in another encoding": ("latin.py",),
    "script hides a preloaded module": ("hides/prog.py",),
    "optimized": ("-O", "-c", "assert False; print(__debug__)"),
    "unbuffered": (
        "-u",
        "-c",
        "import os, sys; print('a'); os.write(1, b'b\\n'); print(sys.stdout.buffer, sys.stderr.buffer)",
    ),
    "warnings are errors": ("-W", "error", "-c", "import warnings; warnings.warn('x')"),
    "isolated": ("-I", "-c", "import sys; print(sys.path, sys.flags.isolated)"),
    "option for a safe path": ("-P", "package/alone.py"),
    "no site": ("-S", "-c", "import sys; print(sys.path, 'site' in sys.modules)"),
    "no bytecode": ("-B", "-c", "import sys; print(sys.dont_write_bytecode)"),
    "developing": ("-X", "dev", "-c", "import sys; print(sys.flags.dev_mode)"),
    "unknown option": ("-Z", "prog.py"),
    "no code": ("-c",),
}

ENVIRONMENTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "hash seed": ({"PYTHONHASHSEED": "0"}, ("-c", "print(hash('x'))")),
    "C locale": ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, ("encodings.py",)),
    "coerced locale": (
        {"LC_ALL": "", "LC_CTYPE": "", "LANG": "C"},
        ("-c", "import os; print(os.environ['LC_CTYPE'], flush=True); os.system('echo $LC_CTYPE')"),
    ),
    "POSIX without UTF-8": (
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        ("-c", "import sys; print(sys.stdout.encoding, sys.stdout.errors, sys.stdin.errors)"),
    ),
    "stream encoding": ({"PYTHONIOENCODING": "latin-1:replace"}, ("-c", "print('é ∑')")),
    "unbuffered": ({"PYTHONUNBUFFERED": "1"}, ("-c", "import sys; print(sys.stdout.buffer, sys.stdout.write_through)")),
    "path": ({"PYTHONPATH": "{folder}/package"}, ("-c", "import alone, sys; print(sys.path)")),
    "relative path": ({"PYTHONPATH": "package"}, ("-c", "import alone, sys; print(sys.path)")),
    "safe path": ({"PYTHONSAFEPATH": "1"}, ("package/alone.py",)),
    "safe path beside a preloaded name": ({"PYTHONSAFEPATH": "1"}, ("hides/prog.py",)),
    "optimized": ({"PYTHONOPTIMIZE": "1"}, ("-c", "assert False; print(__debug__)")),
    "warnings": ({"PYTHONWARNINGS": "error"}, ("-c", "import warnings; warnings.warn('x')")),
    "time zone": ({"TZ": "Asia/Seoul"}, ("-c", "import time; print(time.tzname, time.localtime(0).tm_hour)")),
    "inspecting": ({"PYTHONINSPECT": "1"}, ("-c", "print(1)")),
    "development": ({"PYTHONDEVMODE": "1"}, ("-c", "import sys; print(sys.flags.dev_mode)")),
    "threads of libraries": ({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}, ("blas.py",)),
    "faults": ({"PYTHONFAULTHANDLER": "1"}, ("-c", "import faulthandler; print(faulthandler.is_enabled())")),
}


def lay_out(folder: Path) -> None:
    """The files that the programs need in their folder."""
    package = folder / "package"
    (package / "data").mkdir(parents=True)
    (folder / "hides").mkdir()
    (folder / "folder").mkdir()
    files = {
        "sibling.py": "VALUE = 42",
        "runner.py": "",
        "encodings.py": SCRIPTS["encodings"],
        "blas.py": "import os, numpy; numpy.ones((300, 300)) @ numpy.ones((300, 300)); print(len(os.listdir('/proc/self/task')))",
        "data.json": '{"a": [1]}',
        "package/__init__.py": "",
        "package/__main__.py": "import sys; print(sys.argv, __package__, __spec__.name)",
        "package/inner.py": "NAME = __name__",
        "package/tool.py": (
            "import sys; from . import inner; print(sys.argv, sys.path[0], __name__, __file__, __spec__, inner.NAME)"
        ),
        "package/fails.py": "1 / 0",
        "package/alone.py": "import sys; print(sys.argv, sys.path[0], __file__, __package__)",
        "package/pools.py": (
            "import multiprocessing as m\n"
            "def work(x): return x, __name__\n"
            "if __name__ == '__main__':\n"
            "    for kind in ('fork', 'spawn'):\n"
            "        with m.get_context(kind).Pool(1) as pool: print(pool.map(work, [1]))\n"
        ),
        "folder/__main__.py": "import sys; print(sys.argv, sys.path[0], __file__, __name__, __package__); import beside",
        "folder/beside.py": "print('beside')",
        "hides/prog.py": "import json; print(json.__file__)",
        "hides/json.py": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "link.py").symlink_to("package/alone.py")
    (folder / "marked.py").write_bytes(b"\xef\xbb\xbfprint('marked')")
    (folder / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nprint('\xe9')")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", "import sys; print(sys.argv, sys.path[0], __file__); 1 / 0")
