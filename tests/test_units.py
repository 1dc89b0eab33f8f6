"""Times, memory sizes and amounts."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.units import UnitError, format_duration, format_memory, parse_amount, parse_duration, parse_memory


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("1.5h", 5400),
        ("90", 90),
        (90, 90),
        (0.5, 0.5),
        ("500ms", 0.5),
        ("2d", 172800),
        ("1e3s", 1000),
        ("0", 0),
        *[(" 1 h ", 3600), (".5s", 0.5)],
    ],
)
def test_duration(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256m", 256 << 20),
        ("1.5g", 3 << 29),
        ("1K", 1024),
        ("2T", 2 << 40),
        ("4GiB", 4 << 30),
        ("4gb", 4 << 30),
        ("0.1k", 103),
        *[("0m", 0), ("1 MiB", 1 << 20), ("1e3k", 1024000)],
    ],
)
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text, bare="error") == parse_memory(text, bare="MiB") == size


def test_memory_without_a_unit() -> None:
    assert parse_memory("256", bare="MiB") == parse_memory(256, bare="MiB") == 256 << 20
    with pytest.raises(UnitError) as caught:
        parse_memory(256, bare="error")
    assert caught.value.message == "the memory amount `256` has no unit"
    assert caught.value.hint == "write `256m` or `256g`"


def test_amounts_are_exact() -> None:
    assert 10 * parse_amount(0.1) == 10 * parse_amount("0.1") == 1
    assert (parse_amount("2.0"), parse_amount(3)) == (2, 3)
    assert type(parse_amount("2.0")) is int
    assert parse_amount("0.25") == Fraction(1, 4)


@pytest.mark.parametrize(
    "text", ["", "h", "ten", "1h30m", "-1", "-1m", "1e400", "nan", "inf", ".inf", "1..2", "0x10", "$t", "١m"]
)
def test_invalid_quantity(text: str) -> None:
    for parse in (parse_duration, partial(parse_memory, bare="MiB"), parse_amount):
        with pytest.raises(UnitError, match=r"is not |is negative"):
            parse(text)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_duration("10M"), "unknown unit of time `M`"),
        (lambda: parse_duration("1w"), "unknown unit of time `w`"),
        (lambda: parse_duration("1e308d"), "the time `1e308d` is too long"),
        (lambda: parse_duration("-5s"), "the time `-5s` is negative"),
        (lambda: parse_duration(True), "`true` is not a time"),
        (lambda: parse_memory("5x", bare="error"), "unknown unit of memory `x`"),
        (lambda: parse_memory("5b", bare="error"), "unknown unit of memory `b`"),
        (lambda: parse_amount("2m"), "the amount `2m` has a unit"),
    ],
)
def test_message_of_an_invalid_quantity(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UnitError) as caught:
        call()
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.0125, "13ms"),
        (3.25, "3.3s"),
        (60.5, "1m 01s"),
        (5430.0, "1h 31m"),
        (0.12, "120ms"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (3.21, "3.2s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        *[(245, "4m 05s"), (3599.6, "1h 00m"), (3720, "1h 02m"), (86399, "1d 00h"), (183600, "2d 03h")],
    ],
)
def test_format_duration(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (37 << 20, "37 MiB"),
        (53 << 18, "13.3 MiB"),
        (55 << 18, "13.8 MiB"),
        ((1 << 20) - 1, "1 MiB"),
        (3 << 29, "1.5 GiB"),
        *[(5000 << 40, "5000 TiB")],
    ],
)
def test_format_memory(size: int, text: str) -> None:
    assert format_memory(size) == text


@given(st.integers(1024, 1 << 60))
def test_formatted_memory_is_parsed_back(size: int) -> None:
    assert parse_memory(format_memory(size), bare="error") == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1h30m", "write `90m`"),
        ("1h 2m", "write `62m`"),
        ("1d12h", "write `36h`"),
        ("1m30s", "write `90s`"),
        ("2h0.5s", "write `7201s`"),
    ],
)
def test_time_in_several_units_has_a_hint_that_is_read(text: str, hint: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_duration(text)
    assert caught.value.hint == hint
    parse_duration(hint.removeprefix("write `").removesuffix("`"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("256", "write `256m` or `256g`"),
        ("1e3", "write `1000m` or `1000g`"),
        ("1e9", "for bytes write `954m`"),
        ("1000000", "for bytes write `1m`"),
        ("1073741824", "for bytes write `1g`"),
        ("5368709120", "for bytes write `5g`"),
        ("1.5e9", "for bytes write `1431m`"),
    ],
)
def test_memory_without_a_unit_has_a_hint_that_is_read(text: str, hint: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_memory(text, bare="error")
    assert caught.value.hint == hint
    parse_memory(hint.partition("`")[2].partition("`")[0], bare="error")
