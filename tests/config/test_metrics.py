from __future__ import annotations

import os
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config.metrics import JsonMetric, LastLineMetric, Metric, RegexMetric, collect
from runner.model import Scalar


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def one(metric: Metric, output: Path, stdout: Path | None = None) -> Scalar:
    return collect({"m": metric}, output, stdout or output.parent / "stdout")["m"]


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
        ('{"epochs": [1]}', "epochs.1", None),
        ("[5]", "0", 5),
        ('{"loss": NaN}', "loss", "NaN"),
        ('{"loss": -Infinity}', "loss", "-Infinity"),
        ('{"loss": 1e999}', "loss", "1e999"),
        ('{"loss": "good"}', "loss", "good"),
        ('{"loss": true}', "loss", "true"),
        ('{"loss": null}', "loss", None),
        ('{"loss": [1, "é"]}', "loss", '[1, "é"]'),
        ('{"other": 1}', "loss", None),
        ('{"val": 1}', "val.loss", None),
        ("{", "loss", None),
        ("", "loss", None),
        ("[" * 100_000, "0", None),
        ('{"n": ' + "9" * 5000 + "}", "n", None),
    ],
)
def test_json(output: Path, text: str, key: str, value: Scalar) -> None:
    (output / "m.json").write_text(text)
    found = one(JsonMetric("m.json", key), output)
    assert found == value
    assert type(found) is type(value)


def test_json_file_that_cannot_be_read(output: Path) -> None:
    os.mkfifo(output / "fifo")
    (output / "folder").mkdir()
    (output / "binary").write_bytes(b"\xff\xfe\x00")
    (output / "huge.json").write_text('{"a": 1' + " " * 16 * 1024 * 1024 + "}")
    for name in ("fifo", "folder", "binary", "huge.json", "missing"):
        assert one(JsonMetric(name, "a"), output) is None


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
        (b"x", r"x(y)?", None),
        (b"nothing", r"acc=(\S+)", None),
        (b"", r"acc=(\S+)", None),
    ],
)
def test_regex(output: Path, text: bytes, pattern: str, value: Scalar) -> None:
    stdout = output.parent / "stdout"
    stdout.write_bytes(text)
    assert one(RegexMetric(pattern), output) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"acc": 1}\n{"acc": 2}\n', 2),
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


def test_result_has_every_metric_in_order(output: Path) -> None:
    metrics: dict[str, Metric] = {"b": RegexMetric("b"), "a": JsonMetric("a", "a"), "c": LastLineMetric("c")}
    assert list(collect(metrics, output, output / "missing").items()) == [
        ("b", None),
        ("a", None),
        ("c", None),
    ]


def test_large_log_needs_little_memory(output: Path) -> None:
    stdout = output.parent / "stdout"
    with open(stdout, "wb") as file:
        file.write(b"first=1\n")
        for _ in range(48):
            file.write(b"0123456789abcde\n" * 65536)
        file.write(b"last=2\n")
    tracemalloc.start()
    found = collect({"first": RegexMetric(r"first=(\d)"), "last": RegexMetric(r"last=(\d)")}, output, stdout)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == {"first": 1, "last": 2}
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
