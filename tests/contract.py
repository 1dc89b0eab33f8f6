"""What every backend has to do: the suite behind `runner.backends.base.Backend`.

A backend passes it with a subclass of `Contract` whose fixture `site` says how to open it and what its commands are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runner.backends.base import Backend
from runner.model import Attempt, AttemptEnd, Outcome, Resources
from runner.text.reasons import describe

T = TypeVar("T")
Command = str | tuple[str, ...]

PATIENCE = 60.0
"""Seconds after which a test is a hang; no test comes near it."""


@dataclass(frozen=True)
class Site:
    """A backend under test. `real` says that commands are really run: then they write streams and see variables."""

    open: Callable[[], AbstractAsyncContextManager[Backend]]
    folder: Path
    real: bool = True
    clock: trio.abc.Clock | None = None
    succeeding: Command = ("true",)
    failing: Command = ("sh", "-c", "exit 3")
    sleeping: Command = ("sleep", "1000")
    missing: Command = ("no-such-program-anywhere",)
    unexecutable: Command = ("/dev/null",)
    image: str | None = None
    resources: Resources = field(default_factory=dict)
    many: int = 100
    patience: float = PATIENCE

    def attempt(self, command: Command, name: str = "contract-1", **env: str) -> Attempt:
        return Attempt(
            name=unique(name, self.folder),
            session="0123456789abcdef",
            number=1,
            command=command,
            env=env,
            secrets={},
            workdir=str(self.folder),
            stdout=str(self.folder / f"{name}.out"),
            stderr=str(self.folder / f"{name}.err"),
            output=str(self.folder),
            resources=self.resources,
            image=self.image,
            timeout=None,
            grace=1.0,
        )

    def run(self, body: Callable[[Backend], Awaitable[T]]) -> T:
        """What `body` returns, given the open backend."""

        async def main() -> T:
            with trio.fail_after(self.patience):
                async with self.open() as backend:
                    return await body(backend)

        return trio.run(main, clock=self.clock)

    def end_of(self, attempt: Attempt) -> AttemptEnd:
        """Run one attempt to its end."""

        async def body(backend: Backend) -> AttemptEnd:
            return await backend.wait(await backend.submit(attempt))

        return self.run(body)

    def stdout(self, attempt: Attempt) -> str:
        """Return what is written so far."""
        return Path(attempt.stdout).read_text() if Path(attempt.stdout).exists() else ""


def unique(name: str, folder: Path) -> str:
    """A unique name, so that tests that run at the same time do not find or end each other's jobs."""
    return f"{name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def ignore(reason: str) -> None:
    """An `on_waiting` that ignores the reason."""


class Contract:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        raise NotImplementedError

    @pytest.fixture
    def real(self, site: Site) -> Site:
        if not site.real:
            pytest.skip("this backend only pretends to run commands")
        return site

    def test_success(self, site: Site) -> None:
        """A program that exits with 0 has succeeded, without a reason."""
        ended = site.end_of(site.attempt(site.succeeding))
        assert (ended.outcome, ended.exit_status, describe(ended)) == (Outcome.SUCCEEDED, 0, None)

    def test_failure(self, site: Site) -> None:
        """A program's own exit code arrives as it is."""
        ended = site.end_of(site.attempt(site.failing))
        assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)

    def test_missing_program(self, site: Site) -> None:
        """A missing program is accepted, and ends as failed with 127."""
        ended = site.end_of(site.attempt(site.missing))
        assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 127)

    def test_program_that_is_none(self, site: Site) -> None:
        """What cannot be executed ends as failed with 126."""
        ended = site.end_of(site.attempt(site.unexecutable))
        assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 126)

    def test_signal(self, real: Site) -> None:
        """A program that a signal ended has failed, with 128 and the signal's number, as a shell would say."""
        ended = real.end_of(real.attempt("kill -9 $$"))
        assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 137)

    def test_streams(self, real: Site) -> None:
        """stdout and stderr go to their own files, whole, and are there when `wait` returns."""
        attempt = real.attempt("echo out; echo err >&2; echo more")
        assert real.end_of(attempt).outcome is Outcome.SUCCEEDED
        assert real.stdout(attempt) == "out\nmore\n"
        assert Path(attempt.stderr).read_text() == "err\n"

    def test_variables_and_secrets(self, real: Site) -> None:
        """`env` and `secrets` reach the program, byte for byte."""
        hostile = "a'b\"$(id)`id`\n*;é🐍"
        attempt = real.attempt('printf "%s|%s" "$PLAIN" "$SECRET"', PLAIN=hostile)
        real.end_of(replace(attempt, secrets={"SECRET": "hunter2"}))
        assert real.stdout(attempt) == f"{hostile}|hunter2"

    def test_arguments(self, real: Site) -> None:
        """A list is argv: nothing is split, expanded or lost on the way, not even an empty argument."""
        words = ("", "a b", "$HOME", "*", "-n", "line\nline", "é🐍")
        attempt = real.attempt(("printf", "<%s>", *words))
        real.end_of(attempt)
        assert real.stdout(attempt) == "".join(f"<{word}>" for word in words)

    def test_stdin_is_empty(self, real: Site) -> None:
        """A program that reads its stdin finds the end of it at once."""
        attempt = real.attempt(("wc", "-c"))
        real.end_of(attempt)
        assert real.stdout(attempt).strip() == "0"

    def test_submitted_twice(self, site: Site) -> None:
        """A name is a job: submitting it again, even after its end, starts nothing."""
        attempt = site.attempt(site.succeeding)

        async def body(backend: Backend) -> list[str]:
            jobs = [await backend.submit(attempt), await backend.submit(attempt)]
            await backend.wait(jobs[0])
            return [*jobs, await backend.submit(attempt)]

        assert len(set(site.run(body))) == 1

    def test_find(self, site: Site) -> None:
        """A job is found by its name from the moment it was accepted; nothing is found where nothing was submitted."""
        attempt = site.attempt(site.sleeping)

        async def body(backend: Backend) -> None:
            assert await backend.find(attempt.name) is None
            assert await backend.find(attempt.name, "999999999", 1.0) is None
            job = await backend.submit(attempt)
            assert await backend.find(attempt.name) == job
            assert await backend.find(attempt.name, job, 1.0) == job
            await backend.cancel(job, 0)

        site.run(body)

    def test_wait_again(self, site: Site) -> None:
        """`wait` may be asked by several at once, and again, and says the same."""
        attempt = site.attempt(site.failing)

        async def body(backend: Backend) -> list[AttemptEnd]:
            job = await backend.submit(attempt)
            ends: list[AttemptEnd] = []

            async def waiter() -> None:
                ends.append(await backend.wait(job))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(waiter)
                nursery.start_soon(waiter)
            return [*ends, await backend.wait(job)]

        first, second, third = site.run(body)
        assert first == second == third

    def test_started(self, site: Site) -> None:
        """`started` returns while the job runs, and also once it has ended, with the same moment."""
        attempt = site.attempt(site.sleeping)

        async def body(backend: Backend) -> None:
            job = await backend.submit(attempt)
            running = await backend.started(job, ignore)
            await backend.cancel(job, 0)
            assert await backend.started(job, ignore) == running

        site.run(body)

    def test_started_of_what_never_began(self, site: Site) -> None:
        """A job that could not be started does not keep `started` waiting."""

        async def body(backend: Backend) -> None:
            await backend.started(await backend.submit(site.attempt(site.missing)), ignore)

        site.run(body)

    def test_cancel_running(self, site: Site) -> None:
        """`cancel` returns when the job has ended, and its outcome is not a success."""

        async def body(backend: Backend) -> AttemptEnd:
            job = await backend.submit(site.attempt(site.sleeping))
            await backend.started(job, ignore)
            await backend.cancel(job, 10)
            return await backend.wait(job)

        assert site.run(body).outcome is not Outcome.SUCCEEDED

    def test_cancel_hurries_up(self, real: Site) -> None:
        """A second `cancel` with a shorter grace overrules the first."""
        attempt = real.attempt('trap "" TERM; echo ready; while :; do sleep 1000; done')

        async def body(backend: Backend) -> AttemptEnd:
            job = await backend.submit(attempt)
            await backend.started(job, ignore)
            while "ready" not in real.stdout(attempt):
                await backend.refresh(job)
                await trio.sleep(0.01 if backend.name == "local" else 1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(backend.cancel, job, 10 * PATIENCE)
                await wait_all_tasks_blocked()
                await backend.cancel(job, 0)
            return await backend.wait(job)

        assert real.run(body).exit_status == 137

    def test_cancel_ended_or_unknown(self, site: Site) -> None:
        """Cancelling an ended or unknown job does nothing; a recorded end stays."""

        async def body(backend: Backend) -> AttemptEnd:
            job = await backend.submit(site.attempt(site.succeeding))
            ended = await backend.wait(job)
            await backend.cancel(job, 10)
            await backend.cancel("999999999", 10)
            assert await backend.wait(job) == ended
            return ended

        assert site.run(body).outcome is Outcome.SUCCEEDED

    def test_cancelled_waiter(self, site: Site) -> None:
        """Cancelling a wait does not affect the job: another waiter gets its end."""

        async def body(backend: Backend) -> None:
            job = await backend.submit(site.attempt(site.sleeping))
            await backend.started(job, ignore)
            with trio.move_on_after(0.01):
                await backend.wait(job)
            with trio.CancelScope() as given_up:
                given_up.cancel()
                await backend.wait(job)
            assert given_up.cancelled_caught
            await backend.cancel(job, 0)
            assert (await backend.wait(job)).outcome is not Outcome.SUCCEEDED

        site.run(body)

    def test_many(self, site: Site) -> None:
        """Many at once all end, each with its own name's job."""
        jobs: list[str] = []

        async def body(backend: Backend) -> None:
            async def one(number: int) -> None:
                attempt = site.attempt(site.succeeding, f"many-{number}")
                job = await backend.submit(attempt)
                jobs.append(job)
                assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED

            async with trio.open_nursery() as nursery:
                for number in range(site.many):
                    nursery.start_soon(one, number)

        site.run(body)
        assert len(jobs) == site.many


class AheadContract(Contract):
    """The contract of a backend with a `prefetch_limit`."""

    def test_ahead(self, site: Site) -> None:
        """A prefetched attempt starts when one with the same resources has ended, in order, and not before."""

        async def body(backend: Backend) -> None:
            first = await backend.submit(site.attempt(site.sleeping, "first"))
            jobs: list[str] = []

            async def hand_over(name: str) -> None:
                jobs.append(await backend.submit(replace(site.attempt(site.sleeping, name), start_when_below=1)))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(hand_over, "second")
                await wait_all_tasks_blocked()
                nursery.start_soon(hand_over, "third")
                await wait_all_tasks_blocked()
                other = replace(site.attempt(site.succeeding, "other"), resources={"cpu": 7})
                assert (await backend.wait(await backend.submit(other))).outcome is Outcome.SUCCEEDED
                assert not jobs, "the end of a job with other resources starts nothing"
                await backend.cancel(first, 0)
                await until(lambda: jobs)
                second = await backend.find(site.attempt(site.sleeping, "second").name)
                assert jobs == [second]
                await backend.cancel(jobs[0], 0)
            await backend.cancel(jobs[1], 0)

        site.run(body)

    def test_ahead_of_nothing(self, site: Site) -> None:
        """Where fewer run by the time it arrives, it begins at once."""

        async def body(backend: Backend) -> AttemptEnd:
            return await backend.wait(await backend.submit(replace(site.attempt(site.succeeding), start_when_below=1)))

        assert site.run(body).outcome is Outcome.SUCCEEDED

    def test_ahead_and_given_up(self, site: Site) -> None:
        """A prefetched attempt whose submission was cancelled never starts, and does not block the next one."""

        async def body(backend: Backend) -> None:
            first = await backend.submit(site.attempt(site.sleeping, "first"))
            with trio.move_on_after(0.01):
                await backend.submit(replace(site.attempt(site.sleeping, "second"), start_when_below=1))
            async with trio.open_nursery() as nursery:
                third = replace(site.attempt(site.succeeding, "third"), start_when_below=1)
                nursery.start_soon(backend.submit, third)
                await wait_all_tasks_blocked()
                await backend.cancel(first, 0)
            job = await backend.find(third.name)
            assert job is not None
            assert (await backend.wait(job)).outcome is Outcome.SUCCEEDED
            second = await backend.find(site.attempt(site.sleeping, "second").name)
            assert second is None or (await backend.wait(second)).outcome is Outcome.CANCELLED

        site.run(body)


async def until(condition: Callable[[], object]) -> None:
    """Poll until the condition holds."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)
