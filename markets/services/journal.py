"""The journal of changes and the counter the engine polls.

Law: whatever alters what the engine must do is one transaction that also leaves a `Change` and a higher
`ChangeCounter`.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from markets.models import Change, ChangeCounter

log = logging.getLogger(__name__)

ENGINE_CHANNEL = "engine-control"
NUDGE_TIMEOUT_S = 1.0

Json = Mapping[str, Any]


def record_change(
    *,
    author: User | None,
    source: str,
    action: str,
    subject: str,
    before: Json | None = None,
    after: Json | None = None,
    reason: str = "",
) -> int:
    """Write down one change in the caller's transaction and return the counter's new value."""
    with transaction.atomic():
        Change.objects.create(
            author=author,
            source=source,
            action=action,
            subject=subject[:255],
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
            reason=reason[:500],
        )
        version = _bump()
        transaction.on_commit(lambda: _nudge(version))
    return version


def _bump() -> int:
    if not ChangeCounter.objects.filter(id=1).update(value=F("value") + 1):
        ChangeCounter.objects.create(id=1, value=1)
    return ChangeCounter.objects.values_list("value", flat=True).get(id=1)


def _nudge(version: int) -> None:
    """Tell the engine at once. It polls the counter anyway, so a broken layer costs half a second."""
    layer = get_channel_layer()
    if layer is None:
        return
    message = {"type": "control.nudge", "version": version}

    async def send() -> None:
        await asyncio.wait_for(layer.send(ENGINE_CHANNEL, message), NUDGE_TIMEOUT_S)

    try:
        async_to_sync(send)()
    except (OSError, TimeoutError, ChannelFull, *_of_redis()) as error:
        log.warning("control_nudge_failed", extra={"version": version, "error": repr(error)})


def _of_redis() -> tuple[type[Exception], ...]:
    """Asked for when something went wrong: Redis takes long to import, and whoever nudges may be in a hurry."""
    from redis.exceptions import RedisError

    return (RedisError,)
