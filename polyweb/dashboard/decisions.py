"""Decisions for people: what was seen, the steps that moved prices and sizes, and the verdict.

Law: names say their unit: `(x2)` is twice a price, `size` is shares, everything else is a price. A basket's steps are
pUSD: what its sets become, and what is left of it after each leg.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from polyweb.dashboard import figures

Row = dict[str, Any]


class Decision(NamedTuple):
    """A stored trace (`strategies.domain.traces`, `basket_traces`). `seen` is what stood at anything but nothing, by
    name.
    """

    verdict: str
    codes: list[str]
    seen: list[tuple[str, str]]
    steps: list[Row]


def stored(text: str, questions: Mapping[str, str] | None = None) -> Decision | None:
    """The decision in a row's trace; None where the row holds words of its own, or none. `questions` by condition id
    are how the legs of a basket are called.
    """
    try:
        told = json.loads(text)
        if "legs" in told:
            return _basket(told, questions or {})
        if isinstance(told, list):  # rows of before the inputs were kept
            told = {"steps": told}
        seen = [(name.replace("_size", "").replace("_", " "), _said(name, value)) for name, value in _inputs(told)]
        return Decision(told.get("verdict", ""), told.get("codes", []), seen, trace(told.get("steps")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def markets_in(texts: Iterable[str]) -> set[str]:
    """Condition ids of the legs in these traces."""
    told = (json.loads(text) for text in texts if '"legs"' in text)
    return {leg["condition_id"] for each in told for leg in each["legs"]}


def _basket(told: Row, questions: Mapping[str, str]) -> Decision:
    legs = [(leg, _called(leg, questions)) for leg in told["legs"]]
    seen = [("route", told["route"]), *((name, _offered(leg)) for leg, name in legs)]
    steps = _earned(told, legs) if told.get("worth") else _cost(legs)
    return Decision(told["verdict"], told.get("codes", []), seen, steps)


def _earned(told: Row, legs: list[tuple[Row, str]]) -> list[Row]:
    """From what the sets become to what the plan earns."""
    left = told["worth"]
    sets = f"{_figure('size', told['size'])} sets {'become' if left > 0 else 'cost'}"
    steps = [{"name": sets, "before": "", "after": _cash(left)}]
    for leg, name in legs:
        before, left = left, leg.get("edge", 0)
        steps.append({"name": _wanted(leg, name), "before": _cash(before), "after": _cash(left)})
    if told.get("edge", 0) != left:
        steps.append({"name": "paid once on chain", "before": _cash(left), "after": _cash(told.get("edge", 0))})
    return steps


def _cost(legs: list[tuple[Row, str]]) -> list[Row]:
    return [{"name": _wanted(leg, name), "before": "", "after": _cash(-leg["cost"])} for leg, name in legs]


def _wanted(leg: Row, name: str) -> str:
    filled = f", {_figure('size', leg['filled'])} filled" if leg.get("filled") else ""
    return f"{leg['side']} {_figure('size', leg['size'])} {name} at {_figure('price', leg['price'])}{filled}"


def _called(leg: Row, questions: Mapping[str, str]) -> str:
    return f"{leg['token']} of {questions.get(leg['condition_id'], leg['condition_id'][:12])}"


def _offered(leg: Row) -> str:
    return _said("best", (leg["best"], leg.get("depth", 0))) if leg.get("best") else "nothing on offer"


def _cash(value: int) -> str:
    return figures.money(Decimal(value) / 1_000_000)


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
