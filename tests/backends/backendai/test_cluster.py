"""Backend.AI, the real one: what only a cluster can say. All of it is judged by the manager's own records."""

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
from tests.backendai import MINUTES, Bench, Cluster, alive_at_once, slowly
from tests.contract import Contract, Site, unique
from tests.processes import wait_for
from tests.proxy import Exchange, Proxy, honest

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
            patience=MINUTES,
        )


@pytest.fixture
def bench(tmp_path: Path, cluster: Cluster) -> Iterator[Bench]:
    with Bench(cluster, tmp_path, unique("t", tmp_path)) as bench:
        yield bench


@pytest.fixture
def lone_bench(tmp_path: Path, lone_cluster: Cluster) -> Iterator[Bench]:
    with Bench(lone_cluster, tmp_path, unique("t", tmp_path)) as bench:
        yield bench


def submits(exchange: Exchange) -> bool:
    return (exchange.method, exchange.path) == ("POST", "/session")


# How a session can end


def test_endings(bench: Bench) -> None:
    """Every ending that the cluster can be made to produce, at once, with its outcome, exit code and reason."""
    image, gone = bench.cluster.image, bench.cluster.values["IMAGE_GONE"]
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
    bench.write(
        "exec: [sh, -c, $script]\nimage: $image\nresources: {cpu: 1, mem: $mem}\ntimeout: 60s\ngrace: 1s\n"
        f"ranges: {json.dumps(columns)}\nenv: {{CASE: $case}}\nzip: [[case, script, image, mem]]\n"
    )
    session = {name: row["id"] for name, row in bench.by("case").items()}
    runner = bench.start("apply")
    for name, end in (("killed", bench.cluster.kill), ("destroyed", bench.cluster.destroy)):
        slowly(lambda: [job for job in bench.jobs() if session[name] in job.name and job.status == "RUNNING"])  # noqa: B023
        end(next(job for job in bench.jobs() if session[name] in job.name))
    _, errors = runner.communicate(timeout=MINUTES)
    assert runner.returncode == 1, errors
    rows = bench.by("case")
    for name, (_, _, _, (status, code, reason)) in cases.items():
        row = rows[name]
        assert (row["status"], row["exit_code"]) == (status, code), (name, row)
        assert reason is None or reason in str(row["reason"]), (name, row)
    slowly(lambda: all(job.over for job in bench.jobs()))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {"group": "nobodys"}, "Invalid group"),
        ("", {"scaling_group": "nowhere"}, "scaling group"),
        ("resources: {cpu: 1, mem: 256m, tpu.device: 1}\n", {}, "Unknown slot type"),
        ("", {"mounts": ["no-such-folder"]}, "virtual folder"),
    ],
)
def test_refusals(bench: Bench, text: str, options: dict[str, Any], words: str) -> None:
    """What can never run is rejected at once, in the cluster's own words and with a hint; nothing is left behind."""
    bench.write(f"exec: [sh, -c, exit 0]\n{text}", **options)
    done = bench.run("apply")
    assert done.returncode == 1, done.stderr
    [row] = bench.rows()
    assert row["status"] == "rejected"
    assert words in str(row["reason"])
    assert row["attempts"] == 1
    assert bench.jobs() == []


def test_waiting_for_ever(bench: Bench) -> None:
    """A job for which there is no room waits, and is not running; `cancel` takes it out of the queue."""
    bench.write("exec: [sh, -c, exit 0]\nresources: {cpu: 1000, mem: 256m}\ntimeout: 1s\n")
    runner = bench.start("apply")
    bench.wait_for_jobs("PENDING")
    slowly(lambda: '"waiting": "' in bench.run("status", "--format", "json").stdout)
    [waiting] = json.loads(bench.run("status", "--format", "json").stdout)["running"]
    assert waiting["started"] is None
    assert waiting["waiting"]
    bench.run("cancel")
    _, errors = runner.communicate(timeout=MINUTES)
    assert runner.returncode == 1, errors
    assert [job.status for job in bench.jobs()] == ["CANCELLED"]
    assert [row["status"] for row in bench.rows()] == ["cancelled"]


def test_never_scheduled(lone_bench: Bench) -> None:
    """A job that the cluster gave up is rejected, with why it had to wait."""
    bench = lone_bench
    bench.write("exec: [sh, -c, exit 0]\nresources: {cpu: 1000, mem: 256m}\n")
    patience = "UPDATE scaling_groups SET scheduler_opts = jsonb_set(scheduler_opts, '{pending_timeout}', '%s')"
    bench.cluster.sql(patience % 3)
    try:
        done = bench.run("apply")
    finally:
        bench.cluster.sql(patience % 0)
    assert done.returncode == 1, done.stderr
    assert [job.info for job in bench.jobs()] == ["pending-timeout"]
    [row] = bench.rows()
    assert row["status"] == "rejected"
    assert "gave up" in str(row["reason"])


# What travels


def test_streams_come_back_byte_for_byte(bench: Bench) -> None:
    """stdout and stderr apart, nothing but the command's own: binary, ANSI, no last line end, and 5 MB of it."""
    script = (
        "import os\nos.write(1, bytes(range(256)) * 4 + b'\\x1b[1mbold\\r\\nend')\n"
        "os.write(2, b'\\x00\\xff no newline')\n"
        "if os.environ['X'] == '1':\n    import random\n    os.write(1, random.Random(1).randbytes(5_000_000))\n"
    )
    (bench.folder / "speak.py").write_text(script)
    bench.write("exec: [python3, speak.py]\nfiles: [speak.py]\nenv: {X: $x}\nranges: {x: [0, 1]}\n")
    done = bench.run("apply")
    assert done.returncode == 0, done.stderr
    small = bytes(range(256)) * 4 + b"\x1b[1mbold\r\nend"
    rows = bench.by("x")
    for x, expected in (("0", small), ("1", small + random.Random(1).randbytes(5_000_000))):
        assert Path(rows[x]["stdout"]).read_bytes() == expected
        assert Path(rows[x]["stderr"]).read_bytes() == b"\x00\xff no newline"


def test_files_metrics_and_output_files(bench: Bench) -> None:
    """Inputs travel with the job in their folders, and small outputs and metrics come back."""
    (bench.folder / "data").mkdir()
    (bench.folder / "data" / "ü x.txt").write_bytes(b"\x00\xff")
    (bench.folder / "go.sh").write_text(
        '#!/bin/sh\nset -e\ncmp "data/ü x.txt" "$1"\nprintf \'{"loss": 0.5}\' >"$RUNNER_OUTPUT_DIR/metrics.json"\n'
        'mkdir "$RUNNER_OUTPUT_DIR/sub"\nprintf "\\377" >"$RUNNER_OUTPUT_DIR/sub/b.bin"\necho acc=0.25\n'
        'test "$(cat "$RUNNER_PARAMS_FILE")" = "$RUNNER_PARAMS"\n'
    )
    (bench.folder / "go.sh").chmod(0o755)
    bench.write(
        "exec: [./go.sh, $file]\nfiles: [go.sh, data/*]\nranges: {file: ['data/ü x.txt']}\n"
        "metrics: {loss: {json: metrics.json, key: loss}, acc: {regex: 'acc=(\\S+)'}}\n"
    )
    done = bench.run("apply")
    assert done.returncode == 0, done.stderr + bench.run("logs", "--stderr").stdout
    [row] = bench.rows()
    assert row["metrics"] == {"loss": 0.5, "acc": 0.25}
    assert (Path(row["output"]) / "sub" / "b.bin").read_bytes() == b"\xff"


def test_links_and_empty_folders_on_both_ways(bench: Bench) -> None:
    """What a build links is there for its sessions, and what they link comes back."""
    bench.write(
        "files: [in.txt]\n"
        "build: cp in.txt libx.so.1 && ln -s libx.so.1 libx.so && mkdir empty && ln -s $(command -v python3) python\n"
        "exec: |\n"
        "  test -L libx.so && cat libx.so && rmdir empty && ./python -c 'print(2)' &&\n"
        '  cd "$RUNNER_OUTPUT_DIR" && mkdir step1 bare && echo 3 >step1/model && ln -s "$PWD/step1" latest\n'
    )
    (bench.folder / "in.txt").write_text("1\n")
    done = bench.run("apply")
    assert done.returncode == 0, done.stderr
    [row] = bench.rows()
    assert Path(row["stdout"]).read_text() == "1\n2\n"
    output = Path(row["output"])
    assert (output / "latest").readlink() == Path("step1")
    assert (output / "latest/model").read_text() == "3\n"
    assert (output / "bare").is_dir()


def test_logs_follow_a_running_job(bench: Bench) -> None:
    """`logs -f` shows what a job writes while it runs."""
    bench.write("exec: [sh, -c, 'echo early; while ! test -e /tmp/go; do sleep 0.2; done; echo late']\n")
    runner = bench.start("apply")
    [job] = bench.wait_for_jobs("RUNNING")
    follower = bench.start("logs", "-f", bench.rows()[0]["id"])
    assert follower.stdout is not None
    assert follower.stdout.readline() == "early\n"
    assert runner.poll() is None
    bench.cluster.run_in(job, "touch /tmp/go")
    assert follower.stdout.readline() == "late\n"
    follower.communicate(timeout=MINUTES)
    _, errors = runner.communicate(timeout=MINUTES)
    assert runner.returncode == 0, errors


def test_keys_are_nowhere(bench: Bench) -> None:
    """Neither the secret key nor a session's secrets are in any file, stream or record of ours, nor on the console."""
    bench.write("code: import os; assert os.environ['TOKEN'].startswith('hunter2')\nsecrets: [TOKEN]\n")
    runs = [bench.run(*words, TOKEN="hunter2-hunter2") for words in (["apply"], ["status"], ["results"])]
    assert runs[0].returncode == 0, runs[0].stderr
    [job] = bench.jobs()
    seen = [run.stdout + run.stderr for run in runs]
    seen += [bench.cluster.official("session", "logs", job.name)]
    files = [path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()]
    for secret in (bench.cluster.values["USER_SECRET_KEY"], "hunter2-hunter2"):
        assert not any(secret in text for text in seen)
        assert not any(secret.encode() in content for content in files)


# Many at once


def test_sixty_under_max_parallel_four(bench: Bench) -> None:
    """60 sessions, never more than 4 of them alive on the cluster, each exactly once."""
    bench.write("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:60'}\nmax_parallel: 4\n")
    with Proxy(bench.cluster.endpoint) as proxy:
        done = bench.run("apply", BACKEND_ENDPOINT=proxy.url)
    assert done.returncode == 0, done.stderr
    rows = bench.by("x")
    assert {Path(rows[str(x)]["stdout"]).read_text() for x in range(60)} == {f"{x}\n" for x in range(60)}
    jobs = bench.jobs()
    assert Counter(job.result for job in jobs) == {"SUCCESS": 60}
    assert alive_at_once(jobs) == 4
    # what was asked: to create and to collect each, and a few queries for all of them together
    asked = Counter("POST" if submits(exchange) else exchange.path.rpartition("/")[2] for exchange in proxy.seen)
    assert asked["POST"] == 60
    assert asked["gql"] < 2 * 60
    # one that the cluster does not clear away by itself is told to go; none is asked how it does
    assert not any(ex.method == "GET" and re.search(r"/session/[^/]+$", ex.path) for ex in proxy.seen)


def test_quota(bench: Bench) -> None:
    """With a quota of two sessions the other four wait for it, say so, and all succeed."""
    bench.write("exec: [sh, -c, 'exit 0']\nenv: {X: $x}\nranges: {x: 'range:6'}\n")
    runner = bench.start("apply", user="tight")
    reasons: set[str] = set()

    def waited() -> bool:
        found = json.loads(bench.run("status", "--format", "json").stdout)["running"]
        reasons.update(str(row["waiting"]) for row in found if row["waiting"])
        assert all(row["waiting"] is None for row in found if row["started"])
        return bool(reasons) or runner.poll() is not None

    slowly(waited)
    _, errors = runner.communicate(timeout=2 * MINUTES)
    assert runner.returncode == 0, errors
    assert any("concurrent sessions" in reason or "quota" in reason for reason in reasons), reasons
    assert [row["attempts"] for row in bench.rows()] == [1] * 6
    jobs = bench.jobs()
    assert len(jobs) == 6
    assert alive_at_once(jobs, "PREPARING") <= 2


def test_twenty_requests_in_fifteen_minutes(bench: Bench) -> None:
    """A key with the smallest of rate limits is enough for three sessions, and not one request is refused."""
    bench.cluster.forgive("slow")
    bench.write("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:3'}\n")
    with Proxy(bench.cluster.endpoint) as proxy:
        done = bench.run("apply", user="slow", BACKEND_ENDPOINT=proxy.url)
    assert done.returncode == 0, done.stderr
    assert bench.cluster.requests("slow") <= 20
    assert 429 not in [exchange.status for exchange in proxy.seen]
    assert [Path(row["stdout"]).read_text() for row in bench.rows()] == ["0\n", "1\n", "2\n"]


# Nothing twice, nothing lost


def test_killed_and_taken_up_again(bench: Bench) -> None:
    """`kill -9` between the submission and its answer, while jobs run, and before an end is collected: each job is
    submitted once, adopted, and collected.
    """
    bench.write(
        "exec: [sh, -c, 'while ! test -e /tmp/go; do sleep 0.2; done; echo done $1', sh, $x]\nranges: {x: [0, 1]}\n"
    )
    victims: list[subprocess.Popen[str]] = []
    answered = 0

    async def meddle(exchange: Exchange) -> None:
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

    with Proxy(bench.cluster.endpoint, meddle) as proxy:
        victims.append(bench.start("apply", BACKEND_ENDPOINT=proxy.url))
        assert victims[0].wait(MINUTES) == -signal.SIGKILL
        assert len(bench.jobs()) == 2
        # an endpoint's own address is no part of what a job is: the rest goes without the proxy, too
        victims.append(bench.start("apply", BACKEND_ENDPOINT=proxy.url))
        jobs = bench.wait_for_jobs("RUNNING", 2)
        slowly(lambda: [row["status"] for row in bench.rows()] == ["running"] * 2)
        victims[1].kill()
        victims[1].wait(MINUTES)
        assert [row["status"] for row in bench.rows()] == ["running"] * 2
        for job in jobs:
            bench.cluster.run_in(job, "touch /tmp/go")
        bench.wait_for_jobs("TERMINATED", 2)
        victims.append(bench.start("apply", BACKEND_ENDPOINT=proxy.url))
        assert victims[2].wait(MINUTES) == -signal.SIGKILL
        victims.append(bench.start("apply", BACKEND_ENDPOINT=proxy.url))
        _, errors = victims[3].communicate(timeout=MINUTES)
    for victim in victims:
        victim.communicate()
    assert victims[3].returncode == 0, errors
    rows = bench.rows()
    assert [(row["status"], row["attempts"]) for row in rows] == [("succeeded", 1)] * 2
    assert [Path(row["stdout"]).read_text() for row in rows] == ["done 0\n", "done 1\n"]
    assert [job.id for job in bench.jobs()] == [job.id for job in jobs]


def test_detached_jobs_run_on_and_are_collected(bench: Bench) -> None:
    """`--detach` returns once all is submitted; a job whose session the file no longer has is shown, and ended by `apply`."""
    bench.write(
        "exec: [sh, -c, 'test $1 = 0 || exec sleep 1000; echo done', sh, $x]\nenv: {X: $x}\nranges: {x: [0, 1]}\n"
    )
    done = bench.run("apply", "--detach")
    assert done.returncode == 0, done.stderr
    assert len(bench.jobs()) == 2
    bench.wait_for_jobs("TERMINATED")
    bench.wait_for_jobs("RUNNING")
    assert {row["status"] for row in bench.rows()} == {"running"}
    [keep, drop] = sorted(bench.jobs(), key=lambda job: "TERMINATED" not in job.times)
    bench.write("exec: [sh, -c, 'test $1 = 0 || exec sleep 1000; echo done', sh, $x]\nenv: {X: $x}\nranges: {x: [0]}\n")
    assert json.loads(bench.run("status", "--format", "json").stdout)["orphaned"] == 1
    done = bench.run("apply")
    assert done.returncode == 0, done.stderr
    [row] = bench.rows()
    assert (row["status"], row["attempts"], row["job"]) == ("succeeded", 1, keep.id)
    assert Path(row["stdout"]).read_text() == "done\n"
    slowly(lambda: all(job.over for job in bench.jobs()))
    assert {job.id for job in bench.jobs()} == {keep.id, drop.id}


def test_a_run_that_was_killed_or_detached_is_found_again(bench: Bench) -> None:
    """`runner run` keeps what it takes; the commands that it, or the next one, prints do what they say."""
    flags = (bench.cluster.image, "-r", "cpu=1", "-r", "mem=256m", "--tag", bench.tag)

    def as_printed(errors: str, which: int) -> subprocess.CompletedProcess[str]:
        command = re.findall(r"`(cd [^`]*)`", errors)[which]
        return bench.shell(command)

    dying = bench.start("run", *flags, "--exec", "sleep 1006")
    bench.wait_for_jobs("RUNNING")
    dying.kill()
    dying.communicate()
    warned = bench.run("run", "--exec", "echo next")
    assert (warned.returncode, warned.stdout) == (0, "next\n")
    assert "died and left 1 job at backend.ai" in warned.stderr
    ended = as_printed(warned.stderr, 1)
    assert ended.returncode == 0, ended.stderr
    slowly(lambda: bench.jobs()[0].over)

    detached = bench.run("run", *flags, "--exec", "echo $x", "--exec-range=x=case:1,2", "--detach")
    assert detached.returncode == 0, detached.stderr
    assert "died" not in bench.run("run", "--exec", "true").stderr
    resumed = as_printed(detached.stderr, 0)
    assert resumed.returncode == 0, resumed.stderr
    assert "2 succeeded" in resumed.stderr
    assert len(bench.jobs()) == 3
    clean = bench.run("run", *flags, "-t", "kept", "--exec", "true")
    assert clean.returncode == 0, clean.stderr
    assert not (bench.folder / "xdg/runner/runs/kept/run.yaml").exists()


def test_ctrl_c_destroys_what_runs_and_nothing_else(bench: Bench) -> None:
    """The first Ctrl-C ends this state's jobs, running and queued; another state's, with the same tag, run on."""
    other = Bench(bench.cluster, bench.folder / "other", bench.tag)
    other.folder.mkdir()
    other.write("exec: [sleep, '1003']\n")
    assert other.run("apply", "--detach").returncode == 0
    bench.write(
        "exec: [sleep, $x]\ngrace: 1s\nresources: {cpu: $cpu, mem: 256m}\nranges: {x: [1004, 1005], cpu: [1, 1000]}\n"
        "zip: [[x, cpu]]\n"
    )
    runner = bench.start("apply")
    bench.wait_for_jobs("RUNNING", 2)
    bench.wait_for_jobs("PENDING", 1)
    runner.send_signal(signal.SIGINT)
    _, errors = runner.communicate(timeout=MINUTES)
    assert runner.returncode == 130, errors
    assert [row["status"] for row in bench.rows()] == ["cancelled", "cancelled"]
    mine = {row["job"] for row in bench.rows()}
    assert {job.over for job in bench.jobs() if job.id in mine} == {True}
    [theirs] = [job for job in bench.jobs() if job.id not in mine]
    assert theirs.status == "RUNNING"
    assert other.run("cancel").returncode == 0
    slowly(lambda: all(job.over for job in bench.jobs()))


# A bad day


def test_manager_is_away_for_twenty_seconds(lone_bench: Bench) -> None:
    """While jobs are queued, run and end, the manager dies and comes back: nothing is lost, nothing runs twice."""
    bench = lone_bench
    bench.write("exec: [sh, -c, 'sleep 8; echo $1', sh, $x]\nranges: {x: 'range:6'}\nmax_parallel: 4\n")
    runner = bench.start("apply", "--format", "jsonl")
    bench.wait_for_jobs("RUNNING", 2)
    bench.cluster.stop_manager()
    since = time.monotonic()
    try:
        wait_for(lambda: time.monotonic() > since + 20)
    finally:
        bench.cluster.start_manager()
    output, errors = runner.communicate(timeout=2 * MINUTES)
    assert runner.returncode == 0, errors
    assert [row["status"] for row in bench.rows()] == ["succeeded"] * 6
    assert [Path(row["stdout"]).read_text() for row in bench.rows()] == [f"{x}\n" for x in range(6)]
    ends = [event for event in map(json.loads, output.splitlines()) if event["event"] == "attempt-ended"]
    assert len(ends) == len(bench.jobs()) == sum(row["attempts"] for row in bench.rows())
    # what the manager forgot to start was submitted again, and nothing else
    assert {end["reason"] for end in ends} <= {None, "the cluster never started its command"}
    slowly(lambda: all(job.over for job in bench.jobs()))


def test_a_network_that_drops_delays_and_duplicates(bench: Bench) -> None:
    """Answers are lost, late or refused, requests arrive twice, the event stream is cut: each job runs once."""
    counts: Counter[str] = Counter()

    async def meddle(exchange: Exchange) -> None:
        kind = "events" if exchange.events else "submit" if submits(exchange) else exchange.path.rpartition("/")[2]
        counts[kind] += 1
        if exchange.events:
            with trio.move_on_after(2):
                await honest(exchange)
            return
        match counts[kind] % 5:
            case 1:  # done, but nobody is told
                await exchange.forward()
            case 2:  # done twice
                await exchange.forward()
                await honest(exchange)
            case 3:
                await exchange.forward()
                await trio.sleep(3)
                await exchange.answer()
            case 4:
                await exchange.say("502 Bad Gateway")
            case _:
                await honest(exchange)

    bench.write("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: 'range:6'}\n")
    with Proxy(bench.cluster.endpoint, meddle) as proxy:
        done = bench.run("apply", BACKEND_ENDPOINT=proxy.url)
    assert done.returncode == 0, done.stderr
    rows = bench.rows()
    assert [row["attempts"] for row in rows] == [1] * 6
    assert [Path(row["stdout"]).read_text() for row in rows] == [f"{x}\n" for x in range(6)]
    assert len(bench.jobs()) == 6
    assert min(counts["submit"], counts["gql"], counts["logs"]) > 1, counts


def test_nobody_answers_at_the_end(bench: Bench) -> None:
    """Ctrl-C where the cluster has become unreachable: it says that the jobs run on, exits, and `apply` takes them up."""
    silent = False

    async def meddle(exchange: Exchange) -> None:
        if not silent:
            await honest(exchange)

    bench.write("exec: [sh, -c, 'while ! test -e /tmp/go; do sleep 0.2; done']\n")
    with Proxy(bench.cluster.endpoint, meddle) as proxy:
        runner = bench.start("apply", BACKEND_ENDPOINT=proxy.url)
        [job] = bench.wait_for_jobs("RUNNING")
        silent = True
        runner.send_signal(signal.SIGINT)
        _, errors = runner.communicate(timeout=MINUTES)
    assert runner.returncode == 130, errors
    assert "1 job may still run at backend.ai, which has not confirmed the end" in errors
    bench.cluster.run_in(job, "touch /tmp/go")
    done = bench.run("apply")
    assert done.returncode == 0, done.stderr
    assert [(row["status"], row["attempts"], row["job"]) for row in bench.rows()] == [("succeeded", 1, job.id)]


def test_clock_twenty_minutes_off(bench: Bench) -> None:
    """A cluster that refuses our time of day: it works all the same, or it is said, with the hint that mends it."""
    bench.write("exec: [sh, -c, 'echo on time']\n")
    done = bench.run("apply", **bench.cluster.clock(20 * 60))
    assert done.returncode == 0, done.stderr
    assert [Path(row["stdout"]).read_text() for row in bench.rows()] == ["on time\n"]
    doctor = bench.run("doctor", "--backend", "backend.ai", **bench.cluster.clock(20 * 60))
    assert "clock" in doctor.stdout + doctor.stderr


# The commands


def test_the_manuals_example(bench: Bench) -> None:
    """As the manual has it, and with the real exit code."""
    code = 'import os; print("Hello world, {}".format(os.environ["CASENO"]))'
    words = ("-r", "cpu=1", "-r", "mem=256m", "--tag", bench.tag, "--backend", "backend.ai", bench.cluster.image)
    done = bench.run("run", "-c", code, "-e", "CASENO=$X", "--env-range=X=case:1,2,3,4", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"Hello world, {number}" for number in (1, 2, 3, 4)]
    assert len(bench.jobs()) == 4
    done = bench.run("run", "-c", "raise ValueError('no')", *words)
    assert done.returncode == 1
    assert "ValueError: no" in done.stdout + done.stderr


def test_doctor(bench: Bench) -> None:
    """Endpoint, clock, keys, image and quota; what is wrong comes with what mends it."""
    good = bench.run("doctor", "--backend", "backend.ai")
    assert good.returncode == 0, good.stderr
    bad = bench.run("doctor", "--backend", "backend.ai", BACKEND_SECRET_KEY="wrong")
    assert bad.returncode == 3
    assert "BACKEND_SECRET_KEY" in bad.stdout + bad.stderr
    gone = bench.run("doctor", "--backend", "backend.ai", BACKEND_ENDPOINT="http://127.0.0.1:9")
    assert gone.returncode == 3
    assert "BACKEND_ENDPOINT" in gone.stdout + gone.stderr
