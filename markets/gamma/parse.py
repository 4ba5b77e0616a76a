"""One Gamma market or event, from its JSON object.

Law: trading ids are chosen by `version` and never by which list happens to be filled.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from markets.domain import rules
from markets.domain.market import Generation
from markets.domain.units import PRICE_ONE
from markets.gamma import fields
from markets.gamma.fields import Raw
from markets.gamma.values import GammaError, GammaEvent, GammaMarket, GammaOutcome, NotBinary

CONDITION = re.compile(r"0x(?:[0-9a-fA-F]{62}|[0-9a-fA-F]{64})")
QUESTION = re.compile(r"0x[0-9a-fA-F]{64}")
ASSET = re.compile(r"[0-9]{1,78}")
DEFAULT_TICK = Decimal("0.01")
DEFAULT_MIN_SIZE = Decimal(5)
CENT = Decimal("0.01")
BPS_ONE = 10_000


def parse_event(raw: Raw) -> GammaEvent:
    """The event alone, as a market names it: whether its set is complete is not known."""
    gamma_id = fields.identifier(raw, "id")
    if not gamma_id:
        raise GammaError("event.id", "is missing")
    return GammaEvent(
        gamma_id=gamma_id,
        slug=fields.text(raw, "slug", limit=255),
        title=fields.text(raw, "title", limit=1024),
        category=_category(raw),
        neg_risk=fields.flag(raw, "negRisk") or fields.flag(raw, "enableNegRisk"),
        augmented=fields.flag(raw, "negRiskAugmented"),
        closed=fields.flag(raw, "closed"),
        convert_fee_bps=_convert_fee(raw),
    )


def _convert_fee(raw: Raw) -> int | None:
    bips = fields.number(raw, "negRiskFeeBips")
    if bips is None:
        return None
    if not 0 <= bips < BPS_ONE or bips != int(bips):
        raise GammaError("negRiskFeeBips", f"{bips} is no whole number of basis points below {BPS_ONE}")
    return int(bips)


def _category(raw: Raw) -> str:
    named = fields.text(raw, "category", limit=128)
    if named:
        return named
    labels = [fields.text(tag, "label", limit=128) for tag in fields.objects(raw, "tags")]
    return next((label for label in labels if label and label != "All"), "")


def market_category(raw: Raw) -> str:
    """What a market says about its event's category, when the event itself does not."""
    named = fields.text(raw, "category", limit=128)
    if named:
        return named
    if raw.get("sportsMarketType"):
        return "Sports"
    return "Crypto" if fields.text(raw, "feeType", limit=64).startswith("crypto") else ""


def complete_set(event: GammaEvent, markets: Sequence[GammaMarket], listed: int) -> int:
    """Size of the set when every market the event lists was understood, is open, named and has both tokens.

    0 when anything is missing, and for anything but a plain neg-risk event of two or more.
    """
    if not event.neg_risk or event.augmented or event.closed or not 2 <= len(markets) == listed:
        return 0
    sound = all(market.neg_risk and market.outcomes and not market.closed and not market.other for market in markets)
    return listed if sound else 0


def parse_market(raw: Raw, event: GammaEvent | None = None) -> GammaMarket:
    """Raises NotBinary for what is no binary market, GammaError for what is wrong with one."""
    generation = _generation(raw)
    condition_id = _condition_id(raw, generation)
    names = fields.strings(raw, "outcomes")
    if len(names) != 2:
        raise NotBinary(f"{condition_id} has {len(names)} outcomes")
    fees = _fees(raw)
    end_date = fields.moment(raw, "endDate")
    rule_text = _rule_text(raw, names, end_date)
    neg_risk = fields.flag(raw, "negRisk")
    group_title = fields.text(raw, "groupItemTitle", limit=512)
    augmented = bool(event and event.augmented)
    return GammaMarket(
        condition_id=condition_id,
        gamma_id=fields.identifier(raw, "id"),
        event_id=event.gamma_id if event else "",
        slug=fields.text(raw, "slug", limit=255),
        question=fields.text(raw, "question", limit=2048),
        group_title=group_title,
        generation=generation,
        tick_size=_tick(raw),
        min_size=fields.amount(raw, "orderMinSize", DEFAULT_MIN_SIZE),
        neg_risk=neg_risk,
        other=fields.flag(raw, "negRiskOther") or rules.is_catch_all(group_title, augmented=augmented),
        active=fields.flag(raw, "active"),
        closed=fields.flag(raw, "closed") or fields.flag(raw, "archived"),
        accepting_orders=fields.flag(raw, "acceptingOrders") and raw.get("enableOrderBook") is not False,
        delayed=bool(fields.amount(raw, "secondsDelay")),
        fee_rate=fees[0],
        fee_exponent=fees[1],
        fee_rebate=fees[2],
        fees_known=_fees_known(raw),
        rewards_min_size=fields.amount(raw, "rewardsMinSize"),
        rewards_max_spread=_reward_spread(raw),
        rewards_daily=_rewards_daily(raw),
        volume_24h=fields.amount(raw, "volume24hr"),
        liquidity=fields.amount(raw, "liquidityNum"),
        best_bid=fields.price(raw, "bestBid"),
        best_ask=fields.price(raw, "bestAsk"),
        game_start=fields.moment(raw, "gameStartTime"),
        end_date=end_date,
        resolution_status=_resolution(raw),
        rule_text=rule_text,
        rule_hash=rules.hash_of(rule_text),
        outcomes=_outcomes(raw, names, generation),
        question_id=_question_id(raw),
    )


def _generation(raw: Raw) -> Generation:
    """Unknown when absent or new to us: such a market is listed and never tradable live."""
    version = fields.text(raw, "version", limit=16)
    return Generation(version) if version in set(Generation) else Generation.UNKNOWN


def _condition_id(raw: Raw, generation: Generation) -> str:
    key = "conditionId" if raw.get("conditionId") else "condition"
    value = raw.get(key)
    if value is None or value == "":
        raise NotBinary("a market without a condition id")
    if not isinstance(value, str) or not CONDITION.fullmatch(value):
        raise GammaError("conditionId", f"{str(value)[:80]!r} is not 31 or 32 hex bytes")
    if len(value) == 66:
        return value
    if generation is not Generation.V2:
        raise GammaError("conditionId", f"{value!r} has 31 bytes, which only a v2 market may have")
    return value + "00"  # the CLOB and the sockets write a v2 condition padded to 32 bytes


def _question_id(raw: Raw) -> str:
    """What is no question's id on chain is as good as none: only conversions need it, and they refuse without."""
    value = raw.get("questionID")
    return value.lower() if isinstance(value, str) and QUESTION.fullmatch(value) else ""


def _tick(raw: Raw) -> Decimal:
    value = fields.number(raw, "orderPriceMinTickSize")
    if value is None:
        return DEFAULT_TICK
    if not 0 < value < 1 or value * PRICE_ONE != int(value * PRICE_ONE):
        raise GammaError("orderPriceMinTickSize", f"{value} is no tick between 0.0001 and 1")
    return value


def _fees(raw: Raw) -> tuple[Decimal, int, Decimal]:
    schedule = raw.get("feeSchedule")
    if schedule is None or raw.get("feesEnabled") is False:
        return Decimal(0), 1, Decimal(0)
    if not isinstance(schedule, dict):
        raise GammaError("feeSchedule", f"{schedule!r} is not an object")
    exponent = fields.number(schedule, "exponent")
    exponent = Decimal(1) if exponent is None else exponent
    if exponent not in (0, 1, 2, 3, 4):
        raise GammaError("feeSchedule.exponent", f"{exponent} is not a whole number from 0 to 4")
    return fields.share(schedule, "rate"), int(exponent), fields.share(schedule, "rebateRate")


def _fees_known(raw: Raw) -> bool:
    """False when fees are charged by a schedule nobody states, or by one that charges makers, which we cannot price."""
    schedule = raw.get("feeSchedule")
    if not isinstance(schedule, dict):
        return raw.get("feesEnabled") is not True
    if raw.get("feesEnabled") is False:
        return True
    return schedule.get("rate") is not None and schedule.get("takerOnly") is not False


def _reward_spread(raw: Raw) -> Decimal:
    """Gamma says cents; the row says pUSD per share."""
    cents = fields.number(raw, "rewardsMaxSpread") or Decimal(0)
    return fields.shown_price(cents * CENT, "rewardsMaxSpread")


def _rewards_daily(raw: Raw) -> Decimal:
    rates = [fields.amount(reward, "rewardsDailyRate") for reward in fields.objects(raw, "clobRewards")]
    return sum(rates, Decimal(0))


def _resolution(raw: Raw) -> str:
    legacy = fields.text(raw, "umaResolutionStatus", limit=64)
    return legacy or fields.text(raw, "resolutionStatus", limit=64)


def _outcomes(raw: Raw, names: Sequence[str], generation: Generation) -> tuple[GammaOutcome, ...]:
    key = "positionIds" if generation is Generation.V2 else "clobTokenIds"
    ids = fields.strings(raw, key)
    if not ids:
        return ()
    if len(ids) != 2 or ids[0] == ids[1]:
        raise GammaError(key, f"{len(set(ids))} different ids for two outcomes")
    for asset_id in ids:
        if not ASSET.fullmatch(asset_id):
            raise GammaError(key, f"{asset_id[:90]!r} is not a decimal id")
    prices = fields.strings(raw, "outcomePrices")
    shown = [fields.price({"outcomePrices": item}, "outcomePrices") for item in prices]
    if len(shown) != 2:
        shown = [None, None]
    return tuple(
        GammaOutcome(index, name[:255], asset_id, price)
        for index, (name, asset_id, price) in enumerate(zip(names, ids, shown, strict=True))
    )


def _rule_text(raw: Raw, names: Sequence[str], end_date: datetime | None) -> str:
    """Of the market alone: the listings name its event more or less fully, and that must not look like new rules."""
    texts: dict[str, rules.Text] = {
        "question": _any_text(raw, "question"),
        "description": _any_text(raw, "description"),
        "source": _any_text(raw, "resolutionSource"),
        "group_title": _any_text(raw, "groupItemTitle"),
        "end_date": end_date.isoformat() if end_date else "",
        "outcomes": list(names),
        "neg_risk": fields.flag(raw, "negRisk"),
        "other": fields.flag(raw, "negRiskOther"),
    }
    return rules.rule_text(texts)


def _any_text(raw: Raw, key: str) -> str:
    value = raw.get(key)
    return value.replace("\x00", "") if isinstance(value, str) else ""  # PostgreSQL cannot store NUL
