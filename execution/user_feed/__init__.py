"""The user channel: what happens to our orders and trades, as outcomes.

Law: nothing is trusted after a connection began until orders and trades have been read again, for the channel does not
repeat what was missed. No Django in this room.
"""

from execution.user_feed.catch_up import AccountReads, CatchUp, CaughtUp
from execution.user_feed.client import Trust, UserFeed, UserFeedState

__all__ = ["AccountReads", "CatchUp", "CaughtUp", "Trust", "UserFeed", "UserFeedState"]
