"""Decisions for people: what was seen, the steps that moved prices and sizes, and the verdict.

Law: names say their unit: `(x2)` is twice a price, `size` is shares, everything else is a price.
"""

import json
from decimal import Decimal
from typing import Any, NamedTuple

from polyweb.dashboard import figures

Row = dict[str, Any]


class Decision(NamedTuple):
    """A stored trace (`strategies.domain.traces`). `seen` is what stood at anything but nothing, by name."""

    verdict: str
    codes: list[str]
    seen: list[tuple[str, str]]
    steps: list[Row]


def stored(text: str) -> Decision | None:
    """The decision in a row's trace; None where the row holds words of its own, or none."""
    try:
        told = json.loads(text)
        if isinstance(told, list):  # rows of before the inputs were kept
            told = {"steps": told}
        seen = [(name.replace("_size", "").replace("_", " "), _said(name, value)) for name, value in _inputs(told)]
        return Decision(told.get("verdict", ""), told.get("codes", []), seen, trace(told.get("steps")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def trace(steps: Any) -> list[Row]:
    return [_step(step) for step in steps or ()]


def _inputs(told: Row) -> list[tuple[str, Any]]:
    """Levels as one entry each: `bid` and `bid_size` belong together."""
    seen = dict(told.get("seen", {}))
    levels = [(side, (seen.pop(side), seen.pop(f"{side}_size", 0))) for side in ("bid", "ask") if side in seen]
    return [*levels, *seen.items()]


def _said(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return f"{_figure(name, value[0])} x {_figure('size', value[1])}"
    return _figure(name, value)


def _step(step: Row) -> Row:
    name = str(step["name"])
    label = name.replace("(x2)", "").replace("(size)", "").strip()
    return {"name": label, "before": _figure(name, step["before"]), "after": _figure(name, step["after"])}


def _figure(name: str, value: Any) -> str:
    if "size" in name:
        return figures.shares(Decimal(int(value)) / 1_000_000)
    return figures.cents(Decimal(int(value)) / (20_000 if "(x2)" in name else 10_000), 2)
