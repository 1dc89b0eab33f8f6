"""The wrapper script run by real shells, from the request that carries it to the parsed console."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.backendai import options
from runner.backends.backendai.collect import collect
from runner.backends.backendai.console import ConsoleLog, WrapperEnd, marker, parse
from runner.backends.backendai.outcome import attempt_end
from runner.backends.backendai.upload import create_request
from runner.model import Attempt, Outcome
from runner.text.reasons import describe
from tests.fake_backendai import NOISE, attempt_in

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
DEFAULTS = options.read({}, {"BACKEND_ACCESS_KEY": "A", "BACKEND_SECRET_KEY": "S"}).job

DEADLINE = 300.0
"""Seconds after which a wrapper counts as hung, on a machine under any load."""


class Container:
    """A folder that stands for a container's file system, and a shell that stands for the image's `sh`."""

    def __init__(self, shell: list[str], folder: Path) -> None:
        self.shell = shell
        self.home = folder / "home"
        self.here = folder / "here"
        self.bin = folder / "bin"
        for path in (self.home, self.here, self.here / "output", self.bin):
            path.mkdir()
        self.path = f"{self.bin}:/usr/bin:/bin"
        if shell[0] == "busybox":  # with busybox's own tools only
            subprocess.run(["busybox", "--install", "-s", str(self.bin)], check=True)
            (self.bin / "python3").symlink_to("/usr/bin/python3")
            (self.bin / "sh").unlink()
            self.shell = [shutil.which("busybox") or "", "sh"]
            self.path = str(self.bin)
        (self.bin / "sh").write_text(f'#!/bin/sh\nexec {" ".join(self.shell)} "$@"\n')
        (self.bin / "sh").chmod(0o755)
        self._printed = b""

    def attempt(self, command: str | tuple[str, ...], **env: str) -> Attempt:
        name = f"0123456789ab-0123456789abcdef-{os.urandom(3).hex()}"
        return replace(attempt_in(self.here, name), command=command, env=env, grace=10.0)

    def start(self, attempt: Attempt) -> subprocess.Popen[bytes]:
        body = create_request(attempt, DEFAULTS).body
        environ = {
            "PATH": self.path,
            "TMPDIR": str(self.home.parent),
            **body["config"]["environ"],
        }
        command = [*self.shell, "-c", body["startupCommand"]]
        self._printed = b""
        return subprocess.Popen(command, env=environ, cwd=self.home, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def read_until(self, job: subprocess.Popen[bytes], words: bytes) -> str:
        """Return what the wrapper has printed, once that contains `words`."""
        assert job.stdout is not None
        while words not in self._printed:
            line = job.stdout.readline()
            assert line, "the wrapper has ended"
            self._printed += line
        return self._printed.decode()

    def finish(self, job: subprocess.Popen[bytes], attempt: Attempt) -> WrapperEnd:
        """Wait for the wrapper, collect its console, and return its record of the end."""
        rest, _ = job.communicate(timeout=DEADLINE)
        self.code = job.returncode
        self.log = NOISE + (self._printed + rest).decode().replace("\n", "\r\n") + NOISE
        self.console: ConsoleLog = collect(self.log, attempt.name, attempt)
        assert self.console.end is not None
        return self.console.end

    def run(self, attempt: Attempt) -> WrapperEnd:
        return self.finish(self.start(attempt), attempt)

    def stdout(self) -> bytes:
        return (self.here / "out").read_bytes()

    def stderr(self) -> bytes:
        return (self.here / "err").read_bytes()


@pytest.fixture(params=SHELLS, ids=[shell[0] for shell in SHELLS])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    return Container(request.param, tmp_path)


def test_streams_and_exit_code_arrive_without_other_output(container: Container) -> None:
    end = container.run(container.attempt("echo out; echo err >&2; printf more; exit 3"))
    assert (container.stdout(), container.stderr()) == (b"out\nmore", b"err\n")
    assert container.console.started
    assert (end.exit_code, container.code) == (3, 3)
    assert attempt_end(None, None, container.console, None).outcome is Outcome.FAILED


def test_five_megabytes_of_any_bytes_arrive_unchanged(container: Container) -> None:
    """Also without a line end at the end."""
    content = os.urandom(1 << 20) * 4 + bytes(range(256)) * 4000 + b"\r\n\x1b[0m no end of line"
    (container.here / "big").write_bytes(content)
    copy = f"cat {container.here}/big; echo small >&2"
    container.run(container.attempt(copy))
    assert len(content) > 5_000_000
    assert container.stdout() == content
    assert container.stderr() == b"small\n"
    assert len(container.log) < 10_000_000


def test_too_long_stream_lacks_its_middle(container: Container) -> None:
    """Its first and last parts arrive, and stderr notes what is missing."""
    digits = "0123456789" * 7
    lines = f"i=0; while [ $i -lt 120000 ]; do echo $i: {digits}; i=$((i+1)); done"
    container.run(container.attempt(lines))
    assert container.stdout().startswith(b"0: 0123")
    assert container.stdout().endswith(f"119999: {digits}\n".encode())
    assert b"runner: the cluster kept" in container.stderr()
    assert b"bytes of stdout" in container.stderr()
    assert len(container.log) < 10_000_000


@pytest.mark.parametrize(("command", "code"), [(("no-such-program",), 127), (("/dev/null",), 126), ("kill -9 $$", 137)])
def test_exit_code_of_a_program_that_cannot_run_or_is_killed(
    container: Container, command: str | tuple[str, ...], code: int
) -> None:
    end = container.run(container.attempt(command))
    assert (end.exit_code, container.code) == (code, code)


def test_arguments_variables_and_secrets_arrive_unchanged(container: Container) -> None:
    """No value or name is split, expanded or lost."""
    words = ("", "a b", "$HOME", "*", "-n", "line\nline", "é🐍", "'\"`id`$(id)")
    attempt = container.attempt(("printf", "<%s>", *words))
    container.run(attempt)
    assert container.stdout() == "".join(f"<{word}>" for word in words).encode()
    hostile = "a'b\"$(id)`id`\n*;é🐍"
    attempt = container.attempt(("env",), PLAIN=hostile, **{"odd.name": "1", "UID": "2", "IFS": "x"})
    container.run(replace(attempt, secrets={"SECRET": "hunter2"}))
    seen = container.stdout().decode()
    for line in (f"PLAIN={hostile}\n", "odd.name=1\n", "SECRET=hunter2\n", "IFS=x\n", "UID=2\n"):
        assert line in seen
    assert "RUNNER_PAYLOAD" not in seen
    assert "hunter2" not in container.log


def test_stdin_is_empty_and_signals_are_not_ignored(container: Container) -> None:
    container.run(container.attempt("wc -c; grep SigIgn /proc/self/status"))
    count, mask = container.stdout().split(b"\n", 1)
    assert count.strip() == b"0"
    if container.shell[0] in ("dash", "bash"):  # busybox cannot undo that its shell ignores SIGINT
        assert int(mask.split()[1], 16) & 0b110 == 0


def test_input_files_are_created_with_their_modes(container: Container) -> None:
    """Also an empty one and one with quotes and spaces in its name."""
    contents = {
        "train.py": b"print()\n",
        "data/a b's.bin": bytes(range(256)) * 300,
        "data/empty": b"",
        "run.sh": b"#!/bin/sh\necho ran\n",
    }
    for name, content in contents.items():
        path = container.here / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (container.here / "run.sh").chmod(0o755)
    attempt = replace(
        container.attempt("./run.sh && cat train.py && pwd && cat params.json", RUNNER_PARAMS_FILE="gone"),
        files=tuple(contents),
    )
    container.run(attempt)
    assert container.stdout() == b"ran\nprint()\n" + f"{container.home}\n".encode()
    for name, content in contents.items():
        assert (container.home / name).read_bytes() == content


def test_working_directory_below_the_root(container: Container) -> None:
    (container.here / "sub").mkdir()
    (container.here / "sub/x").write_text("x")
    attempt = replace(container.attempt("pwd"), workdir=str(container.here / "sub"), files=("sub/x",))
    container.run(attempt)
    assert container.stdout() == f"{container.home}/sub\n".encode()
    end = container.run(replace(container.attempt("pwd"), workdir=str(container.here / "missing")))
    assert end.exit_code == 126


def test_output_files_are_brought_back_as_far_as_they_fit(container: Container) -> None:
    write = (
        'cd "$RUNNER_OUTPUT_DIR" && mkdir -p "a b" && echo 1 >metrics.json && printf x >"a b/.hidden" && : >empty'
        " && ln -s /etc/passwd link && head -c 2000000 /dev/zero >large && printf '#!/bin/sh' >tool && chmod +x tool"
    )
    end = container.run(container.attempt(write, RUNNER_OUTPUT_DIR="/replaced"))
    output = container.here / "output"
    found = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert found == {"metrics.json", "a b/.hidden", "empty", "tool"}
    assert os.access(output / "tool", os.X_OK)
    assert not os.access(output / "metrics.json", os.X_OK)
    assert end.omitted == 1
    assert b"1 output file could not be brought back" in container.stderr()
    assert b"1 output file could not be created: outside the output folder" in container.stderr()
    assert not (output / "link").is_symlink()


def test_links_and_empty_folders_are_brought_back(container: Container) -> None:
    """Also a link with an absolute target in the output folder."""
    write = (
        'cd "$RUNNER_OUTPUT_DIR" && mkdir -p step1 "a b" deep/er && echo 1 >step1/model && ln -s step1 latest'
        ' && ln -s "$RUNNER_OUTPUT_DIR/step1/model" deep/best && ln -s ../step1/gone "deep/-dangling"'
    )
    container.run(container.attempt(write, RUNNER_OUTPUT_DIR="/replaced"))
    output = container.here / "output"
    assert (output / "latest").readlink() == Path("step1")
    assert (output / "deep/best").readlink() == Path("../step1/model")
    assert (output / "deep/-dangling").readlink() == Path("../step1/gone")
    assert (output / "deep/best").read_text() == "1\n"
    bare = {path.name for path in output.rglob("*") if path.is_dir() and not list(path.iterdir())}
    assert bare == {"a b", "er"}
    assert container.stderr() == b""


def test_retry_has_the_links_to_folders_of_its_checkpoints(container: Container) -> None:
    """Without links that lead out of the output folder, as an attempt of the local backend may leave them."""
    output = container.here / "output"
    (output / "step1").mkdir()
    (output / "step1/model").write_text("1\n")
    (output / "latest").symlink_to("step1")
    (output / "whole").symlink_to(output / "step1")
    (output / "outside").symlink_to(container.home)
    look = 'cd "$RUNNER_OUTPUT_DIR" && cat latest/model whole/model; test -L latest && ls'
    container.run(replace(container.attempt(look, RUNNER_OUTPUT_DIR="/replaced"), number=2, files=()))
    assert container.stdout() == b"1\n1\nlatest\nstep1\nwhole\n"
    assert container.stderr() == b""


def test_links_that_do_not_fit_are_counted(container: Container) -> None:
    write = 'cd "$RUNNER_OUTPUT_DIR" && head -c 1048000 /dev/zero >large && ln -s large z && mkdir zz'
    end = container.run(container.attempt(write, RUNNER_OUTPUT_DIR="/replaced"))
    assert end.omitted == 2
    assert b"2 output files could not be brought back" in container.stderr()


def test_session_has_the_links_and_empty_folders_of_its_build(container: Container) -> None:
    """Also links into the image."""
    folder = container.here / "build"
    folder.mkdir()
    made = replace(
        container.attempt(
            "echo 1 >libx.so.1; mkdir lib empty; cd lib; ln -s ../libx.so.1 'lib x.so'; ln -s /bin/sh sh"
        ),
        output=str(folder),
        workdir=str(folder),
        root=str(folder),
        files=None,
    )
    container.run(made)
    (folder / "whole").symlink_to(folder / "libx.so.1")  # as the local backend may leave it
    look = "cat 'lib/lib x.so' whole && for l in lib/*x.so lib/sh whole; do readlink \"$l\"; done && rmdir empty"
    session = replace(container.attempt(look), root=str(folder), workdir=str(folder), files=None)
    end = container.run(session)
    assert (end.exit_code, container.stderr()) == (0, b"")
    assert container.stdout() == b"1\n1\n../libx.so.1\n/bin/sh\nlibx.so.1\n"


def test_build_brings_back_the_files_that_it_made(container: Container) -> None:
    """Its output is its working directory."""
    folder = container.here / "build"
    folder.mkdir()
    (folder / "in.c").write_text("int main;")
    attempt = replace(
        container.attempt("sleep 0.1; cat in.c >made; chmod +x made"),
        output=str(folder),
        workdir=str(folder),
        root=str(folder),
        files=None,
    )
    container.run(attempt)
    assert "made" in {file.path for file in container.console.files.values()}
    assert os.access(folder / "made", os.X_OK)


def test_timeout_sends_term_and_keeps_the_last_words(container: Container) -> None:
    command = "trap 'echo last words; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    attempt = replace(container.attempt(command), timeout=1.0)
    end = container.run(attempt)
    assert container.stdout() == b"ready\nlast words\n"
    assert (end.exit_code, end.cause) == (7, "timeout")
    found = attempt_end(None, None, container.console, attempt)
    assert (found.outcome, describe(found)) == (Outcome.TIMED_OUT, "ran longer than 1s")


def test_process_tree_that_ignores_term_is_killed(container: Container) -> None:
    child = f"trap '' TERM; while :; do sleep 0.2; date >{container.here}/beat; done"
    command = f"trap '' TERM; sh -c {shlex.quote(child)} & wait; while :; do sleep 1; done"
    end = container.run(replace(container.attempt(command), timeout=0.5, grace=0.5))
    assert (end.exit_code, end.cause) == (137, "timeout")
    beat = container.here / "beat"
    before = beat.stat().st_mtime_ns if beat.exists() else None
    time.sleep(0.6)
    assert (beat.stat().st_mtime_ns if beat.exists() else None) == before


@pytest.mark.parametrize("signals", [1, 2])
def test_first_interrupt_terminates_and_second_kills(container: Container, signals: int) -> None:
    """Both times the wrapper reports the end."""
    command = "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    attempt = container.attempt(command if signals == 1 else "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    job = container.start(attempt)
    container.read_until(job, b":o:")
    for _ in range(signals):
        job.send_signal(signal.SIGINT)
        time.sleep(0.3)  # two signals at once would be delivered as one
    end = container.finish(job, attempt)
    assert (end.cause, end.exit_code) == ("asked", 9 if signals == 1 else 137)
    assert container.stdout() == (b"ready\nbye\n" if signals == 1 else b"ready\n")


def test_usage_is_that_of_the_program(container: Container) -> None:
    program = "x = bytearray(60 << 20); import time\nwhile time.process_time() < 0.6: pass"
    end = container.run(container.attempt(("python3", "-c", program)))
    assert end.exit_code == 0
    assert end.cpu_time is not None
    assert 0.5 < end.cpu_time < 3
    assert end.max_rss is not None
    assert 60 << 20 < end.max_rss < 120 << 20
    assert end.duration > 0.5


def test_background_process_does_not_delay_the_end(container: Container) -> None:
    """Although it keeps stdout open."""
    container.run(container.attempt("sleep 1000 & echo $! done"))
    pid, words = container.stdout().split()
    assert words == b"done"
    os.kill(int(pid), signal.SIGKILL)  # it was still running


def test_output_is_printed_while_the_program_runs(container: Container) -> None:
    attempt = container.attempt("echo early; sleep 1000")
    job = container.start(attempt)
    console = parse(container.read_until(job, b":o:"), marker(attempt.name))
    assert console.stdout.join() == (b"early\n", 0)
    assert console.end is None
    job.send_signal(signal.SIGINT)
    container.finish(job, attempt)
