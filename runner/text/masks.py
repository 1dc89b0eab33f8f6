"""Replace secrets by `***`, also in the encodings that programs print.

Found are a value itself, its lines if it has several, and each of these URL-quoted (`%2F` or `%2f`, `+` for a space), escaped
as in JSON, in Python (also as bytes), in HTML or for a shell, and in base64 (standard or URL-safe, at every alignment, also
wrapped). Values and lines shorter than SHORTEST characters are not masked: they would be found in other texts.

One expression finds where a form may begin, by its first characters; the rest is compared character by character. An expression
of whole forms takes minutes to compile for a key file, and hours to match for some texts.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import groupby

MASK = "***"

SHORTEST = 8
"""Characters."""

_LONGEST_CHARACTER = 16
"""Characters that stand for one in any encoding: `\\360\\237\\230\\200`, `\\ud83d\\ude00`, `%F0%9F%98%80`."""

_CONTROLS = {"\n": "n", "\r": "r", "\t": "t"}
_WRAP = r"(?:\r?\n|(?:\\++r)?\\++n)?"
_IN_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_END_OF_BASE64 = re.compile(f"(?:{_WRAP}[A-Za-z0-9+/_-])?(?:=|%3[dD]){{0,2}}")


class _Form:
    """One way to write a secret: a pattern for each of its characters. `text` is the secret if it may stand there as it is."""

    def __init__(self, patterns: list[str], text: str | None = None) -> None:
        self.text = text
        self.is_base64 = text is None
        self._patterns = patterns

    def beginning(self) -> str:
        """The pattern of the first characters."""
        # Behind a backslash it would have begun at that one: a long row of them is looked at once.
        first = re.sub(r"\\\\(\+|\{\d+,\})\+", r"(?<!\\\\)\g<0>", self._patterns[0].replace(r"\\*+", ""))
        return "".join([first, *self._patterns[1:SHORTEST]])

    def span(self, text: str, begin: int) -> tuple[int, int] | None:
        """Where the form is that begins there. With base64 goes the character before it, which may have bits of it."""
        if self.text is not None and text.startswith(self.text, begin):
            return begin, begin + len(self.text)
        end = begin
        for pattern in self._patterns:
            if not (found := _compiled(pattern).match(text, end)):
                return None
            end = found.end()
        if not self.is_base64:
            return begin, end
        rest = _END_OF_BASE64.match(text, end)
        return begin - (text[begin - 1 : begin] in _IN_BASE64), rest.end() if rest else end


class Masks:
    """Masks the given secrets. Without any, every text stays as it is."""

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = sorted({part for secret in secrets for part in maskable(secret)}, key=len, reverse=True)
        self.longest = _LONGEST_CHARACTER * max(map(len, parts), default=0)
        """The most characters of a text that are one secret."""
        self._forms = [form for part in parts for form in (_Form(_quoted(part), part), *_base64_forms(part))]
        beginnings = [*(re.escape(part[:SHORTEST]) for part in parts), *(form.beginning() for form in self._forms)]
        self._beginning = re.compile("|".join(dict.fromkeys(beginnings))) if parts else None

    def __bool__(self) -> bool:
        return self._beginning is not None

    def text(self, text: str) -> str:
        """Return the text with each secret as MASK. Call it before anything is cut off."""
        shown, end = [], 0
        for begin, stop in self._spans(text):
            shown += [text[end:begin], MASK]
            end = stop
        return "".join([*shown, text[end:]]) if shown else text

    def beginning(self, text: str) -> str:
        """The same for the beginning of a longer text: without the characters at its end that may be a part of a secret."""
        return self.text(text[: self._uncut(text, len(text) - self.longest)])

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same for the bytes of a file, in which a secret may cross the end of a chunk."""
        if not self:
            yield from chunks
            return
        rest, decode = "", _decoder()
        for chunk in chunks:
            text = rest + decode(chunk)
            cut = self._uncut(text, len(text) - self.longest)
            yield self.text(text[:cut]).encode("utf-8", "surrogateescape")
            rest = text[cut:]
        yield self.text(rest + decode(b"", True)).encode("utf-8", "surrogateescape")

    def found_in(self, chunks: Iterable[bytes]) -> bool:
        """Whether a file has a secret."""
        rest, decode = "", _decoder()
        for chunk in chunks if self else ():
            text = rest + decode(chunk)
            if next(self._spans(text), None):
                return True
            rest = text[-self.longest :]
        return False

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets are, from left to right; of several at one place the longest."""
        at = 0
        while self._beginning and (found := self._beginning.search(text, at)):
            spans = (form.span(text, found.start()) for form in self._forms)
            if span := next(filter(None, spans), None):
                yield max(span[0], at), span[1]
                at = span[1]
            else:
                at = found.start() + 1

    def _uncut(self, text: str, place: int) -> int:
        """The place, or the end of the secret that crosses it; 0 if it is before the text."""
        if place <= 0:
            return 0
        for begin, end in self._spans(text):
            if begin >= place:
                break
            if end > place:
                return end
        return place


def _decoder() -> Callable[..., str]:
    """Decodes chunk by chunk; a character may cross the end of one."""
    return codecs.getincrementaldecoder("utf-8")("surrogateescape").decode


def maskable(secret: str) -> list[str]:
    """The parts of a secret that are masked: all of it, and each of its lines. Empty if it is too short."""
    parts = dict.fromkeys([secret.strip("\r\n"), *(line.strip() for line in secret.splitlines())])
    return [part for part in parts if len(part) >= SHORTEST]


_compiled = cache(re.compile)


def _quoted(text: str) -> list[str]:
    """A pattern for each character, or row of backslashes, which may be quoted as in a URL, JSON, Python, HTML or a shell."""
    patterns: list[str] = []
    behind_backslash = False
    for is_backslash, row in groupby(text, "\\".__eq__):
        if is_backslash:
            count = len(list(row))
            patterns.append(rf"(?:\\{{{count},}}+|(?:%5[cC]|&#0*92;|&#[xX]0*5[cC];){{{count}}})")
        else:
            first, *rest = row
            escaped = _quoted_character(first)
            patterns += [escaped.replace(r"\\++", r"\\*+") if behind_backslash else escaped]
            patterns += map(_quoted_character, rest)
        behind_backslash = is_backslash
    return patterns


@cache
def _quoted_character(character: str) -> str:
    """The pattern of a character but a backslash. Letters and digits of ASCII are never quoted."""
    if character.isascii() and character.isalnum():
        return character
    code, data = ord(character), character.encode("utf-8", "surrogateescape")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    forms = [
        "".join(f"%(?i:{byte:02x})" for byte in data),
        "".join(rf"\\++u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        rf"\\++U(?i:{code:08x})",
        "".join(rf"\\++x(?i:{byte:02x})" for byte in data),
        "".join(rf"\\++{byte:03o}" for byte in data),
        rf"&#0*{code};",
        rf"&#[xX]0*(?i:{code:x});",
    ]
    if code < 0x100:
        forms.append(rf"\\++x(?i:{code:02x})")
    if character == " ":
        forms.append(r"\+")
    if character in _CONTROLS:
        forms.append(r"\\++" + _CONTROLS[character])
    if character == "'":
        forms.append(r"'\\++''|'\"'\"'|&apos;")
    if character in '&<>"':
        forms.append({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}[character])
    return rf"(?:{'|'.join(forms)}|\\*+{re.escape(character)})"


def _base64_forms(text: str) -> Iterator[_Form]:
    """The form of a text inside of encoded data, by its distance from a multiple of three bytes.

    The characters at both ends that hold bits of the bytes around it are left out.
    """
    data = text.encode("utf-8", "surrogateescape")
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data).decode().rstrip("=")
        first = (0, 2, 3)[offset]
        last = len(encoded) - (1 if (offset + len(data)) % 3 else 0)
        begin, *rest = map(_base64_character, encoded[first:last])
        yield _Form([begin, *(_WRAP + pattern for pattern in rest)])


def _base64_character(character: str) -> str:
    return {"+": r"(?:[+-]|%2[bB])", "/": r"(?:\\*+[/_]|%2[fF])"}.get(character, character)
