"""An HTTP proxy on loopback, in its own thread, that simulates network faults.

A `Handler` is called with each exchange. It may forward the request never, once or twice, and send the answer late, in part or
not at all; an exchange without an answer ends as a lost connection.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import trio

Handler = Callable[["Exchange"], Awaitable[None]]


async def pass_through(exchange: Exchange) -> None:
    await exchange.forward()
    await exchange.answer()


class Exchange:
    """A request and its answer. `status` is the HTTP status of the server's last answer, None before it."""

    def __init__(self, request: bytes, client: trio.SocketStream, server: tuple[str, int]) -> None:
        head, _, self.body = request.partition(b"\r\n\r\n")
        self.method, self.path, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.status: int | None = None
        # One exchange for each connection, so that the end of the connection is the end of the answer.
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        self._request = b"\r\n".join([*lines, b"Connection: close", b"", self.body])
        self._client = client
        self._server = server
        self._upstream: trio.SocketStream | None = None
        self._first = b""

    @property
    def events(self) -> bool:
        """Return whether this is the event stream."""
        return self.path.startswith("/events/")

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")

    async def forward(self) -> None:
        """Send the request to the server and return when its answer begins. Drop an earlier answer."""
        await self.close()
        self._upstream = await trio.open_tcp_stream(*self._server)
        await self._upstream.send_all(self._request)
        self._first = await self._upstream.receive_some()
        if found := re.match(rb"HTTP/1.. (\d+)", self._first):
            self.status = int(found[1])

    async def answer(self) -> None:
        """Send the server's answer to the client as it arrives."""
        assert self._upstream is not None
        await self._client.send_all(self._first)
        async for piece in self._upstream:
            await self._client.send_all(piece)

    async def answer_with(self, status: str) -> None:
        """Send an empty answer with this status instead of the server's."""
        await self._client.send_all(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    async def close(self) -> None:
        if self._upstream is not None:
            await trio.aclose_forcefully(self._upstream)


class Proxy:
    """`with Proxy(server, handler) as proxy:` listens at `proxy.url` and records every exchange in `proxy.exchanges`."""

    def __init__(self, server: str, handler: Handler = pass_through) -> None:
        address = urlsplit(server)
        assert address.hostname is not None
        assert address.port is not None
        self.url = ""
        self.exchanges: list[Exchange] = []
        self._server = (address.hostname, address.port)
        self._handler = handler
        self._thread = threading.Thread(target=lambda: trio.run(self._run))
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(300)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)
        self._thread.join()

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
            self._ready.set()
            await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, client: trio.SocketStream) -> None:
        async with client:
            try:
                exchange = Exchange(await _request(client), client, self._server)
            except (trio.BrokenResourceError, ValueError):
                return  # the client has closed the connection without a request
            self.exchanges.append(exchange)
            try:
                await self._handler(exchange)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # one side is gone; the other sees the end of its connection
            finally:
                await exchange.close()


async def _request(client: trio.SocketStream) -> bytes:
    """Return the only request of a connection, complete."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await _receive(client)
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += await _receive(client)
    return head + b"\r\n\r\n" + body


async def _receive(client: trio.SocketStream) -> bytes:
    if piece := await client.receive_some(65536):
        return piece
    raise ValueError("the connection ended")
