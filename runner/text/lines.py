"""The lines of a text."""

from __future__ import annotations


def lines(text: str) -> list[str]:
    r"""Return the lines without their ends, `\n` or `\r\n`. `str.splitlines` also ends them at U+2028, `\x0b`, …"""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
