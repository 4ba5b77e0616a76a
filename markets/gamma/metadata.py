"""Metadata for a recording: the markets of a saved Gamma file as the domain knows them, without a database.

Law: what the file does not hold is left to the defaults of the domain; an item that is wrong is left out and named.
"""

from datetime import datetime
from pathlib import Path

from markets.domain.fees import RATE_ONE, FeeSchedule
from markets.domain.market import Market
from markets.domain.units import cash_from_decimal, price_from_decimal, size_from_decimal
from markets.gamma.files import UnreadableFile, read_documents
from markets.gamma.items import Collected, collect
from markets.gamma.values import GammaEvent, GammaMarket


def read_markets(path: Path) -> tuple[Market, ...]:
    """Every market with both tokens in the file. Raises UnreadableFile when there is none to be had."""
    found = Collected()
    for document in read_documents(path):
        collect(document, found)
    whole = [market for market in found.markets.values() if len(market.outcomes) == 2]
    if not whole:
        first = f" ({found.first_errors[0]})" if found.first_errors else ""
        raise UnreadableFile(f"{path}: holds no market with both tokens{first}")
    return tuple([_to_domain(market, found.events.get(market.event_id)) for market in whole])


def _to_domain(market: GammaMarket, event: GammaEvent | None) -> Market:
    yes, no = sorted(market.outcomes, key=lambda outcome: outcome.index)
    return Market(
        condition_id=market.condition_id,
        event_id=market.event_id,
        question=market.question,
        yes=yes.asset_id,
        no=no.asset_id,
        generation=market.generation,
        tick=price_from_decimal(market.tick_size, "tick_size"),
        min_size=size_from_decimal(market.min_size, "min_size"),
        neg_risk=market.neg_risk,
        augmented=event is not None and event.augmented,
        other=market.other,
        set_size=(event.set_size or 0) if event is not None and market.neg_risk else 0,
        fees=FeeSchedule(
            rate=int(market.fee_rate * RATE_ONE),
            exponent=market.fee_exponent,
            rebate=int(market.fee_rebate * RATE_ONE),
        ),
        rewards_min_size=size_from_decimal(market.rewards_min_size, "rewards_min_size"),
        rewards_max_spread=price_from_decimal(market.rewards_max_spread, "rewards_max_spread"),
        rewards_daily=cash_from_decimal(market.rewards_daily, "rewards_daily"),
        end_ms=_millis(market.end_date),
        game_start_ms=_millis(market.game_start),
        accepting_orders=market.accepting_orders and market.fees_known,
        blocked="" if market.fees_known else "fee schedule unknown",
        delayed=market.delayed,
        rule_hash=market.rule_hash,
        question_id=market.question_id,
        convert_fee_bps=(event.convert_fee_bps or 0) if event is not None else 0,
    )


def _millis(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0
