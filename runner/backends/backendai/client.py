"""Requests to the manager: signed, within the rate limit, tried again while that can help. Foreign errors end here."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode

import httpx
import trio

from runner.backends.backendai.auth import sign
from runner.backends.backendai.errors import Failed, Faulted, RateLimited, Refused, Unavailable, of_answer
from runner.backends.backendai.options import Config
from runner.backends.backendai.rate_limit import Budget
from runner.errors import EnvironmentFailed

PATIENCE = 600.0
"""Seconds for which a cluster that has answered before may be silent."""

FIRST_PATIENCE = 8.0
"""The same for one that never has: then most likely the address is wrong."""

READ_TIMEOUT = 60.0
SILENCE = 45.0
"""Seconds without a word, not even a ping (there is one each 15), after which the event stream counts as dead."""

Query: TypeAlias = Mapping[str, str]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0


class Client:
    """One account's requests. `transport` stands in for the network in tests."""

    def __init__(self, config: Config, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.config = config
        self.budget = Budget()
        self.offset = timedelta(0)
        """How far the cluster's clock is ahead of ours; learned from it when it minds."""
        self.failed_at = -math.inf
        """When the cluster last did not answer, or with an error of its own; trio's time."""
        self._answered = False
        self._http = httpx.AsyncClient(
            base_url=config.endpoint,
            verify=config.verify,
            transport=transport,
            timeout=httpx.Timeout(READ_TIMEOUT, connect=config.connect_timeout),
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

    async def ask(self, method: str, path: str, body: Any = None, query: Query = MappingProxyType({})) -> Any:
        """The answer as JSON. Raises Refused, Unavailable where it may work later, EnvironmentFailed for bad keys."""
        for corrected in (False, True):
            await self.budget.take()
            try:
                response = await self._http.send(self._request(method, path, body, query))
            except httpx.LocalProtocolError as error:
                self.budget.unheard()
                raise EnvironmentFailed(f"a request to `{self.config.endpoint}` cannot be sent as it is") from error
            except httpx.HTTPError as error:
                self.budget.unheard()
                self.failed_at = trio.current_time()
                raise Unavailable(_reason(error)) from error
            except BaseException:
                self.budget.unheard()
                raise
            if response.is_success:
                self.budget.heard(response.headers)
                return self._document(response)
            if not self._account_for(response, corrected):
                break
        if response.status_code >= 500:
            self.failed_at = trio.current_time()
        raise self._problem(response)

    def _document(self, response: httpx.Response) -> Any:
        if not response.content:
            self._answered = True
            return None
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._strange(response)
        self._answered = True
        return document

    def _strange(self, response: httpx.Response) -> EnvironmentFailed:
        return EnvironmentFailed(
            f"`{self.config.endpoint}` answers {response.status_code} with what is no answer of a Backend.AI manager",
            "BACKEND_ENDPOINT has to be the manager's API, not a web console or a proxy's own page",
        )

    async def insist(
        self, method: str, path: str, body: Any = None, query: Query = MappingProxyType({}), *, failures: int = 0
    ) -> Any:
        """As `ask`, tried again until it answers: for what does no harm when it is done twice.

        With `failures`, raises Failed when it has answered so often with an error of its own.
        """
        patience = Patience(self)
        failed = 0
        while True:
            try:
                return await self.ask(method, path, body, query)
            except Unavailable as fault:
                failed += isinstance(fault, Failed)
                if failed and failed == failures:
                    raise
                await patience.wait(fault)

    async def query(self, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data that a GraphQL query asks for. Raises as `ask` does, and Faulted where the answer is an error."""
        answer = await self.ask("POST", "/admin/gql", {"query": text, "variables": variables}) or {}
        if faults := answer.get("errors"):
            raise Faulted("; ".join(str(fault.get("message")) for fault in faults))
        return dict(answer.get("data") or {})

    @asynccontextmanager
    async def listen(self, path: str, query: Query) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of an event stream. Raises as `ask` does, also while the lines are read."""
        await self.budget.take()
        heard = False
        try:
            request = self._request("GET", path, None, query)
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": SILENCE}
            response = await self._http.send(request, stream=True)
            try:
                heard = True
                if not response.is_success:
                    await response.aread()
                    if self._account_for(response, False):
                        raise Unavailable("the clocks differ")
                    raise self._problem(response)
                self.budget.heard(response.headers)
                self._answered = True
                yield response.aiter_lines()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 2):
                    await response.aclose()
        except httpx.HTTPError as error:
            raise Unavailable(_reason(error)) from error
        finally:
            if not heard:
                self.budget.unheard()

    def patience(self) -> float:
        return PATIENCE if self._answered else FIRST_PATIENCE

    def _request(self, method: str, path: str, body: Any, query: Query) -> httpx.Request:
        target = f"{path}?{urlencode(query)}" if query else path
        request = self._http.build_request(method, target, json=body) if body is not None else None
        if request is None:
            request = self._http.build_request(method, target, headers={"Content-Type": "application/octet-stream"})
        request.headers.update(
            sign(
                method=method,
                target=request.url.raw_path.decode("ascii"),
                host=request.headers["host"],
                content_type=request.headers["content-type"].partition(";")[0].lower(),
                at=datetime.now(UTC) + self.offset,
                access_key=self.config.access_key,
                secret_key=self.config.secret_key,
            )
        )
        return request

    def _account_for(self, response: httpx.Response, corrected: bool) -> bool:
        """Book a bad answer. Returns whether to ask again at once, because it was only our clock that was wrong."""
        if response.status_code == 429:
            self.budget.refused()
            return False
        self.budget.heard(response.headers)
        if corrected or response.status_code != 400 or b"sync error" not in response.content:
            return False
        try:
            theirs = parsedate_to_datetime(response.headers["date"])
        except (KeyError, ValueError):
            return False
        self.offset = theirs - datetime.now(UTC)
        return abs(self.offset) > timedelta(minutes=1)

    def _problem(self, response: httpx.Response) -> Exception:
        if response.status_code == 429:
            return RateLimited("the account's rate limit is used up")
        problem = of_answer(response.status_code, response.content)
        if isinstance(problem, Refused) and not problem.kind:
            return self._strange(response)
        self._answered = self._answered or (isinstance(problem, Failed) and bool(problem.kind))
        if isinstance(problem, Refused) and (problem.status == 401 or problem.kind == "invalid-auth-params"):
            return EnvironmentFailed(
                f"`{self.config.endpoint}` does not accept the keys: {problem.words}",
                "`runner doctor --backend backend.ai` looks at the keys and the clock",
            )
        return problem


class Patience:
    """How long to go on asking a cluster that does not answer. Pauses grow, with jitter."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pause = _FIRST_PAUSE
        self._since = trio.current_time()

    async def wait(self, fault: Unavailable) -> None:
        """Pause before the next try; not where the budget does. Raises EnvironmentFailed when it has been long enough."""
        if isinstance(fault, RateLimited):
            return
        if trio.current_time() - self._since >= self._client.patience():
            raise EnvironmentFailed(
                f"`{self._client.config.endpoint}` cannot be reached: {fault.words}",
                "is BACKEND_ENDPOINT right? jobs that run go on, and the same command takes them up again",
            ) from fault
        await trio.sleep(self._pause * random.uniform(0.5, 1.0))
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    def reset(self) -> None:
        """It has answered."""
        self._pause = _FIRST_PAUSE
        self._since = trio.current_time()


def _reason(error: httpx.HTTPError) -> str:
    """Why there was no answer, without the address: that of the event stream holds the access key."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error).strip() or "the connection was lost"
