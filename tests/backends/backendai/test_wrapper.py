"""The wrapper as it is sent, carried out by real shells: what goes in, and what its console says afterwards."""

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

from runner.backends.backendai import download, options, upload
from runner.backends.backendai.console import Console, read
from runner.backends.backendai.outcome import ended
from runner.model import Attempt, Outcome
from runner.reasons import describe

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
JOB = options.read({}, {"BACKEND_ACCESS_KEY": "A", "BACKEND_SECRET_KEY": "S"}).job
NOISE = (
    "\x1b[35;1m[2026/11/23 15:03:24:3402] N: ttyd 1.6.3-80c6f66\r\n\x1b[0mpython-kernel: Service sshd has started\r\n"
)


class Container:
    """A folder to run in, and the shell that takes the place of the image's."""

    def __init__(self, shell: list[str], folder: Path) -> None:
        self.shell = shell
        self.home = folder / "home"
        self.here = folder / "here"
        self.bin = folder / "bin"
        for made in (self.home, self.here, self.here / "output", self.bin):
            made.mkdir()
        self.path = f"{self.bin}:/usr/bin:/bin"
        if shell[0] == "busybox":  # its own tools as well, and nothing else
            subprocess.run(["busybox", "--install", "-s", str(self.bin)], check=True)
            (self.bin / "python3").symlink_to("/usr/bin/python3")
            (self.bin / "sh").unlink()
            self.shell = [shutil.which("busybox") or "", "sh"]
            self.path = str(self.bin)
        # Whatever says `sh` in there means this shell.
        (self.bin / "sh").write_text(f'#!/bin/sh\nexec {" ".join(self.shell)} "$@"\n')
        (self.bin / "sh").chmod(0o755)

    def attempt(self, command: str | tuple[str, ...], **env: str) -> Attempt:
        return Attempt(
            name=f"0123456789ab-0123456789abcdef-{os.urandom(3).hex()}",
            session="0123456789abcdef",
            number=1,
            command=command,
            env=env,
            secrets={},
            workdir=str(self.here),
            stdout=str(self.here / "job.out"),
            stderr=str(self.here / "job.err"),
            output=str(self.here / "output"),
            resources={},
            image="python:3.11",
            timeout=None,
            grace=10.0,
            root=str(self.here),
        )

    def start(self, attempt: Attempt) -> subprocess.Popen[bytes]:
        body = upload.request(attempt, JOB)
        environ = {
            "PATH": self.path,
            "TMPDIR": str(self.home.parent),
            **body["config"]["environ"],
        }
        command = [*self.shell, "-c", body["startupCommand"]]
        return subprocess.Popen(command, env=environ, cwd=self.home, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def finish(self, job: subprocess.Popen[bytes], attempt: Attempt) -> Console:
        out, _ = job.communicate(timeout=60)
        self.code = job.returncode
        self.log = NOISE + out.decode().replace("\n", "\r\n") + NOISE
        return download.bring_back(self.log, attempt.name, attempt)

    def run(self, attempt: Attempt) -> Console:
        return self.finish(self.start(attempt), attempt)

    def stdout(self) -> bytes:
        return (self.here / "job.out").read_bytes()

    def stderr(self) -> bytes:
        return (self.here / "job.err").read_bytes()


@pytest.fixture(params=SHELLS, ids=[shell[0] for shell in SHELLS])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    return Container(request.param, tmp_path)


def test_streams_apart_and_exit_code(container: Container) -> None:
    """stdout and stderr go their own ways, nothing of the noise round them gets in, the exit code is the program's."""
    console = container.run(container.attempt("echo out; echo err >&2; printf more; exit 3"))
    assert (container.stdout(), container.stderr()) == (b"out\nmore", b"err\n")
    assert console.begun
    assert console.end is not None
    assert (console.end.code, container.code) == (3, 3)
    assert ended(None, None, console, None).outcome is Outcome.FAILED


def test_five_megabytes_of_any_bytes(container: Container) -> None:
    """Byte for byte, whatever they are, with no line end at the end."""
    content = os.urandom(1 << 20) * 4 + bytes(range(256)) * 4000 + b"\r\n\x1b[0m no end of line"
    (container.here / "big").write_bytes(content)
    copy = f"cat {container.here}/big; echo small >&2"
    console = container.run(container.attempt(copy))
    assert len(content) > 5_000_000
    assert container.stdout() == content
    assert container.stderr() == b"small\n"
    assert console.end is not None
    assert len(container.log) < 10_000_000


def test_what_is_too_much_is_missing_in_the_middle_and_said_so(container: Container) -> None:
    """Beyond what the console keeps, the first and the last part of a stream arrive, and stderr's log says the rest."""
    digits = "0123456789" * 7
    lines = f"i=0; while [ $i -lt 120000 ]; do echo $i: {digits}; i=$((i+1)); done"
    container.run(container.attempt(lines))
    assert container.stdout().startswith(b"0: 0123")
    assert container.stdout().endswith(f"119999: {digits}\n".encode())
    assert b"runner: the cluster kept" in container.stderr()
    assert b"bytes of stdout" in container.stderr()
    assert len(container.log) < 10_000_000


@pytest.mark.parametrize(("command", "code"), [(("no-such-program",), 127), (("/dev/null",), 126), ("kill -9 $$", 137)])
def test_exit_codes_of_what_did_not_run(container: Container, command: str | tuple[str, ...], code: int) -> None:
    console = container.run(container.attempt(command))
    assert console.end is not None
    assert (console.end.code, container.code) == (code, code)


def test_arguments_variables_and_secrets_as_they_are(container: Container) -> None:
    """Nothing is split, expanded or lost on the way, whatever a value or a name looks like."""
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


def test_stdin_is_empty_and_interrupts_are_heard(container: Container) -> None:
    container.run(container.attempt("wc -c; grep SigIgn /proc/self/status"))
    count, mask = container.stdout().split(b"\n", 1)
    assert count.strip() == b"0"
    if container.shell[0] in ("dash", "bash"):  # busybox has nothing that could undo what its shell does
        assert int(mask.split()[1], 16) & 0b110 == 0


def test_files_are_laid_out_with_their_modes(container: Container) -> None:
    """Every input lies below the working directory with its bytes, also an empty one and one with an odd name."""
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


def test_working_directory(container: Container) -> None:
    (container.here / "sub").mkdir()
    (container.here / "sub/x").write_text("x")
    attempt = replace(container.attempt("pwd"), workdir=str(container.here / "sub"), files=("sub/x",))
    container.run(attempt)
    assert container.stdout() == f"{container.home}/sub\n".encode()
    console = container.run(replace(container.attempt("pwd"), workdir=str(container.here / "missing")))
    assert console.end is not None
    assert console.end.code == 126


def test_output_files_come_back(container: Container) -> None:
    """What is written to RUNNER_OUTPUT_DIR is in the session's own folder afterwards, as far as there is room."""
    write = (
        'cd "$RUNNER_OUTPUT_DIR" && mkdir -p "a b" && echo 1 >metrics.json && printf x >"a b/.hidden" && : >empty'
        " && ln -s /etc/passwd link && head -c 2000000 /dev/zero >large && printf '#!/bin/sh' >tool && chmod +x tool"
    )
    console = container.run(container.attempt(write, RUNNER_OUTPUT_DIR="/replaced"))
    output = container.here / "output"
    found = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert found == {"metrics.json", "a b/.hidden", "empty", "tool"}
    assert os.access(output / "tool", os.X_OK)
    assert not os.access(output / "metrics.json", os.X_OK)
    assert console.end is not None
    assert console.end.left_out == 1
    assert b"1 output file could not be brought back" in container.stderr()
    assert b"1 output file could not be laid down: outside the folder" in container.stderr()
    assert not (output / "link").is_symlink()


def test_links_and_empty_folders_come_back(container: Container) -> None:
    """Links as links, also one that names a place in the output folder in full; folders with nothing in them, too."""
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


def test_a_retry_finds_the_links_to_folders_of_its_checkpoints(container: Container) -> None:
    """Beside the files; one to a place outside, as an attempt on this machine may have left it, stays here."""
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


def test_links_that_find_no_room_are_counted(container: Container) -> None:
    write = 'cd "$RUNNER_OUTPUT_DIR" && head -c 1048000 /dev/zero >large && ln -s large z && mkdir zz'
    console = container.run(container.attempt(write, RUNNER_OUTPUT_DIR="/replaced"))
    assert console.end is not None
    assert console.end.left_out == 2
    assert b"2 output files could not be brought back" in container.stderr()


def test_what_a_build_links_is_there_for_its_sessions(container: Container) -> None:
    """From the build's container to ours and into the session's: links, also those into the image, and empty folders."""
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
    (folder / "whole").symlink_to(folder / "libx.so.1")  # as a build on this machine may have made it
    look = "cat 'lib/lib x.so' whole && for l in lib/*x.so lib/sh whole; do readlink \"$l\"; done && rmdir empty"
    session = replace(container.attempt(look), root=str(folder), workdir=str(folder), files=None)
    console = container.run(session)
    assert console.end is not None
    assert (console.end.code, container.stderr()) == (0, b"")
    assert container.stdout() == b"1\n1\n../libx.so.1\n/bin/sh\nlibx.so.1\n"


def test_a_build_brings_back_what_it_made(container: Container) -> None:
    """A build's output is its working directory: what it made or changed comes back, its inputs need not."""
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
    console = container.run(attempt)
    assert "made" in {file.path for file in console.files.values()}
    assert os.access(folder / "made", os.X_OK)


def test_timeout_is_carried_out_with_grace(container: Container) -> None:
    """TERM at the limit; a program that takes the hint may say its last words."""
    command = "trap 'echo last words; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    began = time.monotonic()
    attempt = replace(container.attempt(command), timeout=1.0)
    console = container.run(attempt)
    assert time.monotonic() - began < 8
    assert container.stdout() == b"ready\nlast words\n"
    assert console.end is not None
    assert (console.end.code, console.end.why) == (7, "timeout")
    assert ended(None, None, console, attempt).outcome is Outcome.TIMED_OUT
    assert describe(ended(None, None, console, attempt)) == "ran longer than 1s"


def test_who_ignores_term_is_killed_with_all_children(container: Container) -> None:
    child = f"trap '' TERM; while :; do sleep 0.2; date >{container.here}/beat; done"
    command = f"trap '' TERM; sh -c {shlex.quote(child)} & wait; while :; do sleep 1; done"
    console = container.run(replace(container.attempt(command), timeout=0.5, grace=0.5))
    assert console.end is not None
    assert (console.end.code, console.end.why) == (137, "timeout")
    beat = (container.here / "beat").stat().st_mtime_ns
    time.sleep(0.6)
    assert (container.here / "beat").stat().st_mtime_ns == beat


@pytest.mark.parametrize("signals", [1, 2])
def test_interrupts_end_it(container: Container, signals: int) -> None:
    """The first asks with TERM, the second kills; either way the console tells the end."""
    command = "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    attempt = container.attempt(command if signals == 1 else "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    job = container.start(attempt)
    time.sleep(1.0)
    for _ in range(signals):
        job.send_signal(signal.SIGINT)
        time.sleep(0.3)
    console = container.finish(job, attempt)
    assert console.end is not None
    assert (console.end.why, console.end.code) == ("asked", 9 if signals == 1 else 137)
    assert container.stdout() == (b"ready\nbye\n" if signals == 1 else b"ready\n")


def test_usage_is_measured(container: Container) -> None:
    """Processor time, peak memory and duration of the program alone."""
    console = container.run(
        container.attempt(
            ("python3", "-c", "x = bytearray(60 << 20); import time\nwhile time.process_time() < 0.6: pass")
        )
    )
    assert console.end is not None
    assert console.end.code == 0
    assert console.end.cpu is not None
    assert 0.5 < console.end.cpu < 3
    assert console.end.peak is not None
    assert 60 << 20 < console.end.peak < 120 << 20
    assert 0.5 < console.end.ran < 20


def test_orphans_do_not_hold_up_the_end(container: Container) -> None:
    """A process that keeps stdout open after the program's end is not waited for."""
    began = time.monotonic()
    console = container.run(container.attempt("sleep 30 & echo done"))
    assert time.monotonic() - began < 10
    assert container.stdout() == b"done\n"
    assert console.end is not None


def test_the_console_while_it_runs(container: Container) -> None:
    """What has been written so far can be read long before the end."""
    attempt = container.attempt("echo early; sleep 3; echo late")
    job = container.start(attempt)
    assert job.stdout is not None
    so_far = b""
    while b":o:" not in so_far:
        so_far += job.stdout.readline()
    console = read(so_far.decode(), upload.key(attempt.name))
    assert console.out.join() == (b"early\n", 0)
    assert console.end is None
    job.kill()
    job.communicate()
