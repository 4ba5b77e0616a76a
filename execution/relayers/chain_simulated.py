"""Work on chain for venues inside the engine: nothing leaves, and time alone brings a job to its end.

Law: the same job at the same moments ends the same; what the simulated account does not hold reverts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from execution.domain.chain import ChainState, ChainWork, takes
from execution.domain.ledger import Ledger
from execution.relayers.base import Absent, ChainAnswer, Ok, Prepared, Receipt, Unavailable
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, Nanos

MINED_NS: Nanos = NANOS_PER_SECOND
CONFIRMED_NS: Nanos = 2 * NANOS_PER_SECOND


@dataclass(slots=True)
class _Sent:
    work: ChainWork
    at_ns: Nanos
    state: ChainState = ChainState.SUBMITTED
    detail: str = ""


class SimulatedChain:
    """`ledger` is the simulated venue's own, where there is one: it must cover a job, and is told what it changed."""

    name = "simulated"

    def __init__(self, now_ns: Callable[[], Nanos], ledger: Ledger | None = None) -> None:
        self._now_ns = now_ns
        self._ledger = ledger
        self._sent: dict[str, _Sent] = {}

    async def prepare(self, work: ChainWork, markets: Sequence[Market]) -> Ok[Prepared] | Unavailable:
        return Ok(Prepared(str(len(self._sent)), work.job_id.encode()))

    async def submit(self, work: ChainWork, prepared: Prepared) -> ChainAnswer:
        sent = self._sent.setdefault(work.job_id, _Sent(work, self._now_ns()))
        return self._receipt(sent)

    async def transaction(self, transaction_id: str) -> Ok[Receipt] | Unavailable:
        sent = self._sent.get(transaction_id)
        if sent is None:
            return Ok(Receipt(transaction_id, ChainState.FAILED, "", "its venue died with an earlier engine"))
        self._advance(sent)
        return Ok(self._receipt(sent))

    async def find(self, work: ChainWork, prepared: Prepared) -> Ok[Receipt | Absent] | Unavailable:
        sent = self._sent.get(work.job_id)
        return Ok(self._receipt(sent) if sent is not None else Absent(spent=True))

    async def ready(self) -> Ok[str] | Unavailable:
        return Ok("simulated")

    async def settle(self, work: ChainWork) -> None:
        """Nobody else keeps balances here."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def _advance(self, sent: _Sent) -> None:
        age_ns = self._now_ns() - sent.at_ns
        if sent.state is ChainState.SUBMITTED and age_ns >= MINED_NS:
            sent.detail = self._execute(sent.work)
            sent.state = ChainState.FAILED if sent.detail else ChainState.MINED
        if sent.state is ChainState.MINED and age_ns >= CONFIRMED_NS:
            sent.state = ChainState.CONFIRMED

    def _execute(self, work: ChainWork) -> str:
        """Book it, or say why it reverts."""
        if self._ledger is None:
            return ""
        for asset, amount in takes(work.effects).items():
            held = self._ledger.holding(asset).shares if asset else self._ledger.cash
            if held < amount:
                return f"reverted: {held} of {asset or 'cash'} do not cover {amount} (1e-6)"
        self._ledger.post(work.effects)
        return ""

    @staticmethod
    def _receipt(sent: _Sent) -> Receipt:
        return Receipt(sent.work.job_id, sent.state, "", sent.detail)
