"""Warm sessions: what they share and what they do not, when they are cold, and that all that holds for others holds for them."""

from __future__ import annotations

import ast
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio

from runner.backends.base import Backend
from runner.backends.local import orphans
from runner.backends.local.backend import LocalBackend
from runner.backends.local.forkserver.eligibility import Hiding
from runner.backends.local.forkserver.server import huge_pages, preload
from runner.backends.local.forkserver.server.proctitle import Titles
from runner.model import Attempt, AttemptEnd, Outcome
from runner.reasons import describe
from tests.backends.local.test_memory import MIB, RUNGS, groups_of
from tests.backends.local.test_process_tree import Tree, each_tree
from tests.contract import PATIENCE, AheadContract, Command, Site, ignore, until
from tests.local_host import children, lives, marked, parent, pids
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm sessions are for Linux")

SAY = "import os; open('pids', 'a').write(f'{os.getpid()}\\n')"


@dataclass(frozen=True)
class WarmSite(Site):
    """Where every Python program is forked."""

    preload: tuple[str, ...] = ("json",)

    def attempt(self, command: Command, name: str = "contract-1", **env: str) -> Attempt:
        attempt = super().attempt(command, name, **env)
        if isinstance(command, str):
            return attempt
        return replace(attempt, preload=self.preload) if command[0] == sys.executable else attempt


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


@pytest.fixture
def site(tmp_path: Path) -> WarmSite:
    return warm_site(tmp_path)


def warm_site(folder: Path, modules: Sequence[str] = ("json",)) -> WarmSite:
    return WarmSite(
        lambda: LocalBackend(os.environ),
        folder,
        succeeding=python("pass"),
        failing=python("raise SystemExit(3)"),
        sleeping=python("import time; time.sleep(1000)"),
        preload=tuple(modules),
    )


class TestContract(AheadContract):
    """What every backend does, it does for warm sessions."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return warm_site(tmp_path)


def ends(site: Site, attempts: Sequence[Attempt]) -> tuple[list[AttemptEnd], list[str | None]]:
    """Run them one after the other: their ends, and why each was cold, None where it was forked."""

    async def body(backend: Backend) -> tuple[list[AttemptEnd], list[str | None]]:
        ended, cold = [], []
        for attempt in attempts:
            job = await backend.submit(attempt)
            cold.append((await backend.started(job, ignore)).cold)
            ended.append(await backend.wait(job))
        return ended, cold

    return site.run(body)


def outputs(site: Site, attempts: Sequence[Attempt], cold: bool = False) -> list[str]:
    """What each writes to stdout; all must succeed, and be forked unless `cold`."""
    ended, reasons = ends(site, attempts)
    assert {one.outcome for one in ended} == {Outcome.SUCCEEDED}
    assert all((reason is not None) is cold for reason in reasons), reasons
    return [site.stdout(attempt) for attempt in attempts]


def module(folder: Path, name: str, text: str) -> dict[str, str]:
    """Put a module where only PYTHONPATH finds it; the variables that have it found."""
    library = folder / "library"
    library.mkdir(exist_ok=True)
    (library / f"{name}.py").write_text(text)
    return {"PYTHONPATH": str(library)}


def test_the_parent_is_written_for_old_interpreters() -> None:
    """The user's may be one of 3.8."""
    for path in (ROOT / "runner/backends/local/warm/parent").glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 8))


# What sessions share, and what not


def test_the_imports_are_done_once(tmp_path: Path) -> None:
    """Three sessions of one parent find the module there, as one import has left it."""
    env = module(tmp_path, "heavy", "import os; LOADED_BY = os.getpid()")
    site = warm_site(tmp_path, ["heavy"])
    code = "import os, heavy; print(heavy.LOADED_BY == os.getppid(), heavy.LOADED_BY)"
    said = outputs(site, [site.attempt(python(code), f"one-{number}", **env) for number in range(3)])
    assert len(set(said)) == 1
    assert said[0].startswith("True ")


def test_no_session_leaves_anything_to_the_next(tmp_path: Path) -> None:
    site = warm_site(tmp_path)
    code = "import json, os; print(hasattr(json, 'mark'), os.environ.get('MARK')); json.mark = os.environ['MARK'] = 'x'"
    assert outputs(site, [site.attempt(python(code), f"one-{n}") for n in range(2)]) == ["False None\n"] * 2


@pytest.mark.parametrize("modules", [("random", "numpy"), ("random",), ("numpy.random", "multiprocessing.process")])
def test_no_two_sessions_share_random_state(tmp_path: Path, modules: tuple[str, ...]) -> None:
    site = warm_site(tmp_path, modules)
    code = """
import random, numpy, multiprocessing, uuid
print(random.random()); print(numpy.random.rand()); print(numpy.random.randn()); print(uuid.uuid4())
print(numpy.random.default_rng().random()); print(bytes(multiprocessing.current_process().authkey).hex())
"""
    drawn = [said.split() for said in outputs(site, [site.attempt(python(code), f"one-{n}") for n in range(4)])]
    for kind in zip(*drawn, strict=True):
        assert len(set(kind)) == 4


def test_a_state_of_numpy_is_what_it_would_be(tmp_path: Path) -> None:
    """Full of chance and at its beginning, with nothing kept of a normal draw."""
    site = warm_site(tmp_path, ["numpy"])
    code = "import numpy; s = numpy.random.get_state(); print(s[0], len(set(s[1])) > 600, s[2:], numpy.random.rand(10**5).mean())"
    [said] = outputs(site, [site.attempt(python(code))])
    *state, mean = said.split()
    assert state == ["MT19937", "True", "(624,", "0,", "0.0)"]
    assert abs(float(mean) - 0.5) < 0.01


@pytest.mark.parametrize("how", ["os.environ['MODE']", "os.getenv('MODE')", "os.environb.get(b'MODE').decode()"])
def test_variables_that_an_import_looks_at_have_parents_of_their_own(tmp_path: Path, how: str) -> None:
    """Whatever the variable is: a session never sees a module that has decided by another session's value."""
    env = module(tmp_path, "decides", f"import os; MODE = {how}; COPY = dict(os.environ)")
    site = warm_site(tmp_path, ["decides"])
    code = "import os, decides; print(decides.MODE, os.environ['OTHER']); print(os.getppid())"
    attempts = [
        site.attempt(python(code), f"one-{n}", MODE=mode, OTHER=str(n), **env) for n, mode in enumerate("abaab")
    ]
    said = [text.split() for text in outputs(site, attempts)]
    assert [one[:2] for one in said] == [["a", "0"], ["b", "1"], ["a", "2"], ["a", "3"], ["b", "4"]]
    assert len({one[2] for one in said}) == 2


def test_variables_that_a_library_reads_in_c_have_parents_of_their_own(tmp_path: Path) -> None:
    site = warm_site(tmp_path)
    attempts = [
        site.attempt(python("import os; print(os.getppid())"), f"one-{n}", OMP_NUM_THREADS=threads, SEED=str(n))
        for n, threads in enumerate("1212")
    ]
    said = outputs(site, attempts)
    assert said[0] == said[2] != said[1] == said[3]


def test_there_are_not_too_many_parents(tmp_path: Path) -> None:
    site = warm_site(tmp_path)
    attempts = [site.attempt(site.succeeding, f"one-{n}", OMP_NUM_THREADS=str(n)) for n in range(10)]
    ended, cold = ends(site, attempts)
    assert {one.outcome for one in ended} == {Outcome.SUCCEEDED}
    assert cold[:8] == [None] * 8
    assert cold[8] == cold[9] == "there are 8 interpreters already, for other variables that are read at their start"


def test_what_an_import_sets_in_the_environment_is_there(tmp_path: Path) -> None:
    """As if the session had imported it itself."""
    env = module(tmp_path, "sets", "import os; os.environ['SET'] = 'by it'; os.environ.pop('REMOVED')")
    site = warm_site(tmp_path, ["sets"])
    code = "import os; print(os.environ['SET'], 'REMOVED' in os.environ, os.environ['X'], flush=True); os.system('echo $SET $X')"
    attempts = [site.attempt(python(code), f"one-{n}", X=str(n), REMOVED="r", **env) for n in range(2)]
    assert outputs(site, attempts) == ["by it False 0\nby it 0\n", "by it False 1\nby it 1\n"]


@pytest.mark.parametrize("more", [{"X": "x" * 10_000}, {f"V{n}": str(n) for n in range(100)}], ids=["long", "many"])
def test_an_environment_for_which_the_parent_has_no_room(tmp_path: Path, more: dict[str, str]) -> None:
    """A parent has room for some more than that of the session for which it was started."""
    site = warm_site(tmp_path)
    code = "import os, sys; print(sorted(os.environ.items()), flush=True); os.system('env | sort')"
    attempts = [site.attempt(python(code), f"one-{n}", **env) for n, env in enumerate(({}, more, {"X": "y"}))]
    first, second, third = (said.replace(f"one-{n}", "one") for n, said in enumerate(outputs(site, attempts)))
    assert all(f"{name}={value}\n" in second and repr((name, value)) in second for name, value in more.items())
    assert third.replace("X=y\n", "").replace(", ('X', 'y')", "") == first


@pytest.mark.parametrize(
    "more", [{}, {"LONG": "x" * 10_000}, {f"V{n}": "" for n in range(100)}], ids=["", "long", "many"]
)
def test_what_an_import_sets_for_c_alone_is_there(tmp_path: Path, more: dict[str, str]) -> None:
    """Which os.environ does not know of; and what it removes there is gone, whatever room there is."""
    text = "import ctypes, os; C = ctypes.CDLL(None); C.setenv(b'SET', b'by it', 1); C.unsetenv(b'GONE'); os.putenv('PUT', 'too')"
    env = {**module(tmp_path, "sets", text), "GONE": "g", "PUT": "p"}
    site = warm_site(tmp_path, ["sets"])
    code = """
import os
print('SET' in os.environ, os.environ['PUT'], os.environ['GONE'], flush=True)
os.system('echo $SET $PUT $GONE $X')
"""
    attempts = [site.attempt(python(code), f"one-{n}", X=str(n), **env, **(more if n else {})) for n in range(2)]
    assert outputs(site, attempts) == [f"False p g\nby it too {n}\n" for n in range(2)]


def test_what_an_import_sets_to_what_the_first_session_has(tmp_path: Path) -> None:
    env = module(tmp_path, "sets", "import os; os.environ['MODE'] = 'a'")
    site = warm_site(tmp_path, ["sets"])
    code = "import os; print(os.environ['MODE'], flush=True); os.system('echo $MODE')"
    attempts = [site.attempt(python(code), f"one-{mode}", MODE=mode, **env) for mode in "ab"]
    assert outputs(site, attempts) == ["a\na\n"] * 2


def test_an_import_that_clears_the_environment(tmp_path: Path) -> None:
    env = module(tmp_path, "clears", "import ctypes; ctypes.CDLL(None).clearenv()")
    site = warm_site(tmp_path, ["clears"])
    code = "import os; print(os.environ['X'], flush=True); os.system('echo $X')"
    assert outputs(site, [site.attempt(python(code), X="x", **env)]) == ["x\n\n"]


def test_libraries_write_what_they_have_kept_back(tmp_path: Path) -> None:
    """What has been left to exit(3), by a library that the session itself has loaded, is done."""
    source = tmp_path / "late.c"
    source.write_text(
        '#include <unistd.h>\n__attribute__((destructor)) static void end(void) { write(1, "done", 4); }\n'
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "late.so", source], check=True)
    site = warm_site(tmp_path)
    assert outputs(site, [site.attempt(python("import ctypes; ctypes.CDLL('./late.so')"))]) == ["done"]


OPERATORS = """\
import weakref

class Library:
    pass

def _del_library(text):
    print(text)

def _del_other(text):
    print(text)

ours = Library()
weakref.finalize(ours, _del_library, 'an operator')
weakref.finalize(ours, _del_other, 'preloaded')
"""


def test_what_torch_would_only_take_apart_is_left(tmp_path: Path) -> None:
    """Its operators, one by one; what is a session's own, or anything else, is finalized."""
    env = module(tmp_path, "torch", "from torch import library")
    library = tmp_path / "library" / "torch"
    library.mkdir()
    (tmp_path / "library" / "torch.py").rename(library / "__init__.py")
    (library / "library.py").write_text(OPERATORS)
    code = "import weakref; from torch.library import Library, _del_library"
    own = f"{code}; own = Library(); weakref.finalize(own, _del_library, 'its own')"
    site = warm_site(tmp_path, ["torch"])
    assert outputs(site, [site.attempt(python(own), **env)]) == ["its own\npreloaded\n"]


def test_a_file_that_an_import_has_opened_is_written(tmp_path: Path) -> None:
    """What a session has yet to write to it, each by itself."""
    env = module(tmp_path, "keeps", "import gzip\nplain = open('plain', 'a'); packed = gzip.open('packed', 'ab')")
    site = warm_site(tmp_path, ["keeps"])
    code = "import keeps, sys; keeps.plain.write(sys.argv[1]); keeps.packed.write(sys.argv[1].encode())"
    outputs(site, [site.attempt(python(code, word), word, **env) for word in ("one", "two")])
    assert (tmp_path / "plain").read_text() == "onetwo"
    assert gzip.decompress((tmp_path / "packed").read_bytes()) == b"onetwo"


def test_a_library_with_a_function_that_is_nowhere(tmp_path: Path) -> None:
    """It can be loaded as long as nobody calls that, before the fork as after it."""
    source = tmp_path / "lacks.c"
    source.write_text("int nowhere(void); int lacks(void) { return nowhere(); }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-z,lazy", "-o", tmp_path / "lacks.so", source], check=True)
    load = "import ctypes, os; LOADED = ctypes.PyDLL(None).dlopen(os.environb[b'LACKS'], os.RTLD_LAZY) != 0"
    env = {**module(tmp_path, "loads", load), "LACKS": str(tmp_path / "lacks.so")}
    site = warm_site(tmp_path, ["loads"])
    assert outputs(site, [site.attempt(python(f"import loads; {load}; print(loads.LOADED, LOADED)"), **env)]) == [
        "True True\n"
    ]


# When they are cold


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nowhere", "`bad` cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit", "`bad` cannot be imported: SystemExit"),
        ("x = (", "`bad` cannot be imported: SyntaxError: '(' was never closed (bad.py, line 1)"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True, name='t').start()",
            "`bad` starts a thread (`t`) when it is imported",
        ),
        (
            "import _thread, time; _thread.start_new_thread(time.sleep, (9,))",
            "`bad` starts threads of its own, outside Python, when it is imported",
        ),
        (
            "import os; os._exit(3)",
            "the interpreter that imports `json`, `bad` died (exit code 3)",
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "the interpreter that imports `json`, `bad` died (killed by SIGSEGV)",
        ),
    ],
)
def test_a_module_that_cannot_be_shared(tmp_path: Path, text: str, reason: str) -> None:
    """Sessions run, each by itself, and it is said which module is why."""
    env = module(tmp_path, "bad", text)
    site = warm_site(tmp_path, ["json", "bad"])
    ended, cold = ends(site, [site.attempt(site.failing, f"one-{n}", **env) for n in range(2)])
    assert [one.exit_code for one in ended] == [3, 3]
    assert cold == [reason, reason]


def test_a_gpu_that_an_import_has_opened(tmp_path: Path) -> None:
    (tmp_path / "3").symlink_to("/dev/null")
    assert preload.gpu(str(tmp_path)) is None
    (tmp_path / "4").symlink_to("/dev/nvidiactl")
    assert preload.gpu(str(tmp_path)) == "/dev/nvidiactl"


def test_a_kernel_that_tells_less(tmp_path: Path) -> None:
    """Without a list of its memory a parent does without huge pages; without its environment's place it is of no use."""
    (tmp_path / "stat").write_text("1 (python) R" + 49 * " 0")
    huge_pages.collapse(str(tmp_path / "smaps"))
    for file, reason in (
        ("stat", "does not tell where the environment stands"),
        ("no", "cannot be read: No such file or directory"),
    ):
        with pytest.raises(preload.UnfitError, match=f"^`{tmp_path}/{file}` {reason}$"):
            Titles(str(tmp_path / file))


def test_no_interpreter(site: WarmSite) -> None:
    """The session itself says what is wrong with it, as it would have without us."""
    attempt = replace(site.attempt(("no-such-python", "-c", "")), preload=("json",))
    [ended], [cold] = ends(site, [attempt])
    assert (ended.exit_status, describe(ended)) == (127, "`no-such-python` not found")
    assert cold == "no interpreter could be started for it: `no-such-python` not found"


def test_what_is_no_interpreter(site: WarmSite) -> None:
    attempt = replace(site.attempt(("sh", "-c", "exit 4")), preload=("json",))
    [ended], [cold] = ends(site, [attempt])
    assert ended.exit_code == 4
    assert cold is not None
    assert cold.startswith("the interpreter that imports `json` died (exit code ")


def test_a_module_that_comes_to_lie_beside_a_script(tmp_path: Path) -> None:
    """A fork would go on seeing the preloaded one."""
    site = warm_site(tmp_path)
    (tmp_path / "prog.py").write_text("import json; print(json.__file__)")
    attempts = [site.attempt((sys.executable, "prog.py"), f"one-{n}") for n in range(2)]
    [before] = outputs(site, attempts[:1])
    assert str(tmp_path) not in before
    (tmp_path / "json.py").touch()
    [after] = outputs(site, attempts[1:], cold=True)
    assert after == f"{tmp_path}/json.py\n"


def test_what_hides_a_module(tmp_path: Path) -> None:
    hiding, folder = Hiding(), os.fsencode(tmp_path)
    for name in ("plain", "data.txt", "x.json", "package"):
        (tmp_path / name).mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "fast.cpython-311-x86_64-linux-gnu.so").touch()
    (tmp_path / "mine.py").touch()
    loaded = dict.fromkeys((b"plain", b"data", b"x"), b"/library")
    assert hiding(folder, loaded) is None
    for module in (b"package", b"fast", b"mine"):
        assert hiding(folder, {**loaded, module: b"/library"}) == module
        assert hiding(folder, {**loaded, module: folder}) is None
    (tmp_path / "plain.py").touch()
    assert hiding(folder, loaded) == b"plain"
    assert hiding(folder + b"/nowhere", loaded) is None


# Their ends


def in_warm_python(command: str) -> tuple[str, ...]:
    return python(f"import subprocess; subprocess.run({command!r}, shell=True)")


@each_tree
def test_tree_cancelled(tmp_path: Path, tree: Tree) -> None:
    """The whole tree is gone when `cancel` returns."""
    site = warm_site(tmp_path)
    attempt = replace(site.attempt(in_warm_python(tree.command)), grace=0.2)

    async def body(backend: Backend) -> None:
        job = await backend.submit(attempt)
        if not tree.leaves:
            await until(lambda: pids(tmp_path, tree.count))
            await backend.cancel(job, 0.2)
        await backend.wait(job)

    site.run(body)
    found = pids(tmp_path, tree.count)
    assert found
    assert not any(lives(pid) for pid in found)
    assert not marked(attempt.name)


FORKS = f"""
import os, time
{SAY}
if not os.fork():
    os.setsid()
    if not os.fork():
        {SAY}
        time.sleep(1000)
    os._exit(0)
os.wait()
"""


LEAVES = "while len(open('pids').readlines()) < 2: pass\nos._exit(5)"


@pytest.mark.parametrize("rest", ["time.sleep(1000)", LEAVES], ids=["sleeps", "leaves"])
def test_an_orphan_that_has_only_forked(tmp_path: Path, rest: str) -> None:
    """It carries the mark of its own session, though its memory is its parent's."""
    site = warm_site(tmp_path)
    attempt = replace(site.attempt(python(FORKS + rest)), grace=0.2)
    other = site.attempt(site.sleeping, "other")

    async def body(backend: Backend) -> None:
        beside = await backend.submit(other)
        job = await backend.submit(attempt)
        await until(lambda: pids(tmp_path, 2))
        if rest.startswith("time"):
            assert set(marked(attempt.name)) == set(pids(tmp_path, 2))
            await backend.cancel(job, 0.2)
        await backend.wait(job)
        assert not any(lives(pid) for pid in pids(tmp_path, 2))
        assert lives(beside)
        await backend.cancel(beside, 0)

    site.run(body)


def test_the_runner_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.warm_host", str(tmp_path), FORKS + "time.sleep(1000)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout
        _, spawner = host.stdout.readline().split()
        trio.run(until, lambda: pids(tmp_path, 2))
        started_from = parent(pids(tmp_path, 2)[0])
        host.kill()
        trio.run(until, lambda: not lives(spawner))
    assert not any(lives(pid) for pid in (*pids(tmp_path, 2), started_from))


def test_the_runner_and_its_spawner_are_killed(tmp_path: Path) -> None:
    """What is left is found by name, and ended; the parent has gone by itself."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.warm_host", str(tmp_path), FORKS + "time.sleep(1000)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout
        _, spawner = host.stdout.readline().split()
        trio.run(until, lambda: pids(tmp_path, 2))
        leader = pids(tmp_path, 2)[0]
        started_from = parent(leader)
        os.kill(host.pid, signal.SIGSTOP)
        os.kill(int(spawner), signal.SIGKILL)
        host.kill()
    trio.run(until, lambda: not lives(started_from))
    [name] = names_of(leader)
    assert orphans.find(name, None) == leader
    trio.run(orphans.end, {name: None}, 0.0)
    assert not any(lives(pid) for pid in pids(tmp_path, 2))


def test_the_runner_and_its_spawner_are_killed_as_a_parent_imports(tmp_path: Path) -> None:
    """An import that never returns does not keep it."""
    endless = module(tmp_path, "endless", f"{SAY}\nwhile True: pass")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.warm_host", str(tmp_path), "pass"],
        cwd=ROOT,
        env={**os.environ, **endless, "PRELOAD": "endless"},
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout
        _, spawner = host.stdout.readline().split()
        trio.run(until, lambda: pids(tmp_path, 1))
        os.kill(host.pid, signal.SIGSTOP)
        os.kill(int(spawner), signal.SIGKILL)
        host.kill()
    trio.run(until, lambda: not lives(pids(tmp_path, 1)[0]))


def names_of(pid: int) -> list[str]:
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return [entry.decode().partition("=")[2] for entry in environ if entry.startswith(b"RUNNER_JOB=")]


def test_the_parent_is_killed(tmp_path: Path) -> None:
    """What it has forked goes on and ends as ever; the next one has a new parent."""
    site = warm_site(tmp_path)
    waits = f"{SAY}; import sys\nwhile not os.path.exists('go'): pass\nprint(os.getppid()); sys.exit(7)"
    first, second = (site.attempt(python(waits), name) for name in ("first", "second"))
    third = site.attempt(python("import os; print(os.getppid())"), "third")

    async def body(backend: Backend) -> tuple[AttemptEnd, AttemptEnd, AttemptEnd]:
        jobs = [await backend.submit(attempt) for attempt in (first, second)]
        await until(lambda: pids(tmp_path, 2))
        os.kill(parent(jobs[0]), signal.SIGKILL)
        again = await backend.submit(third)
        after = await backend.wait(again)
        assert (await backend.started(again, ignore)).cold is None
        (tmp_path / "go").touch()
        one, two = [await backend.wait(job) for job in jobs]
        return one, two, after

    one, two, after = site.run(body)
    assert (one.exit_code, two.exit_code, after.exit_code) == (7, 7, 0)
    assert site.stdout(first) == site.stdout(second) != site.stdout(third)
    assert one.max_rss is not None


def test_a_parent_that_is_killed_as_it_imports(tmp_path: Path) -> None:
    """Once may be an accident: another one is started."""
    env = module(
        tmp_path,
        "slow",
        "import os, time\n"
        "open('importing', 'a').write(f'{os.getpid()}\\n')\n"
        "while len(open('importing').readlines()) < 2: time.sleep(0.001)",
    )
    site = warm_site(tmp_path, ["slow"])
    attempt = site.attempt(site.failing, **env)

    async def body(backend: Backend) -> tuple[AttemptEnd, str | None]:
        jobs: list[str] = []

        async def submit() -> None:
            jobs.append(await backend.submit(attempt))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit)
            await until(
                lambda: (tmp_path / "importing").exists() and (tmp_path / "importing").read_text().endswith("\n")
            )
            os.kill(int((tmp_path / "importing").read_text()), signal.SIGKILL)
        return await backend.wait(jobs[0]), (await backend.started(jobs[0], ignore)).cold

    ended, cold = site.run(body)
    assert ended.exit_code == 3
    assert cold is None


def test_cancelled_before_it_has_begun(tmp_path: Path) -> None:
    """It waits for the imports: nothing of it runs, then or later."""
    env = module(tmp_path, "endless", "open('importing', 'w').close()\nwhile True: pass")
    site = warm_site(tmp_path, ["endless"])
    attempt = site.attempt(python("open('ran', 'w')"), **env)

    async def body(backend: Backend) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(backend.submit, attempt)
                await until(lambda: (tmp_path / "importing").exists())
                scope.cancel()

    site.run(body)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("rung", RUNGS)
def test_memory(tmp_path: Path, rung: str) -> None:
    """A limit holds for the session, and not for what it shares."""
    site = replace(warm_site(tmp_path), open=lambda: LocalBackend(os.environ, memory_method=rung))
    hog = "x = bytearray(200 << 20); import time; time.sleep(1000)"
    attempts = [
        replace(site.attempt(python(code), name), resources={"mem": 100 * MIB}, grace=0.2)
        for name, code in (("hog", hog), ("modest", "x = bytearray(20 << 20); print(len(x))"))
    ]
    (hungry, modest), cold = ends(site, attempts)
    assert cold == [None, None]
    assert (hungry.outcome, hungry.exit_code) == (Outcome.OUT_OF_MEMORY, 137)
    assert modest.outcome is Outcome.SUCCEEDED
    assert not groups_of(attempts[0])


def test_nothing_of_a_parent_is_left(tmp_path: Path) -> None:
    site = warm_site(tmp_path)
    attempt = site.attempt(python("import os; print(os.getppid())"))

    async def body(backend: Backend) -> list[int]:
        await backend.wait(await backend.submit(attempt))
        [spawner] = children(os.getpid())
        return children(spawner)

    [still] = site.run(body)
    assert still == int(site.stdout(attempt))
    assert not lives(still)


def test_the_process_table_shows_the_session(tmp_path: Path) -> None:
    site = warm_site(tmp_path)
    shown = "print(open(f'/proc/{os.getppid()}/cmdline').read().rstrip(chr(0)).split(chr(0))[-4:])"
    [said] = outputs(site, [site.attempt(python(f"import os; {shown}"))])
    assert said.split("/")[-1].startswith("__main__.py', 'json', ")


def test_a_signal_is_said_as_ever(site: WarmSite) -> None:
    ended = site.end_of(site.attempt(python("import os; os.kill(os.getpid(), 10)")))
    assert (ended.outcome, ended.exit_status, describe(ended)) == (Outcome.FAILED, 138, "killed by SIGUSR1")


def test_measures(site: WarmSite) -> None:
    ended = site.end_of(site.attempt(python("x = bytearray(64 << 20)\nfor _ in range(10**6): pass")))
    assert ended.max_rss is not None
    assert 64 * MIB < ended.max_rss < 200 * MIB
    assert ended.cpu_time is not None
    assert ended.duration is not None
    assert 0.0 < ended.cpu_time < PATIENCE
    assert 0.0 < ended.duration < PATIENCE
