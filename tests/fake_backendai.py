"""A fake Backend.AI manager: answers, statuses and events as recorded from a real one, on trio's clock.

It checks signatures, counts requests against a rolling window, and implements names, quotas and paging. Attributes make it
slow, faulty or unreachable. Programs do not run: a `Behavior` describes what one does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import trio
from trio.testing import MockClock

from runner.backends.backendai.backend import BackendAI
from runner.model import Attempt, AttemptEnd

ENDPOINT = "https://bai.example:8443"
ENVIRON = {
    "BACKEND_ENDPOINT": ENDPOINT,
    "BACKEND_ACCESS_KEY": "AKIAFAKEFAKEFAKEFAKE",
    "BACKEND_SECRET_KEY": "not-so-secret-not-so-secret-not-so-secret",
}
IMAGE = "cr.example/lab/python:3.11"
PROBS = "https://api.backend.ai/probs/"
NOISE = (
    "Kernel started at: 2026-11-23T15:03:21+00:00\r\nSetting up uid and gid: 1000:1000\r\n"
    "python-kernel: Service sshd has started (pid: 80, port: 2200)\r\n"
    "\x1b[35;1m[2026/11/23 15:03:24:3402] N: ttyd 1.6.3-80c6f66 (libwebsockets 4.2.1-unknown)\r\n\x1b[0m"
)
PREPARING_TIME, TERMINATING_TIME = 3.0, 0.8
QUERY_ERROR = {
    "data": {"compute_session_list": None},
    "errors": [{"message": "could not serialize access due to read/write dependencies among transactions"}],
}


@dataclass(frozen=True)
class Behavior:
    """What a program does, and what the manager makes of it."""

    duration: float = 1.0
    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    killed_after: float | None = None
    """Seconds until its container is killed from outside."""
    never_started: bool = False
    """The session is RUNNING, but the manager forgets to start the command."""
    stuck_preparing: bool = False
    """The manager forgets the session while it prepares the container."""
    missed_from: str | None = None
    """The manager misses all that happens after this status: the command runs and ends all the same."""
    not_terminated: bool = False
    """The manager forgets to terminate the session after the command's end."""


@dataclass(eq=False)
class FakeSession:
    id: str
    name: str
    body: Mapping[str, Any]
    behavior: Behavior
    status: str = "PENDING"
    info: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    result: str = "UNDEFINED"
    history: dict[str, str] = field(default_factory=dict)
    console: str = ""
    stored_log: str | None = None
    """The console in the manager's database, None until it is there."""
    interrupts: int = 0
    interrupted: trio.Event = field(default_factory=trio.Event)

    @property
    def terminated(self) -> bool:
        return self.status in ("TERMINATED", "CANCELLED")


class EventBody(httpx.AsyncByteStream):
    """The body of an event stream: what is sent to `send`, and a ping every 15 s. None cuts the connection."""

    def __init__(self) -> None:
        self.send, self._receive = trio.open_memory_channel[str | None](10_000)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            text: str | None = ": ping\n\n"
            with trio.move_on_after(15):
                text = await self._receive.receive()
            if text is None:
                raise httpx.ReadError("the connection was cut")
            yield text.encode()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class FakeManager:
    def __init__(self, behavior: Callable[[str], Behavior] = lambda script: Behavior()) -> None:
        self.behavior = behavior
        """The behavior of a program by its wrapper script."""
        self.sessions: dict[str, FakeSession] = {}
        self.requests: Counter[str] = Counter()
        """Requests by method and path, with `ID` for a session's id."""
        self.limit = 30_000
        """Requests that are accepted within `window` seconds."""
        self.window = 900.0
        self.refused = 0
        """Requests that were answered 429."""
        self.retry_after: str | None = None
        """The header Retry-After of a 429."""
        self.quota = 1000
        """Sessions that may be out of the queue at the same time."""
        self.page: int | None = None
        """Sessions in one page of a list at most."""
        self.skew = timedelta(0)
        """How far the manager's clock is ahead."""
        self.event_delays: Callable[[str], Sequence[float]] = lambda event: (0.0,)
        """Seconds until an event of this name is sent, once for each item."""
        self.faults: list[str] = []
        """Faults of the next requests, except the event stream: `503`, `before` or `after` (the connection is lost
        before or after the request was carried out), or empty for none."""
        self.down = False
        self.create_fails = False
        """Answer every creation with 500."""
        self.query_errors = 0
        """Queries that will be answered with a database error."""
        self.preparing_time = PREPARING_TIME
        self.console_delay = 0.0
        """Seconds from a session's end until its log is in the database."""
        self.truncate: Callable[[str], str] = lambda log: log
        self.streams: list[EventBody] = []
        self.request_times: list[float] = []
        """When requests within the window arrived (trio's time)."""
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[BackendAI]:
        """Open a backend that uses this manager. Sessions outlive it, while `running` is open."""
        async with BackendAI(options, ENVIRON, httpx.MockTransport(self.handle)) as backend:
            yield backend

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run sessions until the end of the context."""
        try:
            async with trio.open_nursery() as self._nursery:
                yield
                self._nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None

    @asynccontextmanager
    async def both(self) -> AsyncIterator[BackendAI]:
        """Open a backend, and run sessions for as long as it is open."""
        async with self.running(), self.client() as backend:
            yield backend

    # Requests

    async def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        kind = f"{request.method} {re.sub('[0-9a-f-]{36}', 'ID', path)}"
        self.requests[kind] += 1
        await trio.sleep(0.02)
        fault = "" if path.startswith("/events") or not self.faults else self.faults.pop(0)
        if self.down or fault == "before":
            raise httpx.ConnectError("all attempts to connect failed")
        if fault == "503":
            return httpx.Response(503, text="<html>try again</html>")
        answer = self._check(request) or await self._answer(request)
        if fault == "after":
            raise httpx.RemoteProtocolError("the connection was closed")
        answer.headers["Date"] = (datetime.now(UTC) + self.skew).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return answer

    def _check(self, request: httpx.Request) -> httpx.Response | None:
        if (problem := self._check_signature(request)) is not None:
            return problem
        now = trio.current_time()
        self.request_times = [*(at for at in self.request_times if at > now - self.window), now]
        if len(self.request_times) > self.limit:
            self.refused += 1
            answer = _problem(429, "rate-limit-exceeded", "You have reached your API query rate limit.")
            if self.retry_after is not None:
                answer.headers["Retry-After"] = self.retry_after
            return answer
        return None

    def _check_signature(self, request: httpx.Request) -> httpx.Response | None:
        sent = datetime.fromisoformat(request.headers["date"])
        if abs(sent - datetime.now(UTC) - self.skew) > timedelta(minutes=15):
            return _problem(
                400, "invalid-auth-params", "Missing or invalid authorization parameters.", msg="Date/time sync error"
            )
        content_type = request.headers.get("content-type", "application/octet-stream").split(";")[0]
        host = request.headers["host"]
        text = (
            f"{request.method}\n{request.url.raw_path.decode()}\n{request.headers['date']}\nhost:{host}\n"
            f"content-type:{content_type}\nx-backendai-version:{request.headers['x-backendai-version']}\n"
            + hashlib.sha256(b"").hexdigest()
        )
        secret = ENVIRON["BACKEND_SECRET_KEY"].encode()
        key = hmac.digest(hmac.digest(secret, sent.strftime("%Y%m%d").encode(), "sha256"), host.encode(), "sha256")
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        wanted = f"BackendAI signMethod=HMAC-SHA256, credential={ENVIRON['BACKEND_ACCESS_KEY']}:{signature}"
        if request.headers["authorization"] != wanted:
            return _problem(401, "auth-failed", "Credential/signature mismatch.", msg="Signature mismatch")
        return None

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path, request.method
        if path == "/events/session":
            stream = EventBody()
            self.streams.append(stream)
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=stream)
        body = json.loads(request.content) if request.content else {}
        if (method, path) == ("POST", "/session") and self.create_fails:
            return _problem(500, "internal-server-error", "Internal server error.")
        if (method, path) == ("POST", "/session"):
            return self._create(body)
        if (method, path) == ("POST", "/admin/gql"):
            self.query_errors, failed = max(0, self.query_errors - 1), self.query_errors > 0
            return self._ok(QUERY_ERROR if failed else self._list(**body["variables"]))
        _, _, name, *rest = path.split("/")
        session = self._by_id_or_name(name)
        if session is None or (session.terminated and rest != ["logs"]):
            return _problem(404, "object-not-found", "No such session.", msg=f"Session (id={name}) does not exist.")
        if rest == ["logs"] and "RUNNING" not in session.history and not session.console:
            return _problem(500, "internal-server-error", "Internal server error.")
        if rest == ["logs"]:
            log = (
                session.stored_log if session.stored_log is not None else "" if session.terminated else session.console
            )
            return self._ok({"result": {"logs": self.truncate(log)}})
        if rest == ["interrupt"]:
            session.interrupts += 1
            session.interrupted.set()
            return httpx.Response(204, headers=self._headers())
        assert method == "DELETE"
        self._destroy(session)
        await trio.sleep(0.7)
        return self._ok({"stats": {"status": "terminated"}})

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        name = body["name"]
        if not re.fullmatch(r"(?=.{4,64}$)\w[\w.-]*\w", name):
            return _problem(
                400, "invalid-api-params", "Missing or invalid API parameters.", data={"name": "does not match"}
            )
        if body["image"] != IMAGE:
            words = f"Unknown image references: ref:'{body['image']}', alias:'{body['image']}'"
            return _problem(404, "object-not-found", "No such environment image.", msg=words)
        for slot in body["config"]["resources"]:
            if slot not in ("cpu", "mem"):
                words = f"Invalid resource allocation: Unknown slot type: '{slot}'"
                return _problem(400, "invalid-api-params", "Missing or invalid API parameters.", msg=words)
        if there := [it for it in self.sessions.values() if it.name == name and not it.terminated]:
            title = "The session already exists but you requested not to reuse existing one."
            return _problem(400, "session-already-exists", title, data={"existingSessionId": there[0].id})
        session = FakeSession(str(uuid.uuid4()), name, body, self.behavior(script_of(body)))
        self.sessions[session.id] = session
        assert self._nursery is not None
        self._nursery.start_soon(self._run, session)
        answer = {
            "sessionId": session.id,
            "sessionName": name,
            "status": "PENDING",
            "servicePorts": [],
            "created": True,
        }
        return self._ok(answer, 201)

    def _list(self, limit: int, offset: int, filter: str) -> dict[str, Any]:  # noqa: A002
        limit = min(limit, self.page or limit)
        if found := re.fullmatch(r"(id|name) in (\[.*\])", filter):
            wanted = set(json.loads(found[2]))
            matching = [it for it in self.sessions.values() if getattr(it, found[1]) in wanted]
        else:
            like = re.match(r'\(name like "([^"%]*)%"\)', filter)
            assert like, filter
            matching = [it for it in self.sessions.values() if it.name.startswith(like[1]) and not it.terminated]
        items = [self._item(it) for it in sorted(matching, key=lambda it: it.id)]
        return {"data": {"compute_session_list": {"items": items[offset : offset + limit], "total_count": len(items)}}}

    def _item(self, session: FakeSession) -> dict[str, Any]:
        return {
            "id": session.id,
            "name": session.name,
            "status": session.status,
            "status_info": session.info,
            "status_data": json.dumps(session.data),
            "status_history": json.dumps(session.history),
            "result": session.result,
            "agents": ["i-fake"] if "RUNNING" in session.history else None,
            "created_at": session.history.get("PENDING"),
        }

    def _ok(self, answer: Any, status: int = 200) -> httpx.Response:
        return httpx.Response(status, json=answer, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        left = max(0, self.limit - len(self.request_times))
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Window": str(int(self.window)),
        }

    def _by_id_or_name(self, name: str) -> FakeSession | None:
        return next((it for it in self.sessions.values() if name in (it.id, it.name)), None)

    # The course of a session

    async def _run(self, session: FakeSession) -> None:
        """Take a session from the queue to its end, unless it is destroyed before."""
        self._set_status(session, "PENDING")
        while sum(not it.terminated and it.status != "PENDING" for it in self.sessions.values()) >= self.quota:
            words = f"You cannot run more than {self.quota} concurrent sessions"
            session.info = "predicate-checks-failed"
            session.data = {"scheduler": {"failed_predicates": [{"name": "concurrency", "msg": words}]}}
            await trio.sleep(0.5)
            if session.terminated:
                return
        self._set_status(session, "SCHEDULED")
        session.info, session.data = "", {}
        self._emit(session, "kernel_preparing")
        self._set_status(session, "PREPARING")
        await trio.sleep(self.preparing_time)
        if session.terminated or session.behavior.stuck_preparing:
            return
        if session.behavior.missed_from == "PREPARING":
            session.console = NOISE
            await self._run_command(session)
            return
        self._set_status(session, "RUNNING")
        self._emit(session, "kernel_started")
        session.console = NOISE
        if session.behavior.never_started:
            return
        await self._run_command(session)

    async def _run_command(self, session: FakeSession) -> None:
        behavior, mark = session.behavior, marker_of(session.name)
        session.console += (
            f"\r\n{mark}:begin\r\n{chunks(mark, 'o', behavior.stdout)}{chunks(mark, 'e', behavior.stderr)}"
        )
        with trio.move_on_after(behavior.duration if behavior.killed_after is None else behavior.killed_after) as scope:
            await session.interrupted.wait()
        if session.terminated:
            return
        if behavior.killed_after is not None:
            self._terminate(session, "self-terminated")
            return
        code = behavior.code if scope.cancelled_caught else 143
        why = "" if scope.cancelled_caught else "asked"
        session.console += (
            f"\r\n{mark}:end:code={code}:why={why}:out={len(behavior.stdout)}:err={len(behavior.stderr)}"
            f":ran={round(behavior.duration * 100)}:cpu=0m0.100000s 0m0.050000s:peak=2048:oom=0:left=0\r\n"
        )
        if behavior.missed_from:
            return
        session.result = "FAILURE" if code else "SUCCESS"
        self._emit(session, "session_failure" if code else "session_success", code)
        if behavior.not_terminated:
            return
        self._emit(session, "session_terminating")
        self._set_status(session, "TERMINATING")
        await trio.sleep(TERMINATING_TIME)
        self._terminate(session, "task-finished")

    def _destroy(self, session: FakeSession) -> None:
        if session.status in ("PENDING", "SCHEDULED"):
            session.info = "user-requested"
            self._set_status(session, "CANCELLED")
            self._emit(session, "kernel_cancelled")
        elif not session.terminated:
            self._terminate(session, "user-requested")
        session.interrupted.set()

    def _terminate(self, session: FakeSession, info: str) -> None:
        session.info = info
        self._set_status(session, "TERMINATED")
        for _ in range(3):
            self._emit(session, "kernel_terminated", -1)
        self._emit(session, "session_terminated")
        assert self._nursery is not None
        self._nursery.start_soon(self._store_log, session)

    async def _store_log(self, session: FakeSession) -> None:
        """Store the console in the database some time after the end, as a real manager does."""
        await trio.sleep(self.console_delay)
        session.stored_log = session.console + NOISE

    def _set_status(self, session: FakeSession, status: str) -> None:
        session.status = status
        session.history[status] = datetime.now(UTC).isoformat()

    def _emit(self, session: FakeSession, event: str, code: int | None = None) -> None:
        data = {
            "reason": session.info,
            "sessionName": session.name,
            "ownerAccessKey": ENVIRON["BACKEND_ACCESS_KEY"],
            "sessionId": session.id,
            "exitCode": code,
        }
        frame = f"event: {event}\ndata: {json.dumps(data)}\n\n"
        assert self._nursery is not None
        for delay in self.event_delays(event):
            self._nursery.start_soon(self._send, frame, delay)

    async def _send(self, frame: str, delay: float) -> None:
        await trio.sleep(delay)
        for stream in self.streams:
            stream.send.send_nowait(frame)

    def cut_streams(self) -> None:
        for stream in self.streams:
            stream.send.send_nowait(None)
        self.streams.clear()


PROGRAMS = {
    "sleep 1000": Behavior(duration=1000),
    "exit 3": Behavior(code=3),
    "no-such-program-anywhere": Behavior(duration=0, code=127),
    "/dev/null": Behavior(duration=0, code=126),
}


def behavior_of(script: str) -> Behavior:
    """Return the behavior of the contract suite's programs, found by the last words of the command."""
    command = script[script.index("command() {") : script.index("put() {")]
    return next(
        (behavior for words, behavior in PROGRAMS.items() if f"\n{words}\n" in command or f"{words}'" in command),
        Behavior(),
    )


def clock() -> MockClock:
    """Return simulated time. It advances only when no thread packs files or parses a console."""
    return MockClock(autojump_threshold=0.02)


def simulate(manager: FakeManager, body: Callable[[], Awaitable[None]]) -> None:
    """Run `body` in simulated time; the manager's sessions run throughout, so that clients may come and go."""

    async def main() -> None:
        with trio.fail_after(20_000):
            async with manager.running():
                await body()

    trio.run(main, clock=clock())


async def run_all(backend: BackendAI, attempts: list[Attempt]) -> list[AttemptEnd]:
    """Submit all attempts at once and return their ends."""
    ends: list[AttemptEnd] = []

    async def run(attempt: Attempt) -> None:
        ends.append(await backend.wait(await backend.submit(attempt)))

    async with trio.open_nursery() as nursery:
        for attempt in attempts:
            nursery.start_soon(run, attempt)
    return ends


def attempt_in(folder: Path, name: str) -> Attempt:
    """Return an attempt with its logs, output folder and inputs in `folder`."""
    return Attempt(
        name=name,
        session="0123456789abcdef",
        number=1,
        command="true",
        env={},
        secrets={},
        workdir=str(folder),
        stdout=str(folder / "out"),
        stderr=str(folder / "err"),
        output=str(folder / "output"),
        resources={},
        image=IMAGE,
        timeout=None,
        grace=1.0,
        root=str(folder),
    )


def console_of(mark: str, out: bytes, err: bytes, code: int = 0) -> str:
    """Return the console of an ended job, other output included."""
    usage = "ran=150:cpu=0m1.500000s 1m0.25s:peak=10:oom=0:left=0"
    end = f"{mark}:end:code={code}:why=:out={len(out)}:err={len(err)}:{usage}"
    return f"{NOISE}\r\n{mark}:begin\r\n{chunks(mark, 'o', out)}{chunks(mark, 'e', err)}\r\n{end}\r\n{NOISE}"


def script_of(body: Mapping[str, Any]) -> str:
    """Return the wrapper script that a session is created with."""
    variables = body["config"]["environ"]
    names = sorted(variables, key=lambda name: int(name.rpartition("_")[2]))
    packed = base64.b64decode("".join(variables[name] for name in names))
    size = re.search(r"bs=(\d+)", body["startupCommand"])
    assert size
    return packed[: int(size[1])].decode("utf-8", "surrogateescape")


def marker_of(name: str) -> str:
    return "@runner-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def chunks(mark: str, letter: str, content: bytes) -> str:
    """Return a stream's lines on the console, as the wrapper prints them."""
    return "".join(
        f"{mark}:{letter}:{at}:{base64.b64encode(content[at : at + 3000]).decode()}\r\n"
        for at in range(0, len(content), 3000)
    )


def _problem(status: int, kind: str, title: str, **more: Any) -> httpx.Response:
    content = json.dumps({"type": PROBS + kind, "title": title, **more})
    return httpx.Response(status, content=content, headers={"Content-Type": "application/problem+json; charset=utf-8"})
