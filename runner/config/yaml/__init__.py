"""From a sweep file to nodes that know their place, with everything that is wrong with the text."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from runner.config.yaml import dollar_brace, unreadable
from runner.config.yaml.composer import Composer
from runner.config.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode, at, place, plain
from runner.config.yaml.reader import read
from runner.diagnostics import Problem, Source, in_file_order

__all__ = ["MappingNode", "Node", "ScalarNode", "SequenceNode", "at", "parse", "place", "plain", "read"]


def parse(source: Source, *, pure: bool = False) -> tuple[MappingNode | None, list[Problem]]:
    """The document of a sweep file and everything wrong with its text, in file order.

    The document is None where there is none to go on with: after a syntax error, an unknown alias, or if it is no
    mapping. An entry that has a problem of its own (a key given twice, a key that is no string) is left out.
    `pure` reads without libyaml.
    """
    text, problems = unreadable.clean(source)
    with _no_gc():
        composer = Composer(Source(source.name, text), pure=pure)
        document = composer.document()
        if composer.stopped_at_dollar_brace and (masked := dollar_brace.mask(text)):
            composer = Composer(Source(source.name, masked), pure=pure, masked=True)
            document = composer.document()
    return document, list(in_file_order([*problems, *composer.problems]))


@contextlib.contextmanager
def _no_gc() -> Iterator[None]:
    """Many objects are born here and none dies: looking for garbage would cost four times the parsing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
