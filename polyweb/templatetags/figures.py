"""Template filters for figures; the rules live in `polyweb.dashboard.figures`."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from polyweb.dashboard import figures

register = template.Library()
NEVER_BEFORE = datetime(2001, 1, 1, tzinfo=UTC)  # a clock at zero is a moment nobody knows
for _name in ("money", "amount", "shares", "net", "whole", "micros", "age", "short_id", "share_of", "reason"):
    register.filter(_name, getattr(figures, _name))
register.filter("cents", figures.cents)


@register.filter
def since(moment: datetime | None) -> SafeString | str:
    """How long ago, as an element the page keeps counting."""
    if moment is None or moment < NEVER_BEFORE:
        return figures.NOTHING
    seconds = (timezone.now() - moment).total_seconds()
    return _time(moment, "since", figures.age(seconds))


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """A moment, as an element the page rewrites into the viewer's zone."""
    return figures.NOTHING if moment is None else _time(moment, "clock", figures.clock(moment))


@register.filter
def precise(moment: datetime | None) -> SafeString | str:
    """As `clock`, to the millisecond: where several things happen within one second."""
    if moment is None:
        return figures.NOTHING
    text = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"
    return _time(moment, "precise", text)


@register.filter
def until(moment: datetime | None) -> SafeString | str:
    if moment is None:
        return figures.NOTHING
    seconds = (moment - timezone.now()).total_seconds()
    text = f"in {figures.age(seconds)}" if seconds > 0 else f"{figures.age(-seconds)} ago"
    return _time(moment, "until", text)


def _time(moment: datetime, kind: str, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" data-time="{}" title="{}">{}</time>',
        moment.isoformat(), kind, figures.clock(moment), text,
    )  # fmt: skip


@register.filter
def sign(value: Any) -> str:
    """Class name for colour; the sign itself stands in the text."""
    found = figures.number(value)
    if found is None or found == 0:
        return ""
    return "up" if found > 0 else "down"


@register.filter
def spaced(word: Any) -> str:
    """Words for eyes: a code without its underscores."""
    return str(word or "").replace("_", " ")


@register.filter
def millis(value: Any) -> str:
    """A length of time given in milliseconds: exact below a second, as an age above."""
    found = figures.number(value)
    if found is None:
        return figures.NOTHING
    return f"{found:.0f} ms" if found < 1000 else figures.age(float(found) / 1000)


@register.filter
def at(mapping: Any, key: Any) -> Any:
    """`mapping[key]` for keys that only the template knows."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.simple_tag
def distance(book: Any, ours: Any, tick: Any) -> str:
    """How many ticks our quote stands behind the book's best, for a bid or an ask."""
    best, own, step = figures.number(book), figures.number(ours), figures.number(tick)
    if best is None or own is None or not step:
        return ""
    return figures.whole(abs(best - own) / step)
