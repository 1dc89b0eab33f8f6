"""The process that reads metrics, each within a time limit.

A regular expression holds Python's interpreter lock while it runs, and so does parsing JSON. Patterns come from the user: one
that backtracks without end must not keep runner from handling signals, and not every loop of `re` looks at signals. So the
worker forks a reader, which ends by SIGALRM if a metric takes longer than its limit. The worker then answers in its place, and
forks the next reader. Modules are loaded once: a worker does not notice that the package is replaced.

A request is a line of JSON: the definitions with their limits in seconds, and the sources. The answer is a line for each metric,
in their order. After TOO_SLOW none follow; the metrics that are left have to be asked for again. If a reader ends in another way,
so does the worker: it cannot know whether a request was lost.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

from runner.apply.metric_reader import Sources, read_metric
from runner.config.metrics import from_plain
from runner.scalars import metric_data

MEMORY = 1 << 30
"""Bytes of address space of the reader. A JSON file of the allowed size takes up to 30 times as much when parsed."""

TOO_SLOW = "too slow"
"""The key of the answer about a metric that reached its limit."""


def serve() -> None:
    """Answer requests from stdin until there are no more."""
    while True:
        reader = os.fork()
        if reader == 0:
            with suppress(BrokenPipeError):  # runner has ended
                _read()
            os._exit(0)
        _, status = os.waitpid(reader, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM):
            return
        _answer({TOO_SLOW: True})


def _read() -> None:
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Unbuffered: a request must not be lost in the buffer of a reader that ends.
    with open(0, "rb", buffering=0, closefd=False) as requests:
        while line := requests.readline():
            metrics, sources = json.loads(line)
            where = Sources(**{**sources, "left": {name: tuple(left) for name, left in sources["left"].items()}})
            for definition, seconds in metrics:
                signal.setitimer(signal.ITIMER_REAL, seconds)
                value = read_metric(from_plain(definition), where)
                signal.setitimer(signal.ITIMER_REAL, 0)
                _answer(metric_data(value))


def _answer(data: Any) -> None:
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()
