"""Jobs on chain as the trader knows them: which are under way, and what they may take.

Law: a job that has not ended takes what it may take, whatever was heard of it; an end is heard once.
"""

from collections.abc import Iterable

from execution.domain.chain import ENDS, ChainRecord, ChainState, ChainTold, ChainWork, IllegalChainMove, moved, takes
from execution.domain.postings import Posting
from markets.domain.units import AssetId, Cash, Nanos, Size

REMEMBERED = 5_000


class ChainBook:
    """Owned by one writer. `restore` it from the journal, `plan` what is decided, `apply` what is told."""

    def __init__(self) -> None:
        self._jobs: dict[str, ChainRecord] = {}
        self._open: dict[str, ChainRecord] = {}
        self._claimed: dict[AssetId, Size] = {}

    def restore(self, records: Iterable[ChainRecord]) -> None:
        for record in records:
            self._note(record)

    def plan(self, work: ChainWork) -> bool:
        """Take a decided job; False when it was decided before, and then nothing may be sent for it."""
        if work.job_id in self._jobs:
            return False
        self._note(ChainRecord(work, ChainState.PLANNED))
        return True

    def apply(self, told: ChainTold) -> ChainRecord | None:
        """The job as it is now; None for one that is not known, or when nothing changed.

        Raises IllegalChainMove when the table has no such move.
        """
        known = self._jobs.get(told.job_id)
        if known is None or (told.state is known.state and told.transaction_id in ("", known.transaction_id)):
            return None
        record = ChainRecord(known.work, moved(known.state, told.state), told.transaction_id or known.transaction_id)
        self._note(record)
        return record

    def _note(self, record: ChainRecord) -> None:
        name = record.work.job_id
        self._jobs[name] = record
        if record.state in ENDS:
            self._open.pop(name, None)
        else:
            self._open[name] = record
        self._claimed = {}
        for each in self._open.values():
            for asset, amount in takes(each.work.effects).items():
                self._claimed[asset] = self._claimed.get(asset, 0) + amount
        if len(self._jobs) > REMEMBERED:
            oldest = next(key for key in self._jobs if key not in self._open)
            del self._jobs[oldest]

    def job(self, name: str) -> ChainRecord | None:
        return self._jobs.get(name)

    def of_plan(self, plan_id: str) -> list[ChainRecord]:
        return [record for record in self._jobs.values() if record.work.plan_id == plan_id]

    @property
    def open(self) -> list[ChainRecord]:
        """Jobs that have not ended, in the order they were decided."""
        return list(self._open.values())

    def effects(self) -> list[Posting]:
        """What the open jobs may have changed already."""
        return [record.work.effects for record in self._open.values()]

    def older_than(self, at_ns: Nanos) -> list[ChainRecord]:
        """Open jobs decided before that moment."""
        return [record for record in self._open.values() if record.work.decided_ns < at_ns]

    def claimed(self, asset: AssetId) -> Size:
        """Shares of an asset that open jobs may take."""
        return self._claimed.get(asset, 0)

    @property
    def cash_claimed(self) -> Cash:
        """Cash that open jobs may take."""
        return self._claimed.get("", 0)


__all__ = ["ChainBook", "IllegalChainMove"]
