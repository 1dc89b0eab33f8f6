from __future__ import annotations

import errno
import json
import os
import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.apply.metric_reader import MAX_TEXT_LENGTH, Sources, read_metric, signatures
from runner.config.metrics import JsonMetric, LastLineMetric, Metric, RegexMetric
from runner.model import Missing, Scalar, Value


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def sources(output: Path, stdout: Path | None = None) -> Sources:
    """The files of an attempt whose logs and working directory are beside its output folder."""
    stdout = stdout or output.parent / "stdout"
    return Sources(str(output), str(stdout), str(stdout.with_name("stderr")), str(output.parent))


def one(metric: Metric, output: Path, stdout: Path | None = None) -> Scalar:
    """The data of a metric, None if it is missing."""
    found = read_metric(metric, sources(output, stdout))
    return found.data if isinstance(found, Value) else None


def why(metric: Metric, output: Path) -> str:
    """Why a metric is missing."""
    found = read_metric(metric, sources(output))
    assert isinstance(found, Missing), found
    return found.reason


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ('{"loss": 0.25}', "loss", 0.25),
        ('{"steps": 12}', "steps", 12),
        ('{"val": {"loss": 1e-3}}', "val.loss", 0.001),
        ('{"val.loss": 3}', "val.loss", 3),
        ('{"val": {"a.b": 3}}', "val.a.b", 3),
        ('{"epochs": [{"acc": 1}, {"acc": 2}]}', "epochs.1.acc", 2),
        ('{"epochs": [1, 2, 3]}', "epochs.-1", 3),
        ("[5]", "0", 5),
        ('{"loss": NaN}', "loss", "NaN"),
        ('{"loss": -Infinity}', "loss", "-Infinity"),
        ('{"loss": 1e999}', "loss", "1e999"),
        ('{"loss": "good"}', "loss", "good"),
        ('{"loss": true}', "loss", "true"),
        ('{"loss": [1, "é"]}', "loss", '[1, "é"]'),
        ('{"loss": 0.5, "n": ' + "9" * 5000 + "}", "loss", 0.5),
        ('{"n": ' + "9" * 5000 + "}", "n", "9" * (MAX_TEXT_LENGTH - 1) + "…"),
        ('{"n": ' + "9" * 400 + "}", "n", "9" * 400),
        ('{"n": 1' + "0" * 100_000 + ".5}", "n", "1" + "0" * (MAX_TEXT_LENGTH - 2) + "…"),
        ('{"n": 18446744073709551616}', "n", 2**64),
        (r'{"loss": "\ud800"}', "loss", r"\ud800"),
    ],
)
def test_json(output: Path, text: str, key: str, value: Scalar) -> None:
    (output / "m.json").write_text(text)
    found = one(JsonMetric("m.json", key), output)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ('{"other": 1, "b": 2}', "loss", "`m.json` has no `loss`, but `other`, `b`"),
        (
            '{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}',
            "g",
            "`m.json` has no `g`, but `a`, `b`, `c`, `d`, `e`, …",
        ),
        ('{"val": 1}', "val.loss", "`m.json` has no `val.loss`, but `val`"),
        ('{"epochs": [1]}', "epochs.1", "`m.json` has no `epochs.1`, but `epochs`"),
        ('{"epochs": [1]}', "epochs.x", "`m.json` has no `epochs.x`, but `epochs`"),
        ("[5]", "1", "`m.json` has no `1`"),
        ('{"loss": null}', "loss", "`loss` is null in `m.json`"),
        ("{", "loss", "`m.json` is not JSON: Expecting property name enclosed in double quotes at line 1"),
        ("", "loss", "`m.json` is empty"),
        ("\n", "loss", "`m.json` is empty"),
        ("[" * 100_000, "0", "it is nested too deeply"),
    ],
)
def test_json_without_value(output: Path, text: str, key: str, reason: str) -> None:
    (output / "m.json").write_text(text)
    assert why(JsonMetric("m.json", key), output) == reason


def test_json_file_that_cannot_be_read(output: Path) -> None:
    os.mkfifo(output / "fifo")
    (output / "folder").mkdir()
    (output / "binary").write_bytes(b"\xff\xfe\x00")
    (output / "huge.json").write_text('{"a": 1' + " " * 16 * 1024 * 1024 + "}")
    assert {
        name: why(JsonMetric(name, "a"), output) for name in ("fifo", "folder", "binary", "huge.json", "missing")
    } == {
        "fifo": "`fifo` is not a regular file",
        "folder": "`folder` is not a regular file",
        "binary": "`binary` is not JSON: it is not UTF-8",
        "huge.json": "`huge.json` is larger than 16 MiB",
        "missing": "no `missing` in the output folder",
    }


def test_read_error_is_not_taken_for_a_missing_value(output: Path) -> None:
    """A link to itself cannot be opened, by root either."""
    (output / "m.json").symlink_to("m.json")
    assert read_metric(JsonMetric("m.json", "a"), sources(output)) == Missing(
        f"`m.json` cannot be read: {os.strerror(errno.ELOOP)}", unread=True
    )
    (output.parent / "stdout").symlink_to("stdout")
    for metric in (RegexMetric("a"), LastLineMetric("a")):
        found = read_metric(metric, sources(output))
        assert found == Missing(f"`stdout` cannot be read: {os.strerror(errno.ELOOP)}", unread=True)


def test_missing_file_is_found_elsewhere(output: Path) -> None:
    (output / "run" / "1").mkdir(parents=True)
    (output / "run" / "1" / "m.json").write_text("{}")
    assert why(JsonMetric("m.json", "a"), output) == (
        "no `m.json` in the output folder; there is `run/1/m.json`: write `json: run/1/m.json`"
    )
    (output.parent / "m.json").write_text("{}")
    assert why(JsonMetric("m.json", "a"), output) == (
        "no `m.json` in the output folder; there is one in the working directory: write it to `$RUNNER_OUTPUT_DIR`"
    )


def test_match_is_found_on_stderr(output: Path) -> None:
    (output.parent / "stdout").write_text("nothing\n")
    assert why(RegexMetric("loss=(.*)"), output) == "no match on stdout"
    (output.parent / "stderr").write_text("loss=1\n")
    assert why(RegexMetric("loss=(.*)"), output) == "no match on stdout; there is one on stderr: write it to stdout"


def left_before(output: Path) -> Sources:
    """The sources of an attempt, with the files that are in its output folder before it begins."""
    return replace(sources(output), left=signatures({"m.json", "other.json"}, str(output)))


def test_file_of_an_earlier_attempt_is_not_read(output: Path) -> None:
    file, metric = output / "m.json", JsonMetric("m.json", "a")
    file.write_text('{"a": 1}')
    before = left_before(output)
    assert read_metric(metric, before) == Missing("`m.json` was left by an earlier attempt")
    about = file.stat()
    file.write_text('{"a": 2}')
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # as `cp --preserve` does
    assert read_metric(metric, before) == Value("2", 2)


def test_replaced_file_is_of_this_attempt(output: Path) -> None:
    file = output / "m.json"
    file.write_text('{"a": 1}')
    before = left_before(output)
    new = output / "new"
    new.write_text('{"a": 1}')
    new.rename(file)
    assert read_metric(JsonMetric("m.json", "a"), before) == Value("1", 1)


def test_file_older_than_an_adopted_attempt_is_not_read(output: Path) -> None:
    file, metric = output / "m.json", JsonMetric("m.json", "a")
    file.write_text('{"a": 1}')
    changed = file.stat().st_ctime
    assert read_metric(metric, replace(sources(output), since=changed + 1)) == Missing(
        "`m.json` was left by an earlier attempt"
    )
    assert read_metric(metric, replace(sources(output), since=changed - 1)) == Value("1", 1)


@pytest.mark.parametrize(
    ("text", "pattern", "value"),
    [
        (b"acc=0.1\nacc=0.9\n", r"acc=(\S+)", 0.9),
        (b"acc=0.1\racc=0.8\r", r"acc=(\S+)$", 0.8),
        (b"took 12 steps\r\n", r"^took (\d+) steps$", 12),
        (b"42", r"\d+", 42),
        (b"acc=nan", r"acc=(\S+)", "nan"),
        (b"acc=inf", r"acc=(\S+)", "inf"),
        (b"acc=very good", r"acc=(.*)", "very good"),
        (b"acc=\xff 7", r"acc=. (\d)", 7),
        ("größe=7".encode(), r"größe=(\d)", 7),
        (b"acc=" + b"1" + b"0" * 400, r"acc=(\S+)", "1" + "0" * 400),
        (b"acc=1e999", r"acc=(\S+)", "1e999"),
        (b"acc=" + b"7" * 100_000, r"acc=(\S+)", "7" * (MAX_TEXT_LENGTH - 1) + "…"),
        (b"acc=9223372036854775808", r"acc=(\S+)", 2**63),
        ("acc=1\u2028acc=2".encode(), r"acc=(\S+)$", 2),
        ("acc=1\u2028x".encode(), r"^acc=(.*)$", "1\u2028x"),
        (b"x", r"x(y)?", None),
        (b"nothing", r"acc=(\S+)", None),
        (b"", r"acc=(\S+)", None),
    ],
)
def test_regex(output: Path, text: bytes, pattern: str, value: Scalar) -> None:
    stdout = output.parent / "stdout"
    stdout.write_bytes(text)
    assert one(RegexMetric(pattern), output) == value


@pytest.mark.parametrize("text", ["1.10", "0012345", "7e10", "+5", ".50", "0x1F", "-0"])
def test_regex_keeps_the_text_of_a_number(output: Path, text: str) -> None:
    (output.parent / "stdout").write_text(f"v= {text} \n")
    found = read_metric(RegexMetric("v=(.*)"), sources(output))
    assert isinstance(found, Value)
    assert found.text == text
    assert found.data == float(int(text, 16) if "x" in text else text)


LINE_BREAKS_OF_PYTHON = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("char", LINE_BREAKS_OF_PYTHON)
def test_lines_end_at_newlines_alone(output: Path, char: str) -> None:
    text = json.dumps({"loss": 0.5, "answer": f"a{char}b"}, ensure_ascii=False)
    (output.parent / "stdout").write_text(f'{{"loss": 9.0}}\n{text}\n')
    assert one(LastLineMetric("loss"), output) == 0.5
    (output.parent / "stdout").write_text(f"loss=1\nx{char}loss=2\n")
    assert one(RegexMetric("^loss=(.*)$"), output) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"acc": 1}\n{"acc": 2}\n', 2),
        (b'{"acc": 1}\r\n{"acc": 2}\r\n', 2),
        (b'{"acc": 1, "n": ' + b"9" * 5000 + b"}", 1),
        (b'{"acc": 1}\ndone\n\n', 1),
        (b'{"acc": 1}\n[3]\n{broken\n', 1),
        (b"acc 3", None),
        (b"", None),
    ],
)
def test_last_line(output: Path, text: bytes, value: Scalar) -> None:
    stdout = output.parent / "stdout"
    stdout.write_bytes(text)
    assert one(LastLineMetric("acc"), output) == value


@pytest.mark.parametrize(
    ("text", "metric", "reason"),
    [
        ("", RegexMetric("a"), "nothing was written to stdout"),
        ("", LastLineMetric("a"), "nothing was written to stdout"),
        ("x", LastLineMetric("a"), "no line of stdout is a JSON object"),
        ('{"b": 1}', LastLineMetric("a"), "the last JSON object on stdout has no `a`, but `b`"),
        ("x", RegexMetric("x(y)?"), "the group of the pattern took no part in the last match"),
    ],
)
def test_stdout_without_value(output: Path, text: str, metric: Metric, reason: str) -> None:
    (output.parent / "stdout").write_text(text)
    assert why(metric, output) == reason


def test_large_log_needs_little_memory(output: Path) -> None:
    stdout = output.parent / "stdout"
    with open(stdout, "wb") as file:
        file.write(b"first=1\n")
        for _ in range(48):
            file.write(b"0123456789abcde\n" * 65536)
        file.write(b"last=2\n")
    tracemalloc.start()
    found = [one(RegexMetric(rf"{name}=(\d)"), output, stdout) for name in ("first", "last")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [1, 2]
    assert peak < 10 * 1024 * 1024


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("offset", range(-2, 20))
def test_line_across_two_blocks(output: Path, end: str, offset: int) -> None:
    stdout = output.parent / "stdout"
    after = f"{end}{'x' * 1023}" * 1100
    stdout.write_text("." * 99 + f"{end}value=123456{after[: 1024 * 1024 - offset]}", newline="")
    assert one(RegexMetric(r"^value=(\d+)$"), output) == 123456


def test_line_longer_than_a_block(output: Path) -> None:
    stdout = output.parent / "stdout"
    stdout.write_bytes(b"acc=1 " + b"x" * 5_000_000)
    assert one(RegexMetric(r"acc=(\d)"), output) == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=6), st.sampled_from(["\n", "\r", "\r\n"]))
def test_last_value_is_found_wherever_blocks_end(gaps: list[int], end: str) -> None:
    lines = ["." * gap + end + f"value=12345{number}6789" for number, gap in enumerate(gaps)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stdout")
        path.write_text(end.join(lines) + end + "é" * 600_000 + end, newline="")
        assert one(RegexMetric(r"^value=(\d+)$"), Path(folder), path) == int(f"12345{len(gaps) - 1}6789")
