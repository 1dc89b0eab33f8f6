"""The commands as their users call them: real processes, real files, exact exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.processes import HANG, wait_for

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SWEEP = """\
exec: [sh, -c, 'echo "out $1"; echo "err $1" >&2; exit $1', sh, $code]
ranges:
  code: [0, 3, 0.0]
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Call `runner` in the test's own folder."""

    def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=tmp_path,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "xdg"), "PYTHONUNBUFFERED": "", **environ},
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )

    return call


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    return path


def rows(run: Run, *arguments: str) -> list[dict[str, object]]:
    return list(json.loads(run("results", "--format", "json", *arguments).stdout))


def plan(run: Run, *arguments: str) -> dict[str, object]:
    return dict(json.loads(run("plan", "--format", "json", *arguments).stdout))


def test_apply_exit_code_until_all_sessions_succeeded(run: Run, sweep: Path) -> None:
    """1 while a session fails, 0 when all have succeeded. Succeeded sessions are not run again."""
    first = run("apply")
    assert first.returncode == 1
    assert [row["status"] for row in rows(run)] == ["succeeded", "failed", "failed"]
    assert "runner logs sweep.yaml" in first.stderr
    sweep.write_text(SWEEP.replace("exit $1", "exit 0").replace("[0, 3, 0.0]", "[0, 3]"))
    assert run("apply").returncode == 0
    assert [row["attempts"] for row in rows(run)] == [1, 1]
    again = run("apply")
    assert again.returncode == 0
    assert [row["attempts"] for row in rows(run)] == [1, 1]


def test_failed_sessions_run_again_and_succeeded_ones_do_not(run: Run, sweep: Path) -> None:
    run("apply")
    run("apply")
    assert [row["attempts"] for row in rows(run)] == [1, 2, 2]
    run("apply", "--only", "new")
    assert [row["attempts"] for row in rows(run)] == [1, 2, 2]
    run("apply", "--fresh")
    assert [row["attempts"] for row in rows(run)] == [2, 3, 3]


def test_apply_only_new_exits_1_if_another_session_failed(run: Run, sweep: Path) -> None:
    """Exit 0 would tell a pipeline that every selected session succeeded."""
    run("apply")
    assert run("apply", "--only", "new").returncode == 1


def test_plan_exit_code_is_10_if_sessions_are_to_run(run: Run, sweep: Path) -> None:
    assert run("plan").returncode == 0
    assert run("plan", "--exit-code").returncode == 10
    found = plan(run)
    assert (found["sweep"], found["total"], found["to_run"]) == ("sweep", 3, 3)
    run("apply")
    found = plan(run)
    assert found["to_run"] == 2
    sessions = found["sessions"]
    assert isinstance(sessions, list)
    assert [one["status"] for one in sessions] == ["succeeded", "failed", "failed"]
    assert "exit code 3" in sessions[1]["reason"]
    assert run("plan", "--count").stdout == "3\n"
    assert run("plan", "--count", "--select", "code=0").stdout == "2\n"


def test_plan_names_the_changed_part_of_a_session(run: Run, sweep: Path) -> None:
    run("apply", "--select", "code=0")
    sweep.write_text(SWEEP.replace('"out $1"', '"other $1"'))
    sessions = plan(run)["sessions"]
    assert isinstance(sessions, list)
    assert sessions[0]["status"] == "new"
    assert sessions[0]["reason"].startswith("`exec` changed since ")
    assert len(plan(run)["orphaned"]) == 2  # type: ignore[arg-type]


def test_ignore_files_ignores_changed_content(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("one")
    (tmp_path / "sweep.yaml").write_text("exec: [cat, data]\nfiles: [data]\n")
    run("apply")
    (tmp_path / "data").write_text("two")
    assert run("plan", "--exit-code").returncode == 10
    assert run("plan", "--exit-code", "--ignore-files").returncode == 0
    assert run("apply", "--ignore-files").returncode == 0
    assert [row["status"] for row in rows(run)] == ["new"]


def test_select_runs_matching_sessions_or_lists_values(run: Run, sweep: Path) -> None:
    assert run("apply", "--select", "code=0").returncode == 1  # 0 and 0.0 are one number, and `exit 0.0` fails
    assert [row["status"] for row in rows(run)] == ["succeeded", "new", "failed"]
    nothing = run("apply", "--select", "code=7")
    assert nothing.returncode == 2
    assert "error: no session has `code=7`\n\nhint: `code` has 0, 3, 0.0\n" in nothing.stderr
    unknown = run("apply", "--select", "cod=7")
    assert unknown.returncode == 2
    assert "did you mean `code`?" in unknown.stderr


def test_logs_finds_a_session_by_id_prefix_and_values(run: Run, sweep: Path) -> None:
    run("apply")
    session = str(rows(run)[1]["id"])
    assert run("logs", session).stdout == "out 3\n"
    assert run("logs", "sweep.yaml", session[:6], "--stderr").stdout == "err 3\n"
    assert run("logs", "code=3", "-f").stdout == "out 3\n"
    assert run("logs", "code=0").returncode == 2
    assert run("logs", "nothing").returncode == 2


def test_results_in_every_format(run: Run, sweep: Path) -> None:
    run("apply", "--select", "code=3")
    (new, failed, _) = rows(run)
    assert set(failed) == {
        *("index", "id", "repeat", "params", "status", "exit_code", "reason", "attempts", "backend", "job"),
        *("host", "started", "duration", "cpu_time", "max_rss", "metrics", "missing", "output", "stdout", "stderr"),
    }
    assert (new["status"], new["attempts"], new["stdout"]) == ("new", 0, None)
    assert (failed["status"], failed["exit_code"], failed["backend"]) == ("failed", 3, "local")
    assert Path(str(failed["stdout"])).read_text() == "out 3\n"
    assert run("results", "--format", "csv").stdout.splitlines()[2].split(",")[:4] == [
        *("1", failed["id"], "3", "0"),
    ]
    assert run("results", "--format", "md").stdout.startswith("| id | code | status |")
    assert "failed" in run("results").stdout


def test_csv_column_names_are_unique(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: [echo, $status, $id]\nranges: {status: [1], id: [2]}\nmetrics: {host: {regex: '1 (.)'}}\n"
    )
    run("apply")
    header, row = (line.split(",") for line in run("results", "--format", "csv").stdout.splitlines())
    assert len(set(header)) == len(header)
    named = dict(zip(header, row, strict=True))
    assert (named["params.status"], named["status"], named["metrics.host"]) == ("1", "succeeded", "2")


def test_summary_counts_failures_that_were_not_selected(run: Run, sweep: Path) -> None:
    run("apply")
    assert "; 2 not selected have not succeeded" in run("apply", "--only", "new").stderr


def test_the_environment_of_a_session(run: Run, tmp_path: Path) -> None:
    """The variables that a session gets, and a secret that is not stored."""
    (tmp_path / "sweep.yaml").write_text(
        "name: env\nexec: [python3, show.py]\nenv: {A: $x}\nsecrets: [TOKEN]\nranges: {x: ['1 2']}\nrepeat: 2\n"
    )
    (tmp_path / "show.py").write_text(
        "import json, os, sys\n"
        "seen = {k: v for k, v in os.environ.items() if k.startswith('RUNNER_') or k in ('A', 'TOKEN')}\n"
        "seen['stdin'] = sys.stdin.read()\n"
        "seen['file'] = open(os.environ['RUNNER_PARAMS_FILE']).read()\n"
        "seen['output'] = os.path.isdir(os.environ['RUNNER_OUTPUT_DIR'])\n"
        "print(json.dumps(seen))\n"
    )
    assert run("apply").returncode == 2
    assert run("apply", TOKEN="s3cret-value").returncode == 0
    row = rows(run)[1]
    seen = json.loads(Path(str(row["stdout"])).read_text())
    assert (seen["A"], seen["TOKEN"], seen["stdin"], seen["output"]) == ("1 2", "s3cret-value", "", True)
    assert json.loads(seen["RUNNER_PARAMS"]) == json.loads(seen["file"]) == {"x": "1 2"}
    assert seen["RUNNER_SESSION"] == row["id"]
    assert (seen["RUNNER_SWEEP"], seen["RUNNER_INDEX"], seen["RUNNER_REPEAT"]) == ("env", "1", "1")
    assert seen["RUNNER_ATTEMPT"] == "1"
    journal = b"".join(path.read_bytes() for path in (tmp_path / ".runner/env").glob("journal*"))
    assert b"s3cret-value" not in journal


def test_second_apply_names_the_holder_of_the_state(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'touch started; exec sleep 60']\n")
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=tmp_path, stderr=subprocess.PIPE) as first:
        try:
            wait_for(lambda: (tmp_path / "started").exists())
            second = run("apply")
            assert second.returncode == 3
            assert f"pid {first.pid}" in second.stderr
            assert "1 running" in run("status").stdout
            cancelled = run("cancel")
            assert cancelled.returncode == 0, cancelled.stderr
            assert first.wait(HANG) == 1
        finally:
            first.kill()
    assert [row["status"] for row in rows(run)] == ["cancelled"]


def test_cancel_ends_one_session_and_leaves_the_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'touch started.$1; while test ! -e stop.$1; do sleep 0.05; done', sh, $x]\n"
        "ranges: {x: [1, 2]}\nmax_parallel: 2\n"
    )
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=tmp_path, stderr=subprocess.PIPE) as live:
        try:
            wait_for(lambda: all((tmp_path / f"started.{x}").exists() for x in (1, 2)))
            assert run("cancel", "sweep.yaml", "x=1").returncode == 0
            (tmp_path / "stop.2").touch()
            assert live.wait(HANG) == 1
        finally:
            live.kill()
    assert [row["status"] for row in rows(run)] == ["cancelled", "succeeded"]


def test_prune_is_dry_by_default_and_removes_orphans(run: Run, sweep: Path) -> None:
    run("apply")
    sweep.write_text(SWEEP.replace("[0, 3, 0.0]", "[0]"))
    dry = run("prune")
    assert dry.stdout.startswith("would remove 2 orphaned sessions, 4 logs")
    assert len(plan(run)["orphaned"]) == 2  # type: ignore[arg-type]
    assert run("prune", "--yes").stdout.startswith("removed 2 orphaned sessions, 4 logs")
    assert plan(run)["orphaned"] == []
    assert [row["status"] for row in rows(run)] == ["succeeded"]


def test_init_writes_a_file_that_works_and_names_its_schema(run: Run, tmp_path: Path) -> None:
    assert run("init").returncode == 0
    first = (tmp_path / "sweep.yaml").read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / named).read_text())["$schema"].endswith("2020-12/schema")
    assert run("validate").stderr == "sweep.yaml: valid, 5 sessions\n"
    assert run("apply").returncode == 0
    assert [row["metrics"] for row in rows(run)] == [{"y": x * x / 16} for x in range(5)]
    assert run("init").returncode == 2


def test_runner_state_is_the_state_of_every_command(run: Run, sweep: Path, tmp_path: Path) -> None:
    sweep.write_text("exec: [echo, $x]\nranges: {x: [1]}\n")
    at = {"RUNNER_STATE": str(tmp_path / "scratch")}
    assert run("apply", **at).returncode == 0
    assert not (tmp_path / ".runner").exists()
    for command in (["status"], ["results"], ["logs", "sweep.yaml", "x=1"], ["plan"], ["prune"]):
        named = run(*command, "--state", str(tmp_path / "scratch"))
        assert named.stdout == run(*command, **at).stdout != run(*command).stdout, command
    assert run("plan", "--exit-code", "--state", str(tmp_path / "other"), **at).returncode == 10, "`--state` wins"


def test_only_commands_that_start_or_check_show_warnings(run: Run, sweep: Path, tmp_path: Path) -> None:
    sweep.write_text("exec: [python3, train.py, $x]\nranges: {x: [1]}\n")
    (tmp_path / "train.py").write_text("")
    for command in ("validate", "plan", "apply"):
        assert run(command).stderr.count("`train.py` is not in `files`") == 1, command
    for command in ("status", "results", "prune", "cancel"):
        assert "warning" not in run(command).stderr, command
    assert json.loads(run("validate", "--format", "json").stdout)[0]["severity"] == "warning"


def test_closed_stdout_exits_0(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: 'range:100000'}\n")
    command = f"{sys.executable} -m runner plan --format jsonl; echo $? >status"
    head = subprocess.run(f"({command}) | head -n 1", shell=True, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(head.stdout)["index"] == 0
    assert (tmp_path / "status").read_text() == "0\n"
    assert head.stderr == b""


def test_events_as_lines_of_json(run: Run, sweep: Path) -> None:
    lines = [json.loads(line) for line in run("apply", "--format", "jsonl").stdout.splitlines()]
    assert lines[0]["event"] == "apply-started"
    assert lines[-1]["event"] == "apply-ended"
    assert lines[-1]["outcomes"] == {"succeeded": 1, "failed": 2}
    assert {line["event"] for line in lines[1:-1]} == {
        "attempt-submitted",
        "attempt-started",
        "attempt-ended",
    }


@pytest.mark.parametrize("command", ["apply", "plan", "validate", "status", "results", "prune"])
def test_missing_file_exits_2_in_every_command(run: Run, command: str) -> None:
    failed = run(command, "nowhere.yaml")
    assert failed.returncode == 2
    assert "nowhere.yaml" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_run_prints_each_output_whole_and_exits_1_if_one_failed(run: Run, tmp_path: Path) -> None:
    code = 'import os; print("Hello world, {}".format(os.environ["CASENO"]))'
    hello = run("run", "-c", code, "-r", "cpu=1", "-r", "mem=256m", "-e", "CASENO=$X", "--env-range=X=case:1,2,3,4")
    assert hello.returncode == 0
    assert sorted(hello.stdout.splitlines()) == [f"Hello world, {case}" for case in range(1, 5)]
    failed = run("run", "-c", code + "; raise SystemExit(CASE)", "-e", "CASENO=1")
    assert failed.returncode == 1
    assert "NameError" in failed.stderr
    assert not (tmp_path / ".runner").exists()


def test_run_renames_a_variable_of_two_kinds_of_range(run: Run) -> None:
    arguments = [
        "--exec",
        "echo $X $E",
        "-e",
        "E=$X",
        "--env-range",
        "X=case:a,b",
        "--exec-range",
        "X=case:1,2",
    ]
    assert sorted(run("run", *arguments, "-q").stdout.split("\n")[:-1]) == ["1 a", "1 b", "2 a", "2 b"]
    printed = run("run", *arguments, "--print-sweep").stdout
    assert "env_X" in printed
    assert "exec_X" in printed


def test_run_drops_an_unused_range(run: Run) -> None:
    done = run("run", "--exec", "echo $X", "--exec-range", "X=range:2", "--exec-range", "Y=range:5")
    assert sorted(done.stdout.split()) == ["0", "1"]
    assert "nothing refers to `Y`" in done.stderr


def test_run_reads_mem_without_a_unit_as_mebibytes(run: Run) -> None:
    assert "256m" in run("run", "-c", "pass", "-r", "mem=256", "--print-sweep").stdout


def test_absolute_workdir_is_not_changed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "sweep.yaml").write_text(f"exec: [pwd]\nworkdir: {tmp_path}/other\n")
    assert run("apply").returncode == 0
    assert Path(str(rows(run)[0]["stdout"])).read_text() == f"{tmp_path}/other\n"


def test_fresh_empties_output_folder_but_not_before_retries(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: |\n  echo x >>$RUNNER_OUTPUT_DIR/tries\n  test $(wc -l <$RUNNER_OUTPUT_DIR/tries) = 2\n"
        "retry: {limit: 1, backoff: 0}\n"
    )
    for _ in range(2):
        assert run("apply", "--fresh").returncode == 0
        assert (Path(str(rows(run)[0]["output"])) / "tries").read_text() == "x\nx\n"


@pytest.mark.parametrize(
    ("arguments", "fault", "hint"),
    [
        ("aply", "no such command `aply`", "did you mean `apply`?"),
        ("apply --onyl new", "unknown option `--onyl`", "did you mean `--only`?"),
        ("logs", "missing argument `SESSION`", "`runner logs --help` shows the available options"),
        (
            "logs sweep.yaml",
            "missing argument `SESSION`",
            "the ids are in `runner results sweep.yaml`: `runner logs sweep.yaml ID`",
        ),
        ("plan --capacity cpus=4", "unknown resource `cpus` in `--capacity`", "did you mean `cpu`?"),
        ("plan --capacity memory=4g", "unknown resource `memory` in `--capacity`", "did you mean `mem`?"),
        (
            "plan --capacity gpu=1,licens=0",
            "unknown resource `licens` in `--capacity`",
            "choose from `cpu`, `mem`, `gpu`",
        ),
        ("prune --logs-older-than 30", "`30` in `--logs-older-than` has no unit", "write `30d` for days"),
        ("results --where q=1 --where x", "no column `q`", None),
        ("results --pivot x", "option `--pivot` requires 3 arguments", "write `--pivot ROW COL METRIC`"),
        ("plan --select x=1 --select x=2", "no session has both `x=1` and `x=2`", None),
        ("plan --capacity gpu=100000000", "a capacity of 100,000,000 `gpu` is more", None),
        (
            "plan --capacity cpu:8",
            "`cpu:8` in `--capacity` is not `RESOURCE=AMOUNT`",
            "write `--capacity cpu=8,mem=16g`",
        ),
    ],
)
def test_usage_error_has_message_and_hint(
    run: Run, tmp_path: Path, arguments: str, fault: str, hint: str | None
) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: [1, 2]}\n")
    done = run(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {fault}")
    assert hint is None or done.stderr.endswith(f"\n\nhint: {hint}\n")


def test_image_without_effect_is_a_warning(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\nimage: python:3.11\n")
    for command in (["validate"], ["plan"], ["apply"]):
        assert "warning: `image` has no effect with the backend `local`" in run(*command).stderr
    assert json.loads(run("validate", "--format", "json").stdout)[0]["line"] == 2
    assert "no effect" not in run("plan", "--count", "--backend", "backend.ai").stderr


def test_status_says_who_holds_the_gpu_that_a_live_apply_waits_for(run: Run, tmp_path: Path) -> None:
    card = str(1_000_000 + os.getpid())  # a card that no other test has
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": card}
    (tmp_path / "held.yaml").write_text(
        "exec: [sh, -c, 'touch started; while test ! -e go; do sleep 0.02; done']\nresources: {gpu: 1}\n"
    )
    (tmp_path / "waits.yaml").write_text("exec: ['true']\nresources: {gpu: 1}\n")

    def apply(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "runner", "apply", name], cwd=tmp_path, env=environment)

    def waiting() -> str | None:
        apply = json.loads(run("status", "waits.yaml", "--format", "json").stdout)["apply"]
        return str(apply["waiting"]) if apply and apply["waiting"] else None

    with apply("held.yaml") as holder:
        wait_for(lambda: (tmp_path / "started").exists())
        with apply("waits.yaml") as waiter:
            wait_for(lambda: waiting() is not None)
            assert f"gpu {card} is in use by pid {holder.pid}" in (waiting() or "")
            assert f"  waiting: gpu {card} is in use by pid {holder.pid}" in run("status", "waits.yaml").stdout
            (tmp_path / "go").touch()
            assert (holder.wait(HANG), waiter.wait(HANG)) == (0, 0)
    assert waiting() is None


def test_gpu_that_is_not_there_has_a_hint(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\nresources: {gpu: 1}\n")
    done = run("plan", CUDA_VISIBLE_DEVICES="", HIP_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert (
        "hint: `runner doctor` shows the GPUs that runner finds here; `--capacity gpu=N` if there are more"
        in done.stderr
    )
    assert "doctor" not in run("plan", "--capacity", "gpu=0").stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["sh", "x.sh"], "to run a command on this machine: `runner run --exec 'sh x.sh'`"),
        (["sh", "-c", "print(1)"], "to run Python on this machine: `runner run -c 'print(1)'`"),
        (["echo hi"], "to run a command on this machine: `runner run --exec 'echo hi'`"),
        ([], "give `-c CODE`, `--exec CMD`, or one Python file"),
    ],
)
def test_run_of_a_command_without_exec(run: Run, arguments: list[str], hint: str) -> None:
    done = run("run", *arguments)
    assert done.returncode == 2
    assert done.stderr.endswith(f"\n\nhint: {hint}\n")


def test_run_whose_variable_the_shell_has_expanded(run: Run) -> None:
    done = run("run", "--exec", "echo ", "--exec-range", "X=range:2")
    assert "in single quotes a shell leaves `$X` alone: `--exec '… $X'`" in done.stderr


def test_capacity_takes_the_resources_of_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\nresources: {license: 1}\ncapacity: {license: 1, disk: 3}\n")
    assert run("plan", "--capacity", "license=2,disk=1").returncode == 0


@pytest.mark.parametrize("command", ["validate", "plan", "results", "status", "report", "logs", "apply", "run"])
def test_nothing_was_started_is_said_by_what_starts_sessions(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: 3\n")
    arguments = {"logs": ["sweep.yaml", "x=1"], "run": ["--exec", "echo $x", "--exec-range", "x=range:0"]}
    done = run(command, *arguments.get(command, []))
    assert done.returncode == 2
    assert ("nothing was started" in done.stderr) == (command in ("apply", "run"))


def test_os_error_exits_3(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nfiles: [secret]\nranges: {x: [1]}\n")
    home = run("run", "--exec", "true", XDG_STATE_HOME="/proc/none")
    assert home.returncode == 3
    assert "cannot create `/proc/none/runner/runs`: no such file or directory" in home.stderr
    assert "set `XDG_STATE_HOME`" in home.stderr


def test_folder_of_runs_is_private(run: Run, tmp_path: Path) -> None:
    assert run("run", "-q", "--exec", "true").returncode == 0
    assert (tmp_path / "xdg/runner/runs").stat().st_mode & 0o777 == 0o700


LIVE = """\
exec: [sh, -c, 'test $1 = 0 || { touch started.$1; while test ! -e stop.$1; do sleep 0.05; done; }', sh, $x]
ranges: {x: 'range:200'}
max_parallel: 1
"""


@pytest.mark.parametrize("later", [LIVE, LIVE.replace("touch", "echo"), LIVE + "ranges: [\n"])
def test_cancel_reports_each_session_if_the_file_changed(run: Run, tmp_path: Path, later: str) -> None:
    """Running, queued, late in the plan or ended. The running apply's file counts, not the edited or invalid one."""
    file = tmp_path / "sweep.yaml"
    file.write_text(LIVE)
    ids = [row["id"] for row in rows(run)]
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=tmp_path, stderr=subprocess.PIPE) as live:
        try:
            wait_for(lambda: (tmp_path / "started.1").exists())
            file.write_text(later)
            done = run("cancel", "x=0", "x=2", str(ids[199]), str(ids[1])[:12])
            assert done.returncode == 0, done.stderr
            said = dict(line.split(": ", 1) for line in done.stderr.splitlines() if line[:16] in ids)
            assert said[str(ids[0])] == "already succeeded"
            assert said[str(ids[1])] == "cancelled"
            assert said[str(ids[2])] in ("cancelled", "cancelled before it started")
            assert said[str(ids[199])] in ("cancelled", "cancelled before it started")
            assert "running" in run("status").stdout or later is not LIVE
            assert run("cancel", "sweep.yaml").returncode == 0
            assert live.wait(HANG) == 1
        finally:
            live.kill()
    file.write_text(LIVE)
    assert [row["status"] for row in rows(run)][:2] == ["succeeded", "cancelled"]
    assert not (tmp_path / "started.2").exists()
    assert "already cancelled" in run("cancel", "x=1").stderr
    assert "it has not run" in run("cancel", "x=150").stderr


def test_status_of_a_session_that_waits_for_its_retry(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['false', $x]\nranges: {x: [1, 2]}\nretry: {limit: 1, backoff: 1h}\n")
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=tmp_path, stderr=subprocess.PIPE) as live:
        try:
            wait_for(lambda: "2 waiting to be tried again, next in " in run("status").stdout)
            found = json.loads(run("status", "--format", "json").stdout)
            assert (found["counts"], found["failed"]) == ({"running": 2}, [])
            waiting = {row["waiting"].partition(" at ")[0] for row in found["running"]}
            assert waiting == {"failed (exit code 1), again"}
            shown = run("status").stdout
            assert "2 failed" not in shown
            assert "  x=1: failed (exit code 1), again at 20" in shown
        finally:
            live.terminate()
            live.wait(HANG)
    assert [row["status"] for row in rows(run)] == ["failed", "failed"]
    assert "2 failed, 1 cause" in run("status").stdout


def test_status_and_logs_use_the_state_if_the_file_is_invalid(run: Run, sweep: Path) -> None:
    run("apply")
    sweep.write_text("exec: [\n")
    assert run("logs", "code=3").stdout == "out 3\n"
    status = run("status")
    assert status.returncode == 0
    assert "1 succeeded, 2 failed" in status.stdout
    assert "used as it was last applied" in status.stderr
    assert run("plan").returncode == 2


def test_interrupt_while_iterating_over_a_large_plan(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true', $x]\nranges: {x: 'range:3000000'}\n")
    run("apply", "--select", "x=0")
    holder = tmp_path / ".runner/sweep/lock"
    wait_for(lambda: holder.read_text() == "")
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=tmp_path, stderr=subprocess.PIPE) as second:
        try:
            wait_for(lambda: holder.read_text() != "")
            second.send_signal(signal.SIGINT)
            _, errors = second.communicate(timeout=HANG)
        finally:
            second.kill()
    assert (second.returncode, errors) == (-signal.SIGINT, b"interrupted\n")


def test_interrupt_during_imports_shows_no_traceback(tmp_path: Path) -> None:
    """A `click` module that never finishes its import: the signal ends the process, as by default."""
    (tmp_path / "click.py").write_text("import sys, time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "runner", "plan"]
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"importing\n"
        runner.send_signal(signal.SIGINT)
        _, errors = runner.communicate(timeout=HANG)
    assert (runner.returncode, errors) == (-signal.SIGINT, b"")
