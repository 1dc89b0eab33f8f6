"""Replace secrets by `***`, also in the encodings that programs print.

Found are a value itself, its lines if it has several, and each of these URL-quoted (`%2F` or `%2f`, `+` for a space), escaped
as in JSON, in Python or for a shell, and in base64 (standard or URL-safe, at every alignment, also wrapped). Values and lines
shorter than SHORTEST characters are not masked: they would be found in other texts.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Callable, Iterable, Iterator

MASK = "***"

SHORTEST = 8
"""Characters."""

_CONTROLS = {"\n": "n", "\r": "r", "\t": "t"}
_BASE64 = "[A-Za-z0-9+/_-]"
_WRAP = r"(?:\r?\n)?"
_LONGEST_CHARACTER = 12
"""Characters that stand for one in any encoding: `\\ud83d\\ude00`, `%F0%9F%98%80`."""


class Masks:
    """Masks the given secrets. Without any, every text stays as it is."""

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = sorted({part for secret in secrets for part in maskable(secret)}, key=len, reverse=True)
        self.longest = _LONGEST_CHARACTER * max(map(len, parts), default=0)
        """The most characters of a text that are one secret."""
        patterns = [*map(_escaped, parts), *(form for part in parts for form in _base64_forms(part))]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def text(self, text: str) -> str:
        """Return the text with each secret as MASK. Call it before anything is cut off."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def beginning(self, text: str) -> str:
        """The same for the beginning of a longer text: without the characters at its end that may be a part of a secret."""
        return self.text(text[: self._uncut(text, len(text) - self.longest)])

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same for the bytes of a file, in which a secret may cross the end of a chunk."""
        if self._pattern is None:
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
        for chunk in chunks if self._pattern else ():
            text = rest + decode(chunk)
            if self._pattern and self._pattern.search(text):
                return True
            rest = text[-self.longest :]
        return False

    def _uncut(self, text: str, place: int) -> int:
        """The place, or the end of the secret that crosses it; 0 if it is before the text."""
        if place <= 0 or self._pattern is None:
            return 0
        for found in self._pattern.finditer(text):
            if found.start() >= place:
                break
            if found.end() > place:
                return found.end()
        return place


def _decoder() -> Callable[..., str]:
    """Decodes chunk by chunk; a character may cross the end of one."""
    return codecs.getincrementaldecoder("utf-8")("surrogateescape").decode


def maskable(secret: str) -> list[str]:
    """The parts of a secret that are masked: all of it, and each of its lines. Empty if it is too short."""
    parts = dict.fromkeys([secret.strip("\r\n"), *(line.strip() for line in secret.splitlines())])
    return [part for part in parts if len(part) >= SHORTEST]


def _escaped(text: str) -> str:
    """The pattern of a text in which each character may be quoted as in a URL, JSON, Python or a shell."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    forms = ["".join(f"%(?i:{byte:02x})" for byte in character.encode("utf-8", "surrogateescape"))]
    units = character.encode("utf-16-be", "surrogatepass").hex()
    forms.append("".join(rf"\\+u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)))
    if character == " ":
        forms.append(r"\+")
    if character in _CONTROLS:
        forms.append(r"\\+" + _CONTROLS[character])
    if character == "'":
        forms.append(r"'\\''|'\"'\"'|&#39;|&#x27;|&apos;")
    if character in '&<>"':
        forms.append({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;|&#34;"}[character])
    if ord(character) > 0xFFFF:
        forms.append(rf"\\+U(?i:{ord(character):08x})")
    if ord(character) < 0x100:
        forms.append(rf"\\+x(?i:{ord(character):02x})")
    escaped = r"\\*" if not character.isalnum() else ""
    return f"(?:{escaped}{re.escape(character)}|{'|'.join(forms)})"


def _base64_forms(text: str) -> Iterator[str]:
    """The patterns of a text inside of encoded data, by its distance from a multiple of three bytes.

    The characters at both ends hold bits of the bytes around it, so any character is matched there.
    """
    data = text.encode("utf-8", "surrogateescape")
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data).decode().rstrip("=")
        first = (0, 2, 3)[offset]
        last = len(encoded) - (1 if (offset + len(data)) % 3 else 0)
        core = _WRAP.join(_same_in_url(character) for character in encoded[first:last])
        yield f"{_BASE64 if offset else ''}{core}(?:{_WRAP}{_BASE64})?={{0,2}}"


def _same_in_url(character: str) -> str:
    return {"+": "[+-]", "/": "[/_]"}.get(character, character)
