"""Connections to PostgreSQL of the event loop's own: prepared statements, no thread, no ORM.

Law: a request is one transaction, and it is made once. Whoever stops waiting is free at once and does not learn whether
it was committed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, LiteralString, TypeAlias

import psycopg

Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[LiteralString, Sequence[object]]

APPLICATION = "polyweb journal"  # what an operator sees of these connections in the database
_CONNECT_S = 4
# Each statement looks up a handful of rows by their keys. Planned once and for that, whatever the statistics say of
# tables that were empty when the plan was made. JIT would be tempted by the price of what is forbidden here.
_PLANS = "plan_cache_mode=force_generic_plan enable_seqscan=off enable_hashjoin=off enable_mergejoin=off jit=off"
_ORM_ONLY = frozenset({"cursor_factory", "context", "prepare_threshold"})


class Links:
    """`count` connections to `address`, whatever else stands there for the ORM. The one used last goes first: its
    statements are prepared. A lock held by somebody else is an error after `lock_wait_s`.

    With `commit` "off" nobody waits for the disk: a server that crashes may lose the last half second. It never loses
    what was committed before a commit that did wait.
    """

    def __init__(
        self, address: Mapping[str, Any], count: int, *, lock_wait_s: float, commit: Literal["on", "off"]
    ) -> None:
        chosen = {name: value for name, value in address.items() if name not in _ORM_ONLY}
        waits = f"lock_timeout={round(lock_wait_s * 1_000)} synchronous_commit={commit}"
        settings = [*waits.split(), *_PLANS.split()]
        options = " ".join([chosen.pop("options", ""), *(f"-c {setting}" for setting in settings)])
        own = {"connect_timeout": _CONNECT_S, "application_name": APPLICATION}
        self.address = {**own, **chosen, "options": options}
        self._free = [Link(self.address) for _ in range(count)]
        self._count = count
        self._room = asyncio.Semaphore(count)

    async def run(self, *statements: Statement) -> tuple[int, list[Row]]:
        """Rows touched and rows read by the last statement; more than one are one transaction. Raises psycopg.Error."""
        async with self._room:
            link = self._free.pop()
            try:
                return await link.run(*statements)
            finally:
                if not link.is_open:  # what ended this one has most likely ended the others
                    for other in self._free:
                        other.hang_up()
                self._free.append(link)

    async def dial(self) -> None:
        """Connect those that are idle, so that the first request need not."""
        for link in list(self._free):
            await link.dial()

    async def close(self) -> None:
        """Wait for what is under way, then close."""
        for _ in range(self._count):
            await self._room.acquire()
        for link in self._free:
            await link.close()


class Link:
    """One connection, dialled when it is needed, for one request at a time."""

    def __init__(self, address: Mapping[str, Any]) -> None:
        self._address = address
        self._connection: psycopg.AsyncConnection[Row] | None = None
        self._left_behind: set[asyncio.Task[tuple[int, list[Row]]]] = set()

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.closed

    async def run(self, *statements: Statement) -> tuple[int, list[Row]]:
        """Cancelled, it returns at once: the connection is left behind to end as it may, and the next request dials
        anew.
        """
        request = asyncio.create_task(self._request(statements), name="database request")
        try:
            return await asyncio.shield(request)
        except asyncio.CancelledError:
            if not request.done():
                self._connection = None
                request.cancel()
                self._left_behind.add(request)
                request.add_done_callback(self._left_behind.discard)
            raise

    async def _request(self, statements: Sequence[Statement]) -> tuple[int, list[Row]]:
        link: psycopg.AsyncConnection[Row] | None = None
        try:
            link = await self.dial()
            if len(statements) == 1:
                return await _execute(link, statements[0])
            async with link.transaction():
                return [await _execute(link, statement) for statement in statements][-1]
        except asyncio.CancelledError:
            if link is not None:
                await link.close()
            raise

    async def dial(self) -> psycopg.AsyncConnection[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(**self._address, autocommit=True)
        return self._connection

    def hang_up(self) -> None:
        """For a connection that is idle: the next request dials anew."""
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None

    async def close(self) -> None:
        """What was left behind is waited for, which psycopg bounds."""
        if self._left_behind:
            await asyncio.wait(self._left_behind)
        self.hang_up()


async def _execute(link: psycopg.AsyncConnection[Row], statement: Statement) -> tuple[int, list[Row]]:
    cursor = await link.execute(*statement, prepare=True)
    return cursor.rowcount, await cursor.fetchall() if cursor.description else []
