"""A replay's profit as plain JSON values: by where it came from, by market, and what fills were worth later.

Law: money in pUSD as decimal text, sizes in shares; the parts of a line add up to its total.
"""

from functools import reduce

from markets.domain.units import Cash, cash_to_decimal, size_to_decimal
from polyweb.runtime.attribution import HORIZONS_S, NOTHING, Account, Attribution, Markout, Split
from polyweb.runtime.views import Json

HALVES = 20_000  # of 1e-6 pUSD, in which markouts are summed


def told_profit(accounts: Attribution) -> Json:
    """`profit` of everything, `markouts` of everything, and both by `markets`."""
    splits = accounts.splits()
    whole = reduce(Split.__add__, splits.values(), NOTHING)
    all_markouts = {horizon: Markout() for horizon in HORIZONS_S}
    for account in accounts.accounts.values():
        for horizon, markout in account.markouts.items():
            added = all_markouts[horizon]
            added.fills += markout.fills
            added.size += markout.size
            added.value += markout.value
    return {
        "profit": told_split(whole),
        "markouts": _told_markouts(all_markouts),
        "markets": {key: _told_account(accounts.accounts[key], split) for key, split in splits.items()},
    }


def told_split(split: Split) -> dict[str, str]:
    """spread + inventory - fees + rounding = total; total + rebates + rewards = with_incentives."""
    return {
        "spread": pusd(split.spread),
        "inventory": pusd(split.inventory),
        "fees": pusd(split.fees),
        "rounding": pusd(split.rounding),
        "total": pusd(split.total),
        "rebates": pusd(split.rebates),
        "rewards": pusd(split.rewards),
        "with_incentives": pusd(split.with_incentives),
    }


def _told_account(account: Account, split: Split) -> Json:
    return {
        "question": account.market.question,
        "fills": account.fills,
        "net": f"{size_to_decimal(account.net).normalize():f}",
        **told_split(split),
        "markouts": _told_markouts(account.markouts),
    }


def _told_markouts(markouts: dict[int, Markout]) -> Json:
    """By seconds after the fill; fills that the recording's end left uncompared are not in `fills`."""
    return {str(horizon): _told_markout(markout) for horizon, markout in markouts.items()}


def _told_markout(markout: Markout) -> Json:
    value = markout.value // HALVES if markout.value > 0 else -(-markout.value // HALVES)
    per_share = None if not markout.size else f"{markout.value / (HALVES * markout.size):.4f}"
    return {"fills": markout.fills, "pusd": pusd(value), "pusd_per_share": per_share}


def pusd(cash: Cash) -> str:
    return f"{cash_to_decimal(cash):.6f}"
