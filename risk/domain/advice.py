"""What an incident means and what to do about it, for whoever has just been woken by one.

Law: every kind that is ever reported has its words here, so that no incident is only a name (tests read the source
for the kinds). Words of a breaker are found by its kind; how it closes is the breaker's own affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from risk.domain.breakers import BreakerKind


@dataclass(frozen=True, slots=True)
class Advice:
    """`means`: what follows from it while it lasts. `do`: what to look at or to do, in the order of doing."""

    means: str
    do: str


_DOWN = "Nothing of ours rests while it is open; positions stay."
_ONE = "Only this market is left alone; the others are quoted."

BREAKERS: Mapping[BreakerKind, Advice] = {
    BreakerKind.STALE_BOOK: Advice(_ONE, "Usually nothing: a fresh snapshot is asked for. See its book on System."),
    BreakerKind.FEED_SILENCE: Advice(
        "Prices may have moved unseen, so the markets of the silent socket are not quoted.",
        "See the feed on System. If it stays silent: another network, or POLYWEB_FEED_REDUNDANCY.",
    ),
    BreakerKind.BROKEN_BOOKS: Advice(
        f"Too many books contradict the venue to trust any. {_DOWN}",
        "See the worst books on System; if they break again, keep the recording and run manage.py verify_recording.",
    ),
    BreakerKind.FAILURES: Advice(
        f"The venue may or may not hold orders whose answers were lost; they count as if they rested. {_DOWN}",
        "See the way to the venue on System. Unknown orders are looked for by themselves; if some stay, run manage.py"
        " reconcile.",
    ),
    BreakerKind.ERROR_RATE: Advice(
        f"Many of our orders are refused or lost. {_DOWN}",
        "Read the newest refusals under Orders: the venue's words name the rule that was broken.",
    ),
    BreakerKind.REJECTS: Advice(
        f"The venue refuses our orders here. {_ONE}",
        "Read this market's newest refusals under Orders: the venue's words name the rule that was broken.",
    ),
    BreakerKind.ACK_LATENCY: Advice(
        f"Cancels would arrive too late to save a quote. {_DOWN}",
        "See the stage latencies on System: if only the relayer's call is slow, the network or the venue is; else this"
        " machine.",
    ),
    BreakerKind.DRIFT: Advice(
        f"What we believe to own is not what the venue says, so caps cannot be kept. {_DOWN}",
        "Run manage.py reconcile, find what moved cash or shares, tell the books with manage.py book, then release it.",
    ),
    BreakerKind.CLOCK_SKEW: Advice(
        f"Signed orders and expiries would carry wrong times. {_DOWN}", "Mend this machine's time service (NTP)."
    ),
    BreakerKind.LOSS: Advice(
        "A limit of what may be lost was reached; what it covers is not quoted until a person wants to go on.",
        "See Risk and the fills that lost it. Go on by releasing it, or set another cap first.",
    ),
    BreakerKind.LOOP_LAG: Advice(
        f"The engine woke late and may quote on old prices. {_DOWN}",
        "Look for load on this machine: other programs, swap, a slow disk.",
    ),
    BreakerKind.DATABASE: Advice(
        f"Orders are written before they are sent, so a slow database slows every one. {_DOWN}",
        "Look at the database's load, its disk, and long queries.",
    ),
    BreakerKind.VENUE: Advice(
        f"The venue takes no orders now. {_DOWN}", "Nothing: it ends by the venue's own word. See its mode on System."
    ),
    BreakerKind.RESOLUTION: Advice(
        f"Its outcome is being decided. {_ONE}", "Read its page; what is held is paid once it has resolved."
    ),
    BreakerKind.RULES: Advice(
        f"It may pay for something else now. {_ONE}", "Read the new rules on its page and approve them, or let it go."
    ),
    BreakerKind.ENGINE_SILENCE: Advice(
        "The engine is gone or stuck: nobody watches what rests. The watchdog cancels it where the venue is real.",
        "Restart the engine and read the last line of its log. Until then manage.py stop cancels by hand.",
    ),
}

_COMPARE = (
    "Run manage.py reconcile. What is explained by itself is booked; tell the books the rest with manage.py book."
)

TROUBLES: Mapping[str, Advice] = {
    "reconciliation": Advice(
        "Our books and the venue's differed, or could not be compared. What lasts trips the breaker drift.", _COMPARE
    ),
    "foreign_orders": Advice(
        "Somebody else trades on this account. Their orders count in no cap and may trade against ours.",
        "Cancel them at the venue, or set POLYWEB_FOREIGN_ORDERS=cancel and restart the engine.",
    ),
    "basket_unbalanced": Advice(
        "Some legs of a set were traded and others were not. What is held counts against the caps like all else.",
        "Buy the missing legs or sell the spare ones by hand; its steps are under Arbitrage. Then close this.",
    ),
    "chain": Advice(
        "A split, merge or conversion did not go as asked. Until its end is known it counts both ways.",
        "See its steps with manage.py chain_jobs. Of one never taken nothing was moved. Close this once it has ended.",
    ),
    "chain_job_left": Advice(
        "An earlier engine asked for it and no basket waits for it. What it does is booked.",
        "When it has ended even out what is left by hand, then close this.",
    ),
    "venue_halt": Advice(
        "The venue refused us in a way that trying again cannot mend. Nothing is placed until the engine is restarted.",
        "Read the venue's words; manage.py preflight says what is wrong. Mend it, restart the engine, close this.",
    ),
    "order_id_mismatch": Advice(
        "The venue knows an order by another id than we computed. Nothing is placed until the engine is restarted.",
        "See at the venue that nothing rests. It may have changed its contracts: do not restart before that is clear.",
    ),
    "account": Advice(
        "The venue does not let this account trade as it did at the start. What it forbids is not sent.",
        "Run manage.py preflight, mend what it names at the venue, then close this.",
    ),
    "cancel_all_failed": Advice(
        "The engine ended and the venue did not confirm that nothing rests. Quotes end by their expiry.",
        "Start the engine again, it cleans up first; else run manage.py stop, which cancels without it.",
    ),
    "orders_under_way": Advice(
        "Orders were on the wire when all were cancelled; they may rest until their expiry.",
        "Start the engine again, it compares first; else run manage.py stop. Close this when none is left.",
    ),
    "journal_unavailable": Advice(
        "The database did not answer, and nothing is sent without its row. Quotes come back with it.",
        "Look at the database's disk and connections. Close this when orders are written again.",
    ),
    "audits_lost": Advice(
        "Requests were made that no audit row tells of; orders and fills are complete.",
        "Look at the database's disk and load, then close this.",
    ),
    "hands_overloaded": Advice(
        "More was decided than could be sent. Orders turned away were never placed, cancels are asked for again.",
        "See the order budget on the overview: fewer markets or larger min_change_ticks. Then close this.",
    ),
    "relayer_failed": Advice(
        "A request to the venue broke in a way nobody foresaw. Its orders are unknown and are looked for.",
        "Keep the log and report it. Close this when no order is unknown any more.",
    ),
    "hash_recipe": Advice(
        "The venue computes its book hashes otherwise than we do. Books are checked by everything else.",
        "Watch for resyncs on System; look for a newer version of this program. It closes when hashes come out again.",
    ),
    "recording": Advice(
        "Something of this run is not recorded and will not replay. Trading goes on.",
        "Look at the free space of var/recordings, then close this.",
    ),
    "rules_changed": Advice(
        f"It may pay for something else now. {_ONE}", "Read the new rules on its page and approve them, or let it go."
    ),
}

SELF_CLOSING = frozenset({"breaker", "engine_silence", "hash_recipe", "rules_changed", "foreign_orders"})

_WORDS: Mapping[str, Advice] = {**TROUBLES, **{kind.value: words for kind, words in BREAKERS.items()}}


def of(kind: str, key: str) -> Advice | None:
    """The words for an incident; None for one that only an older or a newer version knew."""
    words = key.split()
    name = words[1] if kind == "breaker" and len(words) > 1 else kind
    return _WORDS.get(name)
