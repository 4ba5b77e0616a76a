"""Changed rules of a market, as an operator must read them: what was approved beside what is in force now.

Law: the older text is the one that was last approved, not the last one seen: three small changes are one large one.
"""

import difflib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markets import selectors
from markets.models import Change, Market, RuleRevision

APPROVED = "rules_approved"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words: kind is same, gone or new."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One named text that changed. `pieces` is both texts in one."""

    name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """`differences` is None when the text that was approved is not kept: then `present` is all there is to read."""

    rule_hash: str
    changed_at: datetime | None
    differences: tuple[Difference, ...] | None
    present: tuple[tuple[str, str], ...]


def review(market: Market) -> Review | None:
    """None while nothing waits for approval."""
    if not market.rules_pending:
        return None
    revisions = list(selectors.rule_revisions(market))
    newest = revisions[0] if revisions else None
    present = _texts(newest)
    return Review(
        rule_hash=newest.rule_hash if newest is not None else market.rule_hash,
        changed_at=newest.at if newest is not None else None,
        differences=_differences(_approved(market, revisions), present),
        present=tuple(sorted(present.items())),
    )


def _approved(market: Market, revisions: list[RuleRevision]) -> RuleRevision | None:
    """The text that was approved last, or the one before the first change when nobody ever approved any."""
    last = Change.objects.filter(action=APPROVED, subject=market.condition_id).order_by("-pk").first()
    if last is not None:
        wanted = (last.after or {}).get("rule_hash")
    else:
        wanted = next((row.previous for row in reversed(revisions) if row.previous), None)
    return next((row for row in revisions if row.rule_hash == wanted), None)


def _texts(row: RuleRevision | None) -> dict[str, str]:
    return {} if row is None else {name.replace("_", " "): _text(value) for name, value in row.text.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _differences(before: RuleRevision | None, present: dict[str, str]) -> tuple[Difference, ...] | None:
    if before is None:
        return None
    old = _texts(before)
    names = sorted(name for name in {*old, *present} if old.get(name) != present.get(name))
    return tuple(Difference(name, compared(old.get(name, ""), present.get(name, ""))) for name in names)


def compared(old: str, new: str) -> tuple[Piece, ...]:
    """Word by word: what stayed, what went, what came."""
    before, after = re.split(r"(\s+)", old), re.split(r"(\s+)", new)
    pieces: list[Piece] = []
    for kind, low, high, first, last in difflib.SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(before[low:high])))
            continue
        for word, text in (("gone", "".join(before[low:high])), ("new", "".join(after[first:last]))):
            if text:
                pieces.append(Piece(word, text))
    return tuple(pieces)
