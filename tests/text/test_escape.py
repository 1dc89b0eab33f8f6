"""Text of others, escaped for each place where it is shown."""

from __future__ import annotations

import json
from xml.etree import ElementTree
from xml.sax.saxutils import escape as xml_escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.text.escape import json_text, log_line, printable, printable_lines, valid_xml

HOSTILE = {
    "escape": "\x1b[31m",
    "title": "\x1b]0;x\x07",
    "link": "\x1b]8;;http://x\x1b\\y",
    "c1": "\x9b31m",
    "carriage return": "a\rb",
    "backspace": "a\bb",
    "bidi override": "a\u202eb",
    "bidi isolate": "a\u2067b",
    "line separator": "a\u2028b",
    "next line": "a\x85b",
    "surrogate": "a\udc80b",
    "tag": "a\U000e0041b",
    "delete": "a\x7fb",
    "null": "a\0b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_control_character_stays(name: str) -> None:
    for shown in (printable(HOSTILE[name]), printable_lines(HOSTILE[name]), log_line(HOSTILE[name])):
        assert shown.isprintable()


def test_characters_are_replaced_by_visible_ones() -> None:
    assert printable("a\x1b[1m\tb\xa0c\n\u202ed\udc80") == "a␛[1m    b c␊<U+202E>d<U+DC80>"


def test_printable_lines_keeps_line_ends_only() -> None:
    assert printable_lines("a\x1b\nb\r\n") == "a␛\nb␍\n"


@given(st.text())
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert printable("".join(char for char in text if char.isprintable())) in printable(text) or not text.isprintable()


def test_log_line_is_what_a_terminal_shows() -> None:
    assert log_line("10%\r20%\r\x1b[32mdone\x1b[0m \x1b]0;title\x07\x07") == "done �"


@given(st.text())
def test_json_text_keeps_the_data(text: str) -> None:
    written = json_text(json.dumps({text: [text]}, ensure_ascii=False, indent=2))
    assert json.loads(written) == {text: [text]}
    assert written.replace("\n", "").isprintable()


@given(st.text())
def test_valid_xml_can_be_parsed(text: str) -> None:
    shown = valid_xml(text)
    element = ElementTree.fromstring(f"<a>{xml_escape(shown, {chr(13): '&#13;'})}</a>")
    assert (element.text or "") == shown
    assert not set("\x9b\u202e\u2066") & set(shown)
