"""The auditor: now and then a few books are asked for over HTTP, which travels by another road than the feed.

Law: it judges nothing. What the venue shows enters by the inbox, and the books compare it with themselves once the
frames of its time have had time to arrive.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from markets.domain.units import AssetId, Nanos
from markets.feed.rest import BooksUnavailable
from markets.feed.resync import Books
from polyweb.runtime.inbox import Item, Shown

log = structlog.get_logger(__name__)

SAMPLE = 20
LEAST_S = 4.0  # a book is compared two seconds after it was shown; one shown again meanwhile starts anew


class Auditor:
    """Every `every_s`, a quarter more or less, a sample of `assets` is shown to the trader."""

    def __init__(
        self,
        *,
        books: Books,
        assets: Callable[[], Sequence[AssetId]],
        push: Callable[[Item], None],
        rng: random.Random,
        every_s: float,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._books = books
        self._assets = assets
        self._push = push
        self._rng = rng
        self._every_s = max(every_s, LEAST_S)
        self._now_ns = now_ns

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s * self._rng.uniform(0.75, 1.25))
            await self.look()

    async def look(self) -> None:
        """One audit of a sample."""
        known = list(self._assets())
        sample = self._rng.sample(known, min(SAMPLE, len(known)))
        if not sample:
            return
        try:
            books = await self._books.books(sample)
        except BooksUnavailable as error:
            self.counts["unavailable"] += 1
            log.info("audit_unavailable", reason=str(error))
            return
        for book in books:
            self.counts["shown"] += 1
            self._push(Shown(self._now_ns(), book.data))
