"""Signed requests to the manager, repeated while that can help. Errors of httpx end here."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias, TypeVar
from urllib.parse import urlencode

import httpx
import trio

from runner.backends.backendai.auth import sign
from runner.backends.backendai.errors import (
    QueryError,
    RateLimited,
    RequestRefused,
    ServerError,
    Unavailable,
    from_response,
)
from runner.backends.backendai.options import BackendAIOptions
from runner.backends.backendai.rate_limit import RateLimit
from runner.backends.retry import Backoff
from runner.errors import EnvironmentFailed

OUTAGE_LIMIT = 600.0
"""Seconds for which a manager that has answered before may be unreachable."""

FIRST_OUTAGE_LIMIT = 8.0
"""The same for a manager that has never answered: most likely the endpoint is wrong."""

RATE_LIMITED_LIMIT = 1800.0
"""Seconds for which one request may be refused with 429: two windows of the manager's rate limit."""

MAX_SERVER_ERRORS = 6
"""Errors of the manager itself after which a request is given up: it answers some invalid requests with 500."""

READ_TIMEOUT = 60.0
STREAM_TIMEOUT = 45.0
"""Seconds without data, pings included (one every 15 s), after which the event stream counts as broken."""

Query: TypeAlias = Mapping[str, str]
NO_QUERY: Query = MappingProxyType({})

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds between two tries of a request: the pause doubles from the first to the second."""

T = TypeVar("T")


class Client:
    """Sends the requests of one account.

    `clock_offset` is how far the manager's clock is ahead of ours, learned when it refuses a signature for its time.
    `failed_at` is when a request last failed to reach the manager (trio's time).
    """

    def __init__(self, options: BackendAIOptions, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.options = options
        self.rate_limit = RateLimit()
        self.clock_offset = timedelta(0)
        self.failed_at = -math.inf
        self._answered = False
        self._http = httpx.AsyncClient(
            base_url=options.endpoint,
            verify=options.verify,
            transport=transport,
            timeout=httpx.Timeout(READ_TIMEOUT, connect=options.connect_timeout),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
            headers={"User-Agent": "runner"},
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await self._http.aclose()

    @property
    def outage_limit(self) -> float:
        """Seconds for which the manager may be unreachable."""
        return OUTAGE_LIMIT if self._answered else FIRST_OUTAGE_LIMIT

    async def request(self, method: str, path: str, body: Any = None, query: Query = NO_QUERY) -> Any:
        """Send a request once and return its answer as JSON.

        Raises RequestRefused, Unavailable, and EnvironmentFailed for keys that are not accepted.
        """
        response = await self._send(method, path, body, query)
        if not response.is_success and self._learn_clock_offset(response):
            response = await self._send(method, path, body, query)
        if not response.is_success:
            raise self._error(response)
        if response.content and not isinstance(document := _json(response), dict):
            raise self._not_a_manager(response)
        self._answered = True
        return document if response.content else None

    async def retry(self, request: Callable[[], Awaitable[T]], max_server_errors: int | None = None) -> T:
        """Return what `request` returns, repeated while it raises Unavailable: for requests that may be sent twice.

        Raises as `RequestRetry.wait` does.
        """
        retry = RequestRetry(self, max_server_errors)
        while True:
            try:
                return await request()
            except Unavailable as fault:
                await retry.wait(fault)

    async def query(self, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data of a GraphQL query. Raises as `request` does, and QueryError if the answer holds errors."""
        answer = await self.request("POST", "/admin/gql", {"query": text, "variables": variables}) or {}
        if faults := answer.get("errors"):
            raise QueryError("; ".join(str(fault.get("message")) for fault in faults))
        return dict(answer.get("data") or {})

    @asynccontextmanager
    async def stream(self, path: str, query: Query) -> AsyncIterator[AsyncIterator[str]]:
        """Yield the lines of an event stream. Raises as `request` does, also while the lines are read."""
        await self.rate_limit.wait()
        try:
            request = self._build("GET", path, None, query)
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": STREAM_TIMEOUT}
            response = await self._http.send(request, stream=True)
            try:
                self._count(response)
                if not response.is_success:
                    await response.aread()
                    if self._learn_clock_offset(response):
                        raise Unavailable("the clocks differ")
                    raise self._error(response)
                self._answered = True
                yield response.aiter_lines()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 2):
                    await response.aclose()
        except httpx.HTTPError as error:
            raise Unavailable(_reason(error)) from error

    async def _send(self, method: str, path: str, body: Any, query: Query) -> httpx.Response:
        await self.rate_limit.wait()
        try:
            response = await self._http.send(self._build(method, path, body, query))
        except httpx.LocalProtocolError as error:
            raise EnvironmentFailed(f"cannot send a request to `{self.options.endpoint}`: {error}") from error
        except httpx.HTTPError as error:
            self.failed_at = trio.current_time()
            raise Unavailable(_reason(error)) from error
        self._count(response)
        return response

    def _count(self, response: httpx.Response) -> None:
        if response.status_code == 429:
            self.rate_limit.refused(response.headers)
        else:
            self.rate_limit.accepted(response.headers)

    def _build(self, method: str, path: str, body: Any, query: Query) -> httpx.Request:
        target = f"{path}?{urlencode(query)}" if query else path
        headers = None if body is not None else {"Content-Type": "application/octet-stream"}
        request = self._http.build_request(method, target, json=body, headers=headers)
        request.headers.update(
            sign(
                method=method,
                target=request.url.raw_path.decode("ascii"),
                host=request.headers["host"],
                content_type=request.headers["content-type"].partition(";")[0].lower(),
                at=datetime.now(UTC) + self.clock_offset,
                access_key=self.options.access_key,
                secret_key=self.options.secret_key,
            )
        )
        return request

    def _learn_clock_offset(self, response: httpx.Response) -> bool:
        """Return whether the signature was refused for its time, and `clock_offset` now corrects that."""
        if response.status_code != 400 or b"sync error" not in response.content:
            return False
        try:
            theirs = parsedate_to_datetime(response.headers["date"])
        except (KeyError, ValueError):
            return False
        self.clock_offset = theirs - datetime.now(UTC)
        return abs(self.clock_offset) > timedelta(minutes=1)

    def _error(self, response: httpx.Response) -> Exception:
        if response.status_code == 429:
            return RateLimited("the account's rate limit is used up")
        error = from_response(response.status_code, response.content)
        if isinstance(error, RequestRefused) and not error.kind:
            return self._not_a_manager(response)
        if isinstance(error, ServerError) and error.kind:
            self._answered = True
        elif isinstance(error, ServerError):
            self.failed_at = trio.current_time()
        if isinstance(error, RequestRefused) and (error.status == 401 or error.kind == "invalid-auth-params"):
            return EnvironmentFailed(
                f"`{self.options.endpoint}` does not accept the keys: {error.message}",
                "`runner doctor --backend backend.ai` checks the keys and the clock",
            )
        return error

    def _not_a_manager(self, response: httpx.Response) -> EnvironmentFailed:
        return EnvironmentFailed(
            f"`{self.options.endpoint}` answers {response.status_code}, but not as a Backend.AI manager does",
            "set BACKEND_ENDPOINT to the manager's API, not to a web console or a proxy's page",
        )


class RequestRetry:
    """Decides how long one request is repeated.

    After a 429 it adds no pause of its own: `Client.rate_limit` pauses all requests.
    """

    def __init__(self, client: Client, max_server_errors: int | None = None) -> None:
        self._client = client
        self._max_server_errors = max_server_errors
        self._server_errors = 0
        self._backoff = Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE)

    async def wait(self, fault: Unavailable) -> None:
        """Return when the request may be sent again.

        Raises `fault` after `max_server_errors` errors of the manager itself, and EnvironmentFailed once the manager has
        been unreachable, or the account rate limited, for too long.
        """
        if isinstance(fault, QueryError) or (isinstance(fault, ServerError) and fault.kind):
            self._server_errors += 1
            if self._server_errors == self._max_server_errors:
                raise fault
        endpoint = self._client.options.endpoint
        elapsed = self._backoff.failed()
        if isinstance(fault, RateLimited):
            if elapsed >= RATE_LIMITED_LIMIT:
                raise EnvironmentFailed(
                    f"`{endpoint}` has refused requests for {elapsed / 60:.0f} minutes: {fault.message}",
                    "running jobs continue; apply again later, or ask an administrator to raise the limit",
                ) from fault
            return
        if elapsed >= self._client.outage_limit:
            raise EnvironmentFailed(
                f"`{endpoint}` cannot be reached: {fault.message}",
                "check BACKEND_ENDPOINT; running jobs continue, and the same command adopts them",
            ) from fault
        await self._backoff.pause()


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _reason(error: httpx.HTTPError) -> str:
    """Return why there was no answer, without the URL: that of the event stream contains the access key."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error).strip() or "the connection was lost"
