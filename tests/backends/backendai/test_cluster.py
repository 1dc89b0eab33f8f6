"""The backend on a real Backend.AI cluster. Results are compared with the manager's database."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from runner.backends.backendai.backend import BackendAI
from tests.backendai import Cluster, SweepFolder, max_concurrent, wait_slowly
from tests.contract import Contract, Site, unique
from tests.processes import HANG, wait_for
from tests.proxy import Exchange, Proxy, pass_through

pytestmark = pytest.mark.backendai


class TestContract(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path, cluster: Cluster) -> Site:
        return Site(
            lambda: BackendAI({}, cluster.environ()),
            tmp_path,
            image=cluster.image,
            resources={"cpu": 1, "mem": 256 << 20},
            many=8,
            patience=HANG,
        )


@pytest.fixture
def folder(tmp_path: Path, cluster: Cluster) -> Iterator[SweepFolder]:
    with SweepFolder(tmp_path, cluster, unique("t", tmp_path)) as folder:
        yield folder


@pytest.fixture
def lone_folder(tmp_path: Path, lone_cluster: Cluster) -> Iterator[SweepFolder]:
    with SweepFolder(tmp_path, lone_cluster, unique("t", tmp_path)) as folder:
        yield folder


def submits(exchange: Exchange) -> bool:
    return (exchange.method, exchange.path) == ("POST", "/session")


# Outcomes


def test_outcome_exit_code_and_reason_of_each_ending(folder: SweepFolder) -> None:
    image, gone = folder.cluster.image, folder.cluster.values["IMAGE_GONE"]
    cases = {
        "success": ("echo fine", image, "256m", ("succeeded", 0, None)),
        "exit": ("exit 3", image, "256m", ("failed", 3, "exit code 3")),
        "signal": ("kill -9 $$", image, "256m", ("failed", 137, "SIGKILL")),
        "memory": ("python3 -c 'bytearray(1 << 30)'", image, "256m", ("out-of-memory", 137, "memory")),
        "timeout": ("sleep 1000", image, "256m", ("timed-out", 143, "ran longer than")),
        "killed": ("touch /tmp/k; sleep 1001", image, "256m", ("lost", None, "its container")),
        "destroyed": ("sleep 1002", image, "256m", ("cancelled", None, "outside of runner")),
        "no-image": ("true", f"{image}-none", "256m", ("rejected", None, "No such environment image")),
        "no-pull": ("true", gone, "256m", ("rejected", None, "manifest unknown")),
        "too-small": ("true", image, "96m", ("rejected", None, "smaller than the minimum required by the image")),
    }
    names = list(cases)
    columns = {
        "case": names,
        "script": [cases[name][0] for name in names],
        "image": [cases[name][1] for name in names],
        "mem": [cases[name][2] for name in names],
    }
    folder.write(
        "exec: [sh, -c, $script]\nimage: $image\nresources: {cpu: 1, mem: $mem}\ntimeout: 60s\ngrace: 1s\n"
        f"ranges: {json.dumps(columns)}\nenv: {{CASE: $case}}\nzip: [[case, script, image, mem]]\n"
    )
    session = {name: row["id"] for name, row in folder.by("case").items()}
    runner = folder.start("apply")
    for name, end in (("killed", folder.cluster.kill), ("destroyed", folder.cluster.destroy)):
        wait_slowly(lambda: [job for job in folder.jobs() if session[name] in job.name and job.status == "RUNNING"])  # noqa: B023
        end(next(job for job in folder.jobs() if session[name] in job.name))
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 1, errors
    rows = folder.by("case")
    for name, (_, _, _, (status, code, reason)) in cases.items():
        row = rows[name]
        assert (row["status"], row["exit_code"]) == (status, code), (name, row)
        assert reason is None or reason in str(row["reason"]), (name, row)
    wait_slowly(lambda: all(job.terminated for job in folder.jobs()))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {"group": "unknown"}, "Invalid group"),
        ("", {"scaling_group": "nowhere"}, "scaling group"),
        ("resources: {cpu: 1, mem: 256m, tpu.device: 1}\n", {}, "Unknown slot type"),
        ("", {"mounts": ["no-such-folder"]}, "virtual folder"),
    ],
)
def test_invalid_request_is_rejected_and_leaves_no_session(
    folder: SweepFolder, text: str, options: dict[str, Any], words: str
) -> None:
    folder.write(f"exec: [sh, -c, exit 0]\n{text}", **options)
    done = folder.run("apply")
    assert done.returncode == 1, done.stderr
    [row] = folder.rows()
    assert row["status"] == "rejected"
    assert words in str(row["reason"])
    assert row["attempts"] == 1
    assert folder.jobs() == []


def test_job_without_capacity_waits_until_it_is_cancelled(folder: SweepFolder) -> None:
    """Its timeout does not run while it waits."""
    folder.write("exec: [sh, -c, exit 0]\nresources: {cpu: 1000, mem: 256m}\ntimeout: 1s\n")
    runner = folder.start("apply")
    folder.wait_for_jobs("PENDING")
    wait_slowly(lambda: '"waiting": "' in folder.run("status", "--format", "json").stdout)
    [waiting] = json.loads(folder.run("status", "--format", "json").stdout)["running"]
    assert waiting["started"] is None
    assert waiting["waiting"]
    folder.run("cancel")
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 1, errors
    assert [job.status for job in folder.jobs()] == ["CANCELLED"]
    assert [row["status"] for row in folder.rows()] == ["cancelled"]


def test_job_that_the_scheduler_gives_up_is_rejected(lone_folder: SweepFolder) -> None:
    folder = lone_folder
    folder.write("exec: [sh, -c, exit 0]\nresources: {cpu: 1000, mem: 256m}\n")
    pending_timeout = "UPDATE scaling_groups SET scheduler_opts = jsonb_set(scheduler_opts, '{pending_timeout}', '%s')"
    folder.cluster.sql(pending_timeout % 3)
    try:
        done = folder.run("apply")
    finally:
        folder.cluster.sql(pending_timeout % 0)
    assert done.returncode == 1, done.stderr
    assert [job.info for job in folder.jobs()] == ["pending-timeout"]
    [row] = folder.rows()
    assert row["status"] == "rejected"
    assert "gave up" in str(row["reason"])


# Files and streams


def test_streams_arrive_byte_for_byte(folder: SweepFolder) -> None:
    """Binary, ANSI codes, no line end at the end, and 5 MB."""
    script = (
        "import os\nos.write(1, bytes(range(256)) * 4 + b'\\x1b[1mbold\\r\\nend')\n"
        "os.write(2, b'\\x00\\xff no newline')\n"
        "if os.environ['X'] == '1':\n    import random\n    os.write(1, random.Random(1).randbytes(5_000_000))\n"
    )
    (folder.path / "speak.py").write_text(script)
    folder.write("exec: [python3, speak.py]\nfiles: [speak.py]\nenv: {X: $x}\nranges: {x: [0, 1]}\n")
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    small = bytes(range(256)) * 4 + b"\x1b[1mbold\r\nend"
    rows = folder.by("x")
    for x, expected in (("0", small), ("1", small + random.Random(1).randbytes(5_000_000))):
        assert Path(rows[x]["stdout"]).read_bytes() == expected
        assert Path(rows[x]["stderr"]).read_bytes() == b"\x00\xff no newline"


def test_files_metrics_and_output_files(folder: SweepFolder) -> None:
    (folder.path / "data").mkdir()
    (folder.path / "data" / "ü x.txt").write_bytes(b"\x00\xff")
    (folder.path / "go.sh").write_text(
        '#!/bin/sh\nset -e\ncmp "data/ü x.txt" "$1"\nprintf \'{"loss": 0.5}\' >"$RUNNER_OUTPUT_DIR/metrics.json"\n'
        'mkdir "$RUNNER_OUTPUT_DIR/sub"\nprintf "\\377" >"$RUNNER_OUTPUT_DIR/sub/b.bin"\necho acc=0.25\n'
        'test "$(cat "$RUNNER_PARAMS_FILE")" = "$RUNNER_PARAMS"\n'
    )
    (folder.path / "go.sh").chmod(0o755)
    folder.write(
        "exec: [./go.sh, $file]\nfiles: [go.sh, data/*]\nranges: {file: ['data/ü x.txt']}\n"
        "metrics: {loss: {json: metrics.json, key: loss}, acc: {regex: 'acc=(\\S+)'}}\n"
    )
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr + folder.run("logs", "--stderr").stdout
    [row] = folder.rows()
    assert row["metrics"] == {"loss": 0.5, "acc": 0.25}
    assert (Path(row["output"]) / "sub" / "b.bin").read_bytes() == b"\xff"


def test_links_and_empty_folders_in_builds_and_outputs(folder: SweepFolder) -> None:
    folder.write(
        "files: [in.txt]\n"
        "build: cp in.txt libx.so.1 && ln -s libx.so.1 libx.so && mkdir empty && ln -s $(command -v python3) python\n"
        "exec: |\n"
        "  test -L libx.so && cat libx.so && rmdir empty && ./python -c 'print(2)' &&\n"
        '  cd "$RUNNER_OUTPUT_DIR" && mkdir step1 bare && echo 3 >step1/model && ln -s "$PWD/step1" latest\n'
    )
    (folder.path / "in.txt").write_text("1\n")
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    [row] = folder.rows()
    assert Path(row["stdout"]).read_text() == "1\n2\n"
    output = Path(row["output"])
    assert (output / "latest").readlink() == Path("step1")
    assert (output / "latest/model").read_text() == "3\n"
    assert (output / "bare").is_dir()


def test_logs_follow_a_running_job(folder: SweepFolder) -> None:
    folder.write("exec: [sh, -c, 'echo early; while ! test -e /tmp/go; do sleep 0.2; done; echo late']\n")
    runner = folder.start("apply")
    [job] = folder.wait_for_jobs("RUNNING")
    follower = folder.start("logs", "-f", folder.rows()[0]["id"])
    assert follower.stdout is not None
    assert follower.stdout.readline() == "early\n"
    assert runner.poll() is None
    folder.cluster.run_in(job, "touch /tmp/go")
    assert follower.stdout.readline() == "late\n"
    follower.communicate(timeout=HANG)
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0, errors


def test_keys_and_secrets_are_in_no_file_or_output(folder: SweepFolder) -> None:
    """Nor on the session's console."""
    folder.write("code: import os; assert os.environ['TOKEN'].startswith('hunter2')\nsecrets: [TOKEN]\n")
    runs = [folder.run(*words, TOKEN="hunter2-hunter2") for words in (["apply"], ["status"], ["results"])]
    assert runs[0].returncode == 0, runs[0].stderr
    [job] = folder.jobs()
    seen = [run.stdout + run.stderr for run in runs]
    seen += [folder.cluster.official("session", "logs", job.name)]
    files = [path.read_bytes() for path in folder.path.rglob("*") if path.is_file()]
    for secret in (folder.cluster.values["USER_SECRET_KEY"], "hunter2-hunter2"):
        assert not any(secret in text for text in seen)
        assert not any(secret.encode() in content for content in files)


# Limits


def test_sixty_sessions_with_max_parallel_four(folder: SweepFolder) -> None:
    """At most 4 exist on the cluster at the same time, each is created once, and few requests are sent."""
    folder.write("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:60'}\nmax_parallel: 4\n")
    with Proxy(folder.cluster.endpoint) as proxy:
        runner = folder.start("apply", BACKEND_ENDPOINT=proxy.url)
        _, errors = runner.communicate(timeout=10 * HANG)
    assert runner.returncode == 0, errors
    rows = folder.by("x")
    assert {Path(rows[str(x)]["stdout"]).read_text() for x in range(60)} == {f"{x}\n" for x in range(60)}
    jobs = folder.jobs()
    assert Counter(job.result for job in jobs) == {"SUCCESS": 60}
    assert max_concurrent(jobs) == 4
    requests = Counter(
        "POST" if submits(exchange) else exchange.path.rpartition("/")[2] for exchange in proxy.exchanges
    )
    assert requests["POST"] == 60
    assert requests["gql"] < 4 * 60
    assert not any(ex.method == "GET" and re.search(r"/session/[^/]+$", ex.path) for ex in proxy.exchanges)


def test_jobs_beyond_the_quota_wait_and_say_why(folder: SweepFolder) -> None:
    folder.write("exec: [sh, -c, 'exit 0']\nenv: {X: $x}\nranges: {x: 'range:6'}\n")
    runner = folder.start("apply", user="tight")
    reasons: set[str] = set()

    def waited() -> bool:
        found = json.loads(folder.run("status", "--format", "json").stdout)["running"]
        reasons.update(str(row["waiting"]) for row in found if row["waiting"])
        assert all(row["waiting"] is None for row in found if row["started"])
        return bool(reasons) or runner.poll() is not None

    wait_slowly(waited)
    _, errors = runner.communicate(timeout=2 * HANG)
    assert runner.returncode == 0, errors
    assert any("concurrent sessions" in reason or "quota" in reason for reason in reasons), reasons
    assert [row["attempts"] for row in folder.rows()] == [1] * 6
    # How many the manager lets in is its own affair: under load it counts a session that has ended no longer.
    assert len(folder.jobs()) == 6


def test_used_up_rate_limit_delays_jobs(folder: SweepFolder) -> None:
    """An account with 20 requests in 15 minutes: after the first 429, requests pause. The limit is then reset."""
    refused = 0

    async def handle(exchange: Exchange) -> None:
        nonlocal refused
        await exchange.forward()
        await exchange.answer()
        if exchange.status == 429:
            refused += 1
            folder.cluster.reset_rate_limit("slow")

    folder.cluster.reset_rate_limit("slow")
    folder.write("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:8'}\nmax_parallel: 4\n")
    with Proxy(folder.cluster.endpoint, handle) as proxy:
        done = folder.run("apply", user="slow", BACKEND_ENDPOINT=proxy.url)
    assert done.returncode == 0, done.stderr
    assert 0 < refused < 10
    assert [Path(row["stdout"]).read_text() for row in folder.rows()] == [f"{x}\n" for x in range(8)]
    assert len(folder.jobs()) == 8


# Recovery


def test_jobs_are_adopted_after_runner_was_killed(folder: SweepFolder) -> None:
    """Killed between a submission and its answer, while jobs run, and before an end is collected: each job is submitted
    once, adopted and collected.
    """
    folder.write(
        "exec: [sh, -c, 'while ! test -e /tmp/go; do sleep 0.2; done; echo done $1', sh, $x]\nranges: {x: [0, 1]}\n"
    )
    victims: list[subprocess.Popen[str]] = []
    answered = 0

    async def handle(exchange: Exchange) -> None:
        nonlocal answered
        await exchange.forward()
        if submits(exchange) and len(victims) == 1:
            answered += 1
            if answered == 2:
                victims[0].kill()
                return
        if exchange.path.endswith("/logs") and len(victims) == 3:
            victims[2].kill()
            return
        await exchange.answer()

    with Proxy(folder.cluster.endpoint, handle) as proxy:
        victims.append(folder.start("apply", BACKEND_ENDPOINT=proxy.url))
        assert victims[0].wait(HANG) == -signal.SIGKILL
        assert len(folder.jobs()) == 2
        victims.append(folder.start("apply", BACKEND_ENDPOINT=proxy.url))
        jobs = folder.wait_for_jobs("RUNNING", 2)
        wait_slowly(lambda: [row["status"] for row in folder.rows()] == ["running"] * 2)
        victims[1].kill()
        victims[1].wait(HANG)
        assert [row["status"] for row in folder.rows()] == ["running"] * 2
        for job in jobs:
            folder.cluster.run_in(job, "touch /tmp/go")
        folder.wait_for_jobs("TERMINATED", 2)
        victims.append(folder.start("apply", BACKEND_ENDPOINT=proxy.url))
        assert victims[2].wait(HANG) == -signal.SIGKILL
        victims.append(folder.start("apply", BACKEND_ENDPOINT=proxy.url))
        _, errors = victims[3].communicate(timeout=HANG)
    for victim in victims:
        victim.communicate()
    assert victims[3].returncode == 0, errors
    rows = folder.rows()
    assert [(row["status"], row["attempts"]) for row in rows] == [("succeeded", 1)] * 2
    assert [Path(row["stdout"]).read_text() for row in rows] == ["done 0\n", "done 1\n"]
    assert [job.id for job in folder.jobs()] == [job.id for job in jobs]


def test_detached_jobs_run_on_and_are_collected(folder: SweepFolder) -> None:
    """`apply` ends a job whose session was removed from the file."""
    folder.write(
        "exec: [sh, -c, 'test $1 = 0 || exec sleep 1000; echo done', sh, $x]\nenv: {X: $x}\nranges: {x: [0, 1]}\n"
    )
    done = folder.run("apply", "--detach")
    assert done.returncode == 0, done.stderr
    assert len(folder.jobs()) == 2
    folder.wait_for_jobs("TERMINATED")
    folder.wait_for_jobs("RUNNING")
    assert {row["status"] for row in folder.rows()} == {"running"}
    [keep, drop] = sorted(folder.jobs(), key=lambda job: "TERMINATED" not in job.times)
    folder.write(
        "exec: [sh, -c, 'test $1 = 0 || exec sleep 1000; echo done', sh, $x]\nenv: {X: $x}\nranges: {x: [0]}\n"
    )
    assert json.loads(folder.run("status", "--format", "json").stdout)["orphaned"] == 1
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    [row] = folder.rows()
    assert (row["status"], row["attempts"], row["job"]) == ("succeeded", 1, keep.id)
    assert Path(row["stdout"]).read_text() == "done\n"
    wait_slowly(lambda: all(job.terminated for job in folder.jobs()))
    assert {job.id for job in folder.jobs()} == {keep.id, drop.id}


def test_killed_or_detached_run_is_resumed_by_the_printed_command(folder: SweepFolder) -> None:
    flags = (folder.cluster.image, "-r", "cpu=1", "-r", "mem=256m", "--tag", folder.tag)

    def as_printed(errors: str, which: int) -> subprocess.CompletedProcess[str]:
        command = re.findall(r"`(cd [^`]*)`", errors)[which]
        return folder.shell(command)

    dying = folder.start("run", *flags, "--exec", "sleep 1006")
    folder.wait_for_jobs("RUNNING")
    dying.kill()
    dying.communicate()
    warned = folder.run("run", "--exec", "echo next")
    assert (warned.returncode, warned.stdout) == (0, "next\n")
    assert "died and left 1 job at backend.ai" in warned.stderr
    ended = as_printed(warned.stderr, 1)
    assert ended.returncode == 0, ended.stderr
    wait_slowly(lambda: folder.jobs()[0].terminated)

    detached = folder.run("run", *flags, "--exec", "echo $x", "--exec-range=x=case:1,2", "--detach")
    assert detached.returncode == 0, detached.stderr
    assert "died" not in folder.run("run", "--exec", "true").stderr
    resumed = as_printed(detached.stderr, 0)
    assert resumed.returncode == 0, resumed.stderr
    assert "2 succeeded" in resumed.stderr
    assert len(folder.jobs()) == 3
    clean = folder.run("run", *flags, "-t", "kept", "--exec", "true")
    assert clean.returncode == 0, clean.stderr
    assert not (folder.path / "xdg/runner/runs/kept/run.yaml").exists()


def test_ctrl_c_ends_the_jobs_of_its_state_only(folder: SweepFolder) -> None:
    """Running and queued ones; a job of another state with the same tag continues."""
    other = SweepFolder(folder.path / "other", folder.cluster, folder.tag)
    other.path.mkdir()
    other.write("exec: [sleep, '1003']\n")
    assert other.run("apply", "--detach").returncode == 0
    folder.write(
        "exec: [sleep, $x]\ngrace: 1s\nresources: {cpu: $cpu, mem: 256m}\nranges: {x: [1004, 1005], cpu: [1, 1000]}\n"
        "zip: [[x, cpu]]\n"
    )
    runner = folder.start("apply")
    folder.wait_for_jobs("RUNNING", 2)
    folder.wait_for_jobs("PENDING", 1)
    runner.send_signal(signal.SIGINT)
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == -signal.SIGINT, errors
    assert [row["status"] for row in folder.rows()] == ["cancelled", "cancelled"]
    mine = {row["job"] for row in folder.rows()}
    assert {job.terminated for job in folder.jobs() if job.id in mine} == {True}
    [theirs] = [job for job in folder.jobs() if job.id not in mine]
    assert theirs.status == "RUNNING"
    assert other.run("cancel").returncode == 0
    wait_slowly(lambda: all(job.terminated for job in folder.jobs()))


# Faults


def test_manager_that_is_killed_and_restarted_loses_nothing(lone_folder: SweepFolder) -> None:
    """While jobs are queued, run and end. No job runs twice."""
    folder = lone_folder
    folder.write("exec: [sh, -c, 'sleep 8; echo $1', sh, $x]\nranges: {x: 'range:6'}\nmax_parallel: 4\n")
    runner = folder.start("apply", "--format", "jsonl")
    folder.wait_for_jobs("RUNNING", 2)
    folder.cluster.stop_manager()
    since = time.monotonic()
    try:
        wait_for(lambda: time.monotonic() > since + 20)
    finally:
        folder.cluster.start_manager()
    output, errors = runner.communicate(timeout=2 * HANG)
    assert runner.returncode == 0, errors
    assert [row["status"] for row in folder.rows()] == ["succeeded"] * 6
    assert [Path(row["stdout"]).read_text() for row in folder.rows()] == [f"{x}\n" for x in range(6)]
    ends = [event for event in map(json.loads, output.splitlines()) if event["event"] == "attempt-ended"]
    assert len(ends) == len(folder.jobs()) == sum(row["attempts"] for row in folder.rows())
    # only a job that the manager forgot to start was submitted again
    assert {end["reason"] for end in ends} <= {None, "the cluster never started its command"}
    wait_slowly(lambda: all(job.terminated for job in folder.jobs()))


def test_each_job_runs_once_on_a_faulty_network(folder: SweepFolder) -> None:
    """Answers are lost, late or errors of a proxy, requests arrive twice, the event stream is cut."""
    counts: Counter[str] = Counter()

    async def handle(exchange: Exchange) -> None:
        kind = "events" if exchange.events else "submit" if submits(exchange) else exchange.path.rpartition("/")[2]
        counts[kind] += 1
        if exchange.events:
            with trio.move_on_after(2):
                await pass_through(exchange)
            return
        match counts[kind] % 5:
            case 1:  # carried out, but the answer is lost
                await exchange.forward()
            case 2:  # carried out twice
                await exchange.forward()
                await pass_through(exchange)
            case 3:
                await exchange.forward()
                await trio.sleep(3)
                await exchange.answer()
            case 4:
                await exchange.answer_with("502 Bad Gateway")
            case _:
                await pass_through(exchange)

    folder.write("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:6'}\n")
    with Proxy(folder.cluster.endpoint, handle) as proxy:
        done = folder.run("apply", BACKEND_ENDPOINT=proxy.url)
    assert done.returncode == 0, done.stderr
    rows = folder.rows()
    assert [row["attempts"] for row in rows] == [1] * 6
    assert [Path(row["stdout"]).read_text() for row in rows] == [f"{x}\n" for x in range(6)]
    assert len(folder.jobs()) == 6
    assert min(counts["submit"], counts["gql"], counts["logs"]) > 1, counts


def test_ctrl_c_without_an_answer_leaves_jobs_to_be_adopted(folder: SweepFolder) -> None:
    silent = False

    async def handle(exchange: Exchange) -> None:
        if not silent:
            await pass_through(exchange)

    folder.write("exec: [sh, -c, 'while ! test -e /tmp/go; do sleep 0.2; done']\n")
    with Proxy(folder.cluster.endpoint, handle) as proxy:
        runner = folder.start("apply", BACKEND_ENDPOINT=proxy.url)
        [job] = folder.wait_for_jobs("RUNNING")
        silent = True
        runner.send_signal(signal.SIGINT)
        _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == -signal.SIGINT, errors
    assert "1 job may still run at backend.ai, which has not confirmed the end" in errors
    folder.cluster.run_in(job, "touch /tmp/go")
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    assert [(row["status"], row["attempts"], row["job"]) for row in folder.rows()] == [("succeeded", 1, job.id)]


def test_clock_that_is_wrong_by_twenty_minutes(folder: SweepFolder) -> None:
    folder.write("exec: [sh, -c, 'echo on time']\n")
    done = folder.run("apply", **folder.cluster.clock(20 * 60))
    assert done.returncode == 0, done.stderr
    assert [Path(row["stdout"]).read_text() for row in folder.rows()] == ["on time\n"]
    doctor = folder.run("doctor", "--backend", "backend.ai", **folder.cluster.clock(20 * 60))
    assert "clock" in doctor.stdout + doctor.stderr


# Commands


def test_example_of_backendais_manual_and_exit_code(folder: SweepFolder) -> None:
    code = 'import os; print("Hello world, {}".format(os.environ["CASENO"]))'
    words = ("-r", "cpu=1", "-r", "mem=256m", "--tag", folder.tag, "--backend", "backend.ai", folder.cluster.image)
    done = folder.run("run", "-c", code, "-e", "CASENO=$X", "--env-range=X=case:1,2,3,4", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"Hello world, {number}" for number in (1, 2, 3, 4)]
    assert len(folder.jobs()) == 4
    done = folder.run("run", "-c", "raise ValueError('no')", *words)
    assert done.returncode == 1
    assert "ValueError: no" in done.stdout + done.stderr


def test_doctor_names_the_variable_to_correct(folder: SweepFolder) -> None:
    good = folder.run("doctor", "--backend", "backend.ai")
    assert good.returncode == 0, good.stderr
    bad = folder.run("doctor", "--backend", "backend.ai", BACKEND_SECRET_KEY="wrong")
    assert bad.returncode == 3
    assert "BACKEND_SECRET_KEY" in bad.stdout + bad.stderr
    gone = folder.run("doctor", "--backend", "backend.ai", BACKEND_ENDPOINT="http://127.0.0.1:9")
    assert gone.returncode == 3
    assert "BACKEND_ENDPOINT" in gone.stdout + gone.stderr
