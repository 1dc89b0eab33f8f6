"""Secrets in every form in which programs print them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import shlex
import subprocess
import urllib.parse
from collections.abc import Callable
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.text.masks import MASK, SHORTEST, Masks, maskable

VALUES = (
    "s3cr3t-1234567",
    "a/b+c=d e&f%g",
    "quote'and\"double\\back",
    "pässwörd-日本-🚀",
    "AKIAIOSFODNN7EXAMPLE/" * 6,
    "tab\tand space",
    "<xml attribute='&'>",
    "$dollar`tick`!;|",
)
LONG_KEY = base64.b64encode(b"".join(hashlib.sha512(bytes([n])).digest() for n in range(256)) * 2).decode()
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": urllib.parse.quote,
    "url, everything": lambda value: urllib.parse.quote(value, safe=""),
    "url, lower": lambda value: "".join(
        part.lower() if len(part) == 3 and part[0] == "%" else part
        for part in _parts(urllib.parse.quote(value, safe=""))
    ),
    "form": urllib.parse.quote_plus,
    "json": json.dumps,
    "json, unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps({"token": value})),
    "repr": lambda value: repr({"token": value}),
    "ascii": ascii,
    "bytes": lambda value: repr(value.encode()),
    "character references": lambda value: "".join(
        char if char.isascii() and char.isalnum() else f"&#{ord(char)};" for char in value
    ),
    "character references, hexadecimal": lambda value: "".join(
        char if char.isascii() and char.isalnum() else f"&#x{ord(char):X};" for char in value
    ),
    "shell": shlex.quote,
    "bash %q": lambda value: (
        subprocess.run(
            ["bash", "-c", 'printf %q "$1"', "bash", value], capture_output=True, text=True, check=True
        ).stdout
    ),
    "html": html.escape,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 after 1 byte": lambda value: base64.b64encode(b"x" + value.encode()).decode(),
    "base64 after 2 bytes": lambda value: base64.b64encode(b"xy" + value.encode()).decode(),
    "base64 before 1 byte": lambda value: base64.b64encode(value.encode() + b":").decode(),
    "base64 before 2 bytes": lambda value: base64.b64encode(value.encode() + b"::").decode(),
    "base64 url": lambda value: base64.urlsafe_b64encode(b"??>" + value.encode()).decode(),
    "base64 in a URL": lambda value: urllib.parse.quote(base64.b64encode(b"??>" + value.encode()).decode(), safe=""),
    "base64 in lines, as bytes": lambda value: repr(base64.encodebytes(b"user:" * 9 + value.encode() + b"\n")),
    "base64 in lines": lambda value: base64.encodebytes(b"user:" * 9 + value.encode() + b"\n").decode(),
    "basic authentication": lambda value: "Basic " + base64.b64encode(f"user:{value}".encode()).decode(),
}


def _parts(quoted: str) -> list[str]:
    first, *rest = quoted.split("%")
    return [first, *(piece for part in rest for piece in (f"%{part[:2]}", part[2:]))]


def leaked(value: str, shown: str) -> bool:
    """Whether a run of half of the value's characters can be read in the text, or in what it decodes to."""
    half = len(value) // 2
    texts = [shown, urllib.parse.unquote(shown), html.unescape(shown), shown.replace("\\", "")]
    return any(value[at : at + half] in text for text in texts for at in range(len(value) - half + 1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_secret_is_masked_in_every_form(value: str, form: str) -> None:
    shown = Masks([value]).text(f"before {FORMS[form](value)} after")
    assert MASK in shown
    assert not leaked(value, shown)
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    kept = sum(map(str.isalnum, shown)) - len("beforeafter")
    assert kept <= (30 if not form.startswith("base64 in lines") else 70), (
        shown
    )  # keys, quotes and what was encoded with it


def test_longer_secret_goes_first() -> None:
    assert Masks(["password", "password-and-more"]).text("password-and-more password") == "*** ***"


def test_each_line_of_a_secret_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nshort\n-----END KEY-----\n"
    masks = Masks([key])
    assert masks.text("a MIIEpAIBAAKCAQEA b") == "a *** b"
    assert masks.text(f"{key}x") == "***\nx"
    assert masks.text(json.dumps(key)) == '"***\\n"'
    assert maskable(key) == [key.strip(), "-----BEGIN KEY-----", "MIIEpAIBAAKCAQEA", "-----END KEY-----"]


@pytest.mark.parametrize("end", range(1, 14))
def test_text_that_was_cut_ends_before_a_part_of_a_secret(end: int) -> None:
    secret = "s3cr3t-1234567"
    shown = Masks([secret]).beginning(f"{'x' * 300}{secret} {secret[:end]}")
    assert shown.strip("x") in ("", "***", "*** ")


@pytest.mark.parametrize("secrets", [[], [""], ["x" * (SHORTEST - 1)], ["\n\n"]])
def test_short_secret_is_not_masked(secrets: list[str]) -> None:
    masks = Masks(secrets)
    assert not masks
    assert masks.text("a xxxxxxx b") == "a xxxxxxx b"
    assert list(masks.chunks([b"a", b"b"])) == [b"a", b"b"]
    assert not masks.found_in([b"a"])


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("\\" * 10 + "!", "\\" * 3000),
        ("\\!" * 10, ("\\" * 100 + "!") * 9 + "\\" * 100_000),
        ("!" * 9, ("\\" * 1000 + "!") * 8 + "\\" * 100_000),
        (LONG_KEY, LONG_KEY[:-1]),
    ],
    ids=["backslashes", "quoted backslashes", "marks", "long key"],
)
def test_long_secret_or_row_of_backslashes_takes_no_time(secret: str, text: str) -> None:
    """Searched for as one regular expression, each of these takes from minutes to years."""
    masks = Masks([secret])
    assert masks.text(text) == text
    assert masks.text(f"{text} {secret}") == f"{text} ***"


@given(st.text(min_size=8, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_any_secret_is_masked_in_any_text(secret: str, before: str, after: str) -> None:
    parts = maskable(secret)
    shown = Masks([secret]).text(f"{before}{secret}{after}")
    assert not any(part in shown and part not in "***" for part in parts[:1])


@given(st.lists(st.integers(1, 40), max_size=20), st.integers(0, 300))
def test_chunks_of_a_file_do_not_matter(sizes: list[int], at: int) -> None:
    masks = Masks(["s3cr3t-ü-12345"])
    data = b"\xff" * at + "s3cr3t-ü-12345".encode() + b"\n" * 150 + b"s3cr3t-%c3%bc-12345" + b"\xfe"
    ends = [0, *accumulate(sizes), len(data)]
    chunks = [data[begin:end] for begin, end in pairwise(ends)]
    shown = b"".join(masks.chunks(chunks))
    assert shown == b"\xff" * at + b"***" + b"\n" * 150 + b"***\xfe"
    assert masks.found_in(chunks)
    assert not masks.found_in([shown])
