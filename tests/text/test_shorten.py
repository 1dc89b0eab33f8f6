"""Shortened texts: where they are cut, and that they stay distinct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.text.shorten import shortened


@pytest.mark.parametrize(
    ("texts", "short"),
    [
        (["vit", "", "exactly-twelve"[:12]], ["vit", "", "exactly-twel"]),
        (["resnet50-small", "resnet50-large"], ["resne..small", "resne..large"]),
        (["resnet50-a-with-all", "resnet50-b-with-all"], ["res..-a-wi..", "res..-b-wi.."]),
        (["abcdefgX-and-so-on", "abcdefgY-and-so-on"], ["abc..gX-an..", "abc..gY-an.."]),
        (["abcdefgh" * 3 + "1" + "x" * 20], ["abcde..xxxxx"]),
    ],
)
def test_long_text_is_cut_in_the_middle(texts: list[str], short: list[str]) -> None:
    assert list(shortened(texts, 12, "..").values()) == short


@given(st.lists(st.text("ab", max_size=60)), st.sampled_from(["…", "..."]))
def test_shortened_texts_stay_distinct(texts: list[str], mark: str) -> None:
    found = shortened(texts, 20, mark)
    assert len(set(found.values())) == len(set(texts)) == len(found)
    assert all(len(short) <= 20 or short == text for text, short in found.items())
    assert all(found[text] == text for text in texts if len(text) <= 20)
