"""What a market's texts say: the hash of its rules, and names that are no outcome of their own.

Law: the hash covers everything that decides a resolution and nothing that trading moves; only line endings
and trailing spaces are normalised.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from markets.domain.market import Generation, Market

Text: TypeAlias = str | bool | Sequence[str]

# "Person A", "Candidate AB", "Team 12": slots of an augmented event, named later, which narrows Other.
PLACEHOLDER = re.compile(
    r"(?:person|individual|candidate|player|team|company|country|party|option|outcome|movie|film|artist|"
    r"nominee|club|driver|entity|song|show|model|other)\s+(?:[a-z]{1,2}|\d{1,3})",
    re.IGNORECASE,
)
OTHER = re.compile(
    r"(?:any\s+)?others?(?:\s*\(.*\))?|someone else|somebody else|anyone else|field|the field|"
    r"none of (?:the above|these)",
    re.IGNORECASE,
)


def is_catch_all(group_title: str, *, augmented: bool) -> bool:
    """True for "Other" anywhere, and for an unnamed slot of an augmented event."""
    title = group_title.strip()
    if OTHER.fullmatch(title):
        return True
    return augmented and bool(PLACEHOLDER.fullmatch(title))


# Resolution words under which the outcome is still open. Any other one, also one we have never seen, says that
# somebody has proposed, disputed or settled it: whoever trades then knows more than we do.
UNDECIDED = frozenset({"", "active", "inactive", "initialized"})


def tradable(market: Market) -> tuple[bool, str]:
    """Whether real orders may go to this market, and the code of what stands against it."""
    if market.generation is Generation.UNKNOWN:
        return False, "unknown_generation"
    if market.blocked:
        return False, "blocked"
    if not market.accepting_orders:
        return False, "not_accepting_orders"
    if market.other:
        return False, "other_outcome"
    if not market.yes or not market.no:
        return False, "tokens_unknown"
    return True, ""


def rule_text(texts: Mapping[str, Text]) -> str:
    """Canonical JSON of the named texts: what a revision keeps, and what is hashed."""
    clean = {name: _clean(value) for name, value in texts.items()}
    return json.dumps(clean, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def rule_hash(texts: Mapping[str, Text]) -> str:
    """SHA-256 over the canonical JSON."""
    return hash_of(rule_text(texts))


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _clean(value: Text) -> Text:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        lines = value.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return "\n".join(line.rstrip() for line in lines).strip()
    return [str(_clean(item)) for item in value]
