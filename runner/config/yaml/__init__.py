"""A sweep file as nodes with positions, and every problem of its text."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from runner.config.yaml import characters
from runner.config.yaml.composer import Composer
from runner.config.yaml.nodes import MappingNode, Node, RefusedNode, ScalarNode, SequenceNode, at, place, plain
from runner.config.yaml.reader import read
from runner.diagnostics import Problem, Source, in_file_order

__all__ = ["MappingNode", "Node", "RefusedNode", "ScalarNode", "SequenceNode", "at", "parse", "place", "plain", "read"]


def parse(source: Source) -> tuple[MappingNode | None, list[Problem]]:
    """Return the document and the problems of its text, in file order.

    The document is None after a syntax error, or if it is not a mapping. A node with a problem of its own is a
    RefusedNode in it; an entry whose key is duplicate or not a string is left out.
    """
    text, problems = characters.clean(source)
    composer = Composer(Source(source.name, characters.join_surrogates(text)))
    with _gc_disabled():
        document = composer.document()
    return document, list(in_file_order([*problems, *composer.problems]))


@contextlib.contextmanager
def _gc_disabled() -> Iterator[None]:
    """Disable the garbage collector: a million new nodes and no garbage make it take 4 times as long as the parser."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
