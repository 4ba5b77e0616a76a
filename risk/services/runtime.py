"""What the engine must not forget, as rows: one per market and one for everything.

Law: overwritten as a whole; nobody but the engine reads meaning into it.
"""

from collections.abc import Mapping
from datetime import datetime

from markets.services.rewriting import rewrite
from risk.models import RuntimeState


def keep_memories(memories: Mapping[str, str], *, at: datetime) -> None:
    """By condition id, and by the empty string what is about everything."""
    rows = [{"target": target, "state": state, "at": at} for target, state in sorted(memories.items())]
    rewrite(RuntimeState, rows, key=("target",))
