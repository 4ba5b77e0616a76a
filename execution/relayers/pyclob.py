"""The venue through somebody else's client: `py-clob-client` or `py-clob-client-v2`, injected.

Law: the same verbs, answers and cautions as over our own transport. A client whose signatures the venue rejects is
refused before its first order, with the reason.
"""

from collections.abc import Sequence
from typing import Any

from execution.domain.commands import Rejected
from execution.domain.ours import OurOrders
from execution.relayers.base import Answer, Submission, Unavailable
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.relayers.pyclob_client import PyClobTransport, chain_of

__all__ = ["PyClobRelayer", "PyClobTransport"]

_NAMES = {1: "py-clob-client", 2: "py-clob-client-v2"}


class PyClobRelayer(PolymarketRelayer):
    """Our relayer over an injected client. One thread, so it is slower, and rate-limit headers are not seen."""

    def __init__(
        self, client: Any, config: PolymarketConfig, orders: OurOrders, *, chain_id: int, **wires: Any
    ) -> None:
        self.transport = PyClobTransport(client, config.clob_url, timeout_s=config.call_s)
        super().__init__(config, orders, http=self.transport, **wires)
        self._chain_id = chain_id
        self._cleared = False

    async def client_problems(self) -> tuple[str, ...]:
        """What stands against this client at this venue; what cannot be asked does too."""
        problems: list[str] = []
        generation = self.transport.generation
        version = await self.reads.version()
        if isinstance(version, Unavailable):
            problems.append(f"client: the venue's version could not be asked: {version.reason}")
        elif generation < version.value:
            problems.append(
                f"client: {_NAMES[generation]} signs version {generation} orders and this venue, which speaks version "
                f"{version.value}, rejects them; use {_NAMES[2]}"
            )
        chain = chain_of(self.transport.client)
        if chain != self._chain_id:
            problems.append(f"client: signs for chain {chain}, the engine for {self._chain_id}")
        if not self.transport.owner:
            problems.append("client: has no API credentials, so it can neither place nor cancel")
        self._cleared = not problems
        return tuple(problems)

    async def preflight(self) -> tuple[str, ...]:
        return (*await self.client_problems(), *await super().preflight())

    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        problems = () if self._cleared else await self.client_problems()
        if problems:
            now_ns = self._now_ns()
            return [
                Rejected(each.order.client_order_id, "client_refused", "; ".join(problems), now_ns) for each in orders
            ]
        return await super().submit(orders)
