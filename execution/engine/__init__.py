"""The hands of the engine: carry out what the trader decided.

Law: durable before sent, never sent twice, every order answered. No Django in this room.
"""

from execution.engine.chain import ChainHands
from execution.engine.chain_values import ChainPace, Kept
from execution.engine.hands import BATCH, Hands
from execution.engine.values import MustStop, NotSent, Pace, Stages, Tally, Trouble

__all__ = [
    "BATCH",
    "ChainHands",
    "ChainPace",
    "Hands",
    "Kept",
    "MustStop",
    "NotSent",
    "Pace",
    "Stages",
    "Tally",
    "Trouble",
]
