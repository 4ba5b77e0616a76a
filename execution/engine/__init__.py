"""The hands of the engine: carry out what the trader decided.

Law: durable before sent, never sent twice, every order answered. No Django in this room.
"""

from execution.engine.hands import BATCH, Hands
from execution.engine.values import MustStop, NotSent, Pace, Stages, Tally, Trouble

__all__ = ["BATCH", "Hands", "MustStop", "NotSent", "Pace", "Stages", "Tally", "Trouble"]
