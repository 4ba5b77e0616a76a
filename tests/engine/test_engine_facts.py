"""Facts on their way to the journal: in order, never dropped, one line for a whole episode, second to the lease."""

import asyncio
from collections.abc import Iterable

from structlog.testing import capture_logs

from execution.domain.commands import Refusal, Strategy
from execution.journal import Fact, JournalUnavailable, MemoryJournal
from polyweb.runtime import facts
from polyweb.runtime.facts import FactWriter


def refusal(number: int) -> Refusal:
    return Refusal("0x1", Strategy.SPREAD, ("cap",), "", number)


class Journal(MemoryJournal):
    locked = False

    async def record(self, batch: Iterable[Fact]) -> None:
        if self.locked:
            raise JournalUnavailable("OperationalError: database is locked")
        await super().record(batch)


async def until_written(journal: Journal, count: int) -> None:
    async with asyncio.timeout(10):
        while len(journal.refusals) < count:  # noqa: ASYNC110 - the journal has no such event
            await asyncio.sleep(0.01)


async def test_facts_wait_while_the_lease_comes_first() -> None:
    journal = Journal()
    writer = FactWriter(journal)
    working = asyncio.create_task(writer.run())
    writer.pause()
    writer.add([refusal(1)])
    await asyncio.sleep(0.05)
    assert journal.refusals == []
    writer.go_on()
    await until_written(journal, 1)
    working.cancel()


async def test_at_the_end_everything_is_written_paused_or_not() -> None:
    journal = Journal()
    writer = FactWriter(journal)
    writer.pause()
    writer.add([refusal(number) for number in range(facts.FACTS_PER_WRITE + 1)])
    assert await writer.flush()
    assert [one.at_ns for one in journal.refusals] == list(range(facts.FACTS_PER_WRITE + 1))


async def test_a_journal_that_is_away_is_one_line_and_loses_nothing() -> None:
    journal = Journal()
    journal.locked = True
    writer = FactWriter(journal)
    writer.add([refusal(1), refusal(2)])
    with capture_logs() as lines:
        assert not await writer.flush()
        assert not await writer.flush()
        journal.locked = False
        assert await writer.flush()
    assert [line["event"] for line in lines] == ["facts_wait", "facts_written_again"]
    assert lines[0]["error"] == "JournalUnavailable: OperationalError: database is locked"
    assert (lines[1]["tries"], writer.failures) == (2, 2)
    assert [one.at_ns for one in journal.refusals] == [1, 2]
