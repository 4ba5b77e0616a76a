"""What the engine must not forget, as rows: one per market and one for everything.

Law: overwritten as a whole; nobody but the engine reads meaning into it.
"""

from collections.abc import Mapping
from datetime import datetime

from risk.models import RuntimeState


def keep_memories(memories: Mapping[str, str], *, at: datetime) -> None:
    """By condition id, and by the empty string what is about everything."""
    rows = [RuntimeState(target=target, state=state, at=at) for target, state in sorted(memories.items())]
    RuntimeState.objects.bulk_create(
        rows, batch_size=500, update_conflicts=True, unique_fields=["target"], update_fields=["state", "at"]
    )
