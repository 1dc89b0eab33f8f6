"""An honest fake of a Backend.AI manager: its answers, states and events as they were recorded from a real one, on trio's clock.

It checks signatures, counts requests against a rolling window, knows names, quotas and paging. Knobs make it late, deaf,
repetitive or absent. Programs are only pretended: a `Doing` says what one does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import trio

from runner.backends.backendai.backend import BackendAI

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
PREPARING, CLEARING = 3.0, 0.8
BUSY = {
    "data": {"compute_session_list": None},
    "errors": [{"message": "could not serialize access due to read/write dependencies among transactions"}],
}


@dataclass(frozen=True)
class Doing:
    """What a program does. `vanishes`: its container is killed from outside after so many seconds, without a last word."""

    duration: float = 1.0
    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    vanishes: float | None = None
    never: bool = False
    """Whether the manager forgets to have the command started, as one does that is killed at the wrong moment."""
    deaf: str | None = None
    """From this status on the manager misses what becomes of it: the command runs and ends all the same."""
    forgotten: bool = False
    """Whether the manager forgets it while it prepares its container."""
    stays: bool = False
    """Whether the manager forgets to clear the session away after its end, as a real one does now and then."""


@dataclass(eq=False)
class FakeSession:
    id: str
    name: str
    body: Mapping[str, Any]
    doing: Doing
    status: str = "PENDING"
    info: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    result: str = "UNDEFINED"
    history: dict[str, str] = field(default_factory=dict)
    console: str = ""
    kept: str | None = None
    interrupts: int = 0
    told: trio.Event = field(default_factory=trio.Event)

    @property
    def over(self) -> bool:
        return self.status in ("TERMINATED", "CANCELLED")


class Lines(httpx.AsyncByteStream):
    """The body of an event stream: what is put into it, and a ping each 15 seconds."""

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
    def __init__(self, doing: Callable[[str], Doing] = lambda script: Doing()) -> None:
        self.doing = doing
        self.sessions: dict[str, FakeSession] = {}
        self.requests: Counter[str] = Counter()
        self.refused = 0
        self.limit = 30_000
        self.window = 900.0
        self.quota = 1000
        self.page: int | None = None
        self.skew = timedelta(0)
        self.deliver: Callable[[str], Sequence[float]] = lambda event: (0.0,)
        """When an event is told, in seconds after it happened: never, or more than once."""
        self.faults: list[str] = []
        """What happens to the next requests but the event stream: `503`, `before` or `after` (the connection is lost
        before or after it was carried out), or `` for nothing."""
        self.down = False
        self.failing = False
        """Whether it answers every creation with an error of its own."""
        self.busy = 0
        """How many queries more it answers with an error of its database."""
        self.preparing = PREPARING
        self.console_delay = 0.0
        self.truncate: Callable[[str], str] = lambda log: log
        self.streams: list[Lines] = []
        self.most_running = 0
        self._times: list[float] = []
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[BackendAI]:
        """A backend that talks to it; jobs go on as long as `running` does."""
        async with BackendAI(options, ENVIRON, httpx.MockTransport(self.handle)) as backend:
            yield backend

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
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
        answer = self._limited(request) or await self._answer(request)
        if fault == "after":
            raise httpx.RemoteProtocolError("the connection was closed")
        answer.headers["Date"] = (datetime.now(UTC) + self.skew).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return answer

    def _limited(self, request: httpx.Request) -> httpx.Response | None:
        if (problem := self._unsigned(request)) is not None:
            return problem
        now = trio.current_time()
        self._times = [*(at for at in self._times if at > now - self.window), now]
        if len(self._times) > self.limit:
            self.refused += 1
            return _problem(429, "rate-limit-exceeded", "You have reached your API query rate limit.")
        return None

    def _unsigned(self, request: httpx.Request) -> httpx.Response | None:
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
            stream = Lines()
            self.streams.append(stream)
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=stream)
        body = json.loads(request.content) if request.content else {}
        if (method, path) == ("POST", "/session") and self.failing:
            return _problem(500, "internal-server-error", "Internal server error.")
        if (method, path) == ("POST", "/session"):
            return self._create(body)
        if (method, path) == ("POST", "/admin/gql"):
            self.busy, busy = max(0, self.busy - 1), self.busy > 0
            return self._ok(BUSY if busy else self._list(**body["variables"]))
        _, _, name, *rest = path.split("/")
        session = self._by_id_or_name(name)
        if session is None or (session.over and rest != ["logs"]):
            return _problem(404, "object-not-found", "No such session.", msg=f"Session (id={name}) does not exist.")
        if rest == ["logs"] and "RUNNING" not in session.history and not session.console:
            return _problem(500, "internal-server-error", "Internal server error.")
        if rest == ["logs"]:
            log = session.kept if session.kept is not None else "" if session.over else session.console
            return self._ok({"result": {"logs": self.truncate(log)}})
        if rest == ["interrupt"]:
            session.interrupts += 1
            session.told.set()
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
        if there := [it for it in self.sessions.values() if it.name == name and not it.over]:
            title = "The session already exists but you requested not to reuse existing one."
            return _problem(400, "session-already-exists", title, data={"existingSessionId": there[0].id})
        session = FakeSession(str(uuid.uuid4()), name, body, self.doing(script_of(body)))
        self.sessions[session.id] = session
        assert self._nursery is not None
        self._nursery.start_soon(self._live, session)
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
            matching = [it for it in self.sessions.values() if it.name.startswith(like[1]) and not it.over]
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
        left = max(0, self.limit - len(self._times))
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Window": str(int(self.window)),
        }

    def _by_id_or_name(self, name: str) -> FakeSession | None:
        return next((it for it in self.sessions.values() if name in (it.id, it.name)), None)

    # Lives

    async def _live(self, session: FakeSession) -> None:
        """From the queue to the end, unless it is destroyed on the way."""
        self._enter(session, "PENDING")
        while sum(not it.over and it.status != "PENDING" for it in self.sessions.values()) >= self.quota:
            words = f"You cannot run more than {self.quota} concurrent sessions"
            session.info = "predicate-checks-failed"
            session.data = {"scheduler": {"failed_predicates": [{"name": "concurrency", "msg": words}]}}
            await trio.sleep(0.5)
            if session.over:
                return
        self._enter(session, "SCHEDULED")
        session.info, session.data = "", {}
        self._tell(session, "kernel_preparing")
        self._enter(session, "PREPARING")
        await trio.sleep(self.preparing)
        if session.over or session.doing.forgotten:
            return
        if session.doing.deaf == "PREPARING":
            session.console = NOISE
            await self._carry_out(session)
            return
        self._enter(session, "RUNNING")
        self.most_running = max(self.most_running, sum(it.status == "RUNNING" for it in self.sessions.values()))
        self._tell(session, "kernel_started")
        session.console = NOISE
        if session.doing.never:
            return
        await self._carry_out(session)

    async def _carry_out(self, session: FakeSession) -> None:
        doing, mark = session.doing, key_of(session.name)
        session.console += f"\r\n{mark}:begin\r\n{chunks(mark, 'o', doing.stdout)}{chunks(mark, 'e', doing.stderr)}"
        with trio.move_on_after(doing.duration if doing.vanishes is None else doing.vanishes) as scope:
            await session.told.wait()
        if session.over:
            return
        if doing.vanishes is not None:
            self._leave(session, "self-terminated")
            return
        code = doing.code if scope.cancelled_caught else 143
        why = "" if scope.cancelled_caught else "asked"
        session.console += (
            f"\r\n{mark}:end:code={code}:why={why}:out={len(doing.stdout)}:err={len(doing.stderr)}"
            f":ran={round(doing.duration * 100)}:cpu=0m0.100000s 0m0.050000s:peak=2048:oom=0:left=0\r\n"
        )
        if doing.deaf:
            return
        session.result = "FAILURE" if code else "SUCCESS"
        self._tell(session, "session_failure" if code else "session_success", code)
        if doing.stays:
            return
        self._tell(session, "session_terminating")
        self._enter(session, "TERMINATING")
        await trio.sleep(CLEARING)
        self._leave(session, "task-finished")

    def _destroy(self, session: FakeSession) -> None:
        if session.status in ("PENDING", "SCHEDULED"):
            session.info = "user-requested"
            self._enter(session, "CANCELLED")
            self._tell(session, "kernel_cancelled")
        elif not session.over:
            self._leave(session, "user-requested")
        session.told.set()

    def _leave(self, session: FakeSession, info: str) -> None:
        session.info = info
        self._enter(session, "TERMINATED")
        for _ in range(3):
            self._tell(session, "kernel_terminated", -1)
        self._tell(session, "session_terminated")
        assert self._nursery is not None
        self._nursery.start_soon(self._keep, session)

    async def _keep(self, session: FakeSession) -> None:
        """The console reaches the database some time after the end."""
        await trio.sleep(self.console_delay)
        session.kept = session.console + NOISE

    def _enter(self, session: FakeSession, status: str) -> None:
        session.status = status
        session.history[status] = datetime.now(UTC).isoformat()

    def _tell(self, session: FakeSession, event: str, code: int | None = None) -> None:
        data = {
            "reason": session.info,
            "sessionName": session.name,
            "ownerAccessKey": ENVIRON["BACKEND_ACCESS_KEY"],
            "sessionId": session.id,
            "exitCode": code,
        }
        frame = f"event: {event}\ndata: {json.dumps(data)}\n\n"
        assert self._nursery is not None
        for delay in self.deliver(event):
            self._nursery.start_soon(self._send, frame, delay)

    async def _send(self, frame: str, delay: float) -> None:
        await trio.sleep(delay)
        for stream in self.streams:
            stream.send.send_nowait(frame)

    def cut_streams(self) -> None:
        for stream in self.streams:
            stream.send.send_nowait(None)
        self.streams.clear()


def script_of(body: Mapping[str, Any]) -> str:
    """The script that a session's creation carries, as its container would read it."""
    variables = body["config"]["environ"]
    names = sorted(variables, key=lambda name: int(name.rpartition("_")[2]))
    packed = base64.b64decode("".join(variables[name] for name in names))
    size = re.search(r"bs=(\d+)", body["startupCommand"])
    assert size
    return packed[: int(size[1])].decode("utf-8", "surrogateescape")


def key_of(name: str) -> str:
    return "@runner-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def chunks(mark: str, letter: str, content: bytes) -> str:
    """A stream's lines on the console, as the wrapper writes them."""
    return "".join(
        f"{mark}:{letter}:{at}:{base64.b64encode(content[at : at + 3000]).decode()}\r\n"
        for at in range(0, len(content), 3000)
    )


def _problem(status: int, kind: str, title: str, **more: Any) -> httpx.Response:
    content = json.dumps({"type": PROBS + kind, "title": title, **more})
    return httpx.Response(status, content=content, headers={"Content-Type": "application/problem+json; charset=utf-8"})
