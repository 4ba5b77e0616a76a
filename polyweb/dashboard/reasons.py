"""Why markets are not quoted, in a few words each: what the filter chips of the market list count.

Law: a sentence about one market (with its figures) and the same sentence about another are one reason. The engine's
codes say which where it gives them; else the beginning of the sentence does.
"""

from collections import Counter

from execution.models import MarketState
from risk.domain.breakers import BreakerKind

# The first that fits names the reason.
BEGINNINGS: tuple[tuple[str, str], ...] = (
    ("off by operator", "off by operator"),
    ("stopped", "stopped"),
    ("rules changed", "rules changed"),
    ("the venue no longer lists", "not listed any more"),
    ("catch-all", "catch-all outcome"),
    ("resolution", "being resolved"),
    ("Gamma and the CLOB", "terms disagree"),
    ("fee schedule", "fees unknown"),
    ("market not accepting", "not accepting orders"),
    ("reducing only", "reducing only"),
    *((f"{kind.value.replace('_', ' ')} breaker", f"{kind.value.replace('_', ' ')} breaker") for kind in BreakerKind),
    ("book one-sided", "book one-sided"),
    ("book is", "book stale"),
    ("book", "book in doubt"),
    ("waiting for a book", "no book yet"),
    ("pulled back", "jump or sweep"),
    ("game", "game near or in play"),
    ("quotes too far", "quotes too far"),
    ("quotes below", "notional too small"),
    ("only one side", "one side only"),
    ("inventory", "inventory full"),
    ("size", "size too small"),
    ("no price", "no price on the grid"),
    ("market", "market cap"),
    ("event", "event cap"),
    ("everything", "total cap"),
    ("total", "total cap"),
    ("protocol version", "version unknown"),
)
LONGEST = 24


def short(reason: str, codes: object = None) -> str:
    """A few words for a sentence; the engine's own codes, where it gives them, are words already."""
    if isinstance(codes, list) and codes and not reason.startswith("reducing only"):
        return str(codes[0]).replace("_", " ")
    for beginning, word in BEGINNINGS:
        if reason.startswith(beginning):
            return word
    head = reason.partition(":")[0]
    return head if len(head) <= LONGEST else f"{head[: LONGEST - 1]}…"


def _idle() -> list[tuple[int, str]]:
    rows = MarketState.objects.filter(market__trading=True, market__closed=False).exclude(state="quoting")
    named = rows.exclude(reason="").values_list("market_id", "reason", "view__codes")
    return [(market, short(reason, codes)) for market, reason, codes in named]


def counts() -> list[tuple[str, int]]:
    """Reasons of the markets that trade and are not quoted, the most frequent first."""
    found = Counter(word for _, word in _idle())
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def markets_with(word: str) -> list[int]:
    """Keys of the markets not quoted for this reason."""
    return [market for market, each in _idle() if each == word]
