"""What forked sessions share with each other and with their fork server, and what each has of its own."""

from __future__ import annotations

import ast
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from runner.backends.base import Backend
from runner.model import Attempt
from runner.text.reasons import describe
from tests.backends.local.test_memory import MIB
from tests.contract import AheadContract, Site, ignore
from tests.forkserver_site import fork_site, module, outputs, python, run_all
from tests.local_host import children, lives, parent
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sessions are forked on Linux only")


class TestContract(AheadContract):
    """The contract of all backends holds for forked sessions."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return fork_site(tmp_path)


def test_server_has_the_syntax_of_python_3_9() -> None:
    paths = list((ROOT / "runner/backends/local/forkserver/server").glob("*.py"))
    assert paths
    for path in paths:
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_modules_are_imported_once(tmp_path: Path) -> None:
    env = module(tmp_path, "heavy", "import os; LOADED_BY = os.getpid()")
    site = fork_site(tmp_path, "heavy")
    code = "import os, heavy; print(heavy.LOADED_BY == os.getppid(), heavy.LOADED_BY)"
    texts = outputs(site, [site.attempt(python(code), f"one-{number}", **env) for number in range(3)])
    assert len(set(texts)) == 1
    assert texts[0].startswith("True ")


def test_session_changes_nothing_for_the_next(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    code = "import json, os; print(hasattr(json, 'mark'), os.environ.get('MARK')); json.mark = os.environ['MARK'] = 'x'"
    assert outputs(site, [site.attempt(python(code), f"one-{n}") for n in range(2)]) == ["False None\n"] * 2


@pytest.mark.parametrize("modules", [("random", "numpy"), ("random",), ("numpy.random", "multiprocessing.process")])
def test_sessions_draw_different_random_numbers(tmp_path: Path, modules: tuple[str, ...]) -> None:
    site = fork_site(tmp_path, *modules)
    code = """
import random, numpy, multiprocessing, uuid
print(random.random()); print(numpy.random.rand()); print(numpy.random.randn()); print(uuid.uuid4())
print(numpy.random.default_rng().random()); print(bytes(multiprocessing.current_process().authkey).hex())
"""
    drawn = [text.split() for text in outputs(site, [site.attempt(python(code), f"one-{n}") for n in range(4)])]
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == 4


def test_spawned_process_imports_from_the_folder_of_its_session(tmp_path: Path) -> None:
    """`multiprocessing` remembers the folder in which it was imported: that of the first session."""
    site = fork_site(tmp_path, "multiprocessing.process")
    code = "import beside, multiprocessing; multiprocessing.get_context('spawn').Process(target=beside.work).start()"
    attempts = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beside.py").write_text(f"def work(): print('{name}')")
        attempts.append(replace(site.attempt(python(code), name), workdir=str(tmp_path / name)))
    assert outputs(site, attempts) == ["first\n", "second\n"]


def test_torch_is_seeded_in_each_session(tmp_path: Path) -> None:
    """With a module of that name, since torch is not among the tools of this repository."""
    generator = "class Generator:\n    def seed(self): self.seeded = True\ndefault_generator = Generator()"
    env = module(tmp_path, "torch", generator)
    site = fork_site(tmp_path, "torch")
    assert outputs(site, [site.attempt(python("import torch; print(torch.default_generator.seeded)"), **env)]) == [
        "True\n"
    ]


@pytest.mark.parametrize("lookup", ["os.environ['MODE']", "os.getenv('MODE')", "os.environb.get(b'MODE').decode()"])
def test_variables_read_by_an_import_have_their_own_server(tmp_path: Path, lookup: str) -> None:
    """A session never sees a module that was configured by the value of another session."""
    env = module(tmp_path, "decides", f"import os; MODE = {lookup}; COPY = dict(os.environ)")
    site = fork_site(tmp_path, "decides")
    code = "import os, decides; print(decides.MODE, os.environ['OTHER']); print(os.getppid())"
    attempts = [
        site.attempt(python(code), f"one-{n}", MODE=mode, OTHER=str(n), **env) for n, mode in enumerate("abaab")
    ]
    words = [text.split() for text in outputs(site, attempts)]
    assert [one[:2] for one in words] == [["a", "0"], ["b", "1"], ["a", "2"], ["a", "3"], ["b", "4"]]
    assert len({one[2] for one in words}) == 2


def test_variables_read_by_c_libraries_have_their_own_server(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    attempts = [
        site.attempt(python("import os; print(os.getppid())"), f"one-{n}", OMP_NUM_THREADS=threads, SEED=str(n))
        for n, threads in enumerate("1212")
    ]
    servers = outputs(site, attempts)
    assert servers[0] == servers[2] != servers[1] == servers[3]


ENVIRON = """
import ctypes, os
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print([os.environ.get(name) for name in ('X', 'SET', 'GONE', 'PUT')])
print([getenv(name) for name in (b'X', b'SET', b'GONE', b'PUT')], flush=True)
os.system('echo $X $SET $GONE $PUT')
"""


def test_environment_is_the_sessions_own(tmp_path: Path) -> None:
    """In `os.environ`, in C, and in what a session starts; also with variables that other sessions do not have."""
    site = fork_site(tmp_path)
    code = f"{ENVIRON}\nprint(sorted(os.environ.items()), flush=True)\nos.system('env | sort')"
    many = {f"V{n}": str(n) for n in range(100)}
    envs: list[dict[str, str]] = [{"X": "0"}, {"X": "x" * 10_000}, {"X": "2", **many}, {"GONE": "g"}, {"X": "0"}]
    texts = outputs(site, [site.attempt(python(code), f"one-{n}", **env) for n, env in enumerate(envs)])
    for env, text in zip(envs, texts, strict=True):
        x, gone = env.get("X"), env.get("GONE")
        assert text.startswith(f"{[x, None, gone, None]}\n{[x and x.encode(), None, gone and gone.encode(), None]}\n")
        assert all(f"\n{name}={value}\n" in text and repr((name, value)) in text for name, value in env.items())
    assert texts[4].replace("one-4", "one-0") == texts[0]


def test_environment_keeps_what_an_import_sets(tmp_path: Path) -> None:
    env = module(tmp_path, "sets", "import os; os.environ['SET'] = 'import'; os.environ.pop('GONE')")
    site = fork_site(tmp_path, "sets")
    attempts = [site.attempt(python(ENVIRON), f"one-{n}", X=str(n), GONE="g", **env) for n in range(2)]
    assert outputs(site, attempts) == [
        f"['{n}', 'import', None, None]\n[b'{n}', b'import', None, None]\n{n} import\n" for n in range(2)
    ]


def test_environment_keeps_what_an_import_sets_for_c_alone(tmp_path: Path) -> None:
    text = "import ctypes, os; C = ctypes.CDLL(None); C.setenv(b'SET', b'c', 1); C.unsetenv(b'GONE'); os.putenv('PUT', 'q')"
    env = {**module(tmp_path, "sets", text), "GONE": "g", "PUT": "p"}
    site = fork_site(tmp_path, "sets")
    attempts = [site.attempt(python(ENVIRON), f"one-{n}", X=str(n), **env) for n in range(2)]
    assert outputs(site, attempts) == [
        f"['{n}', None, 'g', 'p']\n[b'{n}', b'c', None, b'q']\n{n} c q\n" for n in range(2)
    ]


def test_environment_keeps_a_value_that_an_import_sets_again(tmp_path: Path) -> None:
    """The import sets the value that the first session has anyway."""
    env = module(tmp_path, "sets", "import os; os.environ['X'] = 'a'")
    site = fork_site(tmp_path, "sets")
    code = "import os; print(os.environ['X'], flush=True); os.system('echo $X')"
    attempts = [site.attempt(python(code), f"one-{value}", X=value, **env) for value in "ab"]
    assert outputs(site, attempts) == ["a\na\n"] * 2


def test_more_requests_than_the_socket_takes(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    code = python("import os; print(len(os.environ['LONG']))")
    attempts = [site.attempt(code, f"one-{n}", LONG="x" * 50_000) for n in range(20)]

    async def body(backend: Backend) -> list[str | None]:
        first = await backend.submit(site.attempt(site.sleeping, "first"))
        server = parent(first)
        os.kill(server, signal.SIGSTOP)
        cold: list[str | None] = []

        async def run(attempt: Attempt) -> None:
            job = await backend.submit(attempt)
            cold.append((await backend.started(job, ignore)).cold)
            await backend.wait(job)

        async with trio.open_nursery() as nursery:
            for attempt in attempts:
                nursery.start_soon(run, attempt)
            await trio.testing.wait_all_tasks_blocked(0.01)
            os.kill(server, signal.SIGCONT)
        await backend.cancel(first, 0)
        return cold

    assert site.run(body) == [None] * 20
    assert {site.stdout(attempt) for attempt in attempts} == {"50000\n"}


def test_server_ends_with_the_backend(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    attempt = site.attempt(python("import os; print(os.getppid())"))

    async def body(backend: Backend) -> list[int]:
        await backend.wait(await backend.submit(attempt))
        [supervisor] = children(os.getpid())
        return children(supervisor)

    [server] = site.run(body)
    assert server == int(site.stdout(attempt))
    assert not lives(server)


def test_signal_is_named_in_the_reason(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    end = site.end_of(site.attempt(python("import os; os.kill(os.getpid(), 10)")))
    assert (end.exit_status, describe(end)) == (138, "killed by SIGUSR1")


def test_measurements_are_those_of_the_session(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    code = "x = bytearray(64 << 20)\nfor _ in range(10**6): pass"
    [end], _ = run_all(site, [site.attempt(python(code))])
    assert end.max_rss is not None
    assert 64 * MIB < end.max_rss < 200 * MIB
    assert end.cpu_time
    assert end.duration
