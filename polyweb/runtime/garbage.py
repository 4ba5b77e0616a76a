"""What the garbage collector may do to an engine that has started.

Law: nearly everything an engine drops goes at once, because values hold no cycles; the collector looks for the few that
do, seldom, and never again at what start-up built.
"""

import gc

# Python looks after every 700 values that stay. An engine of a thousand markets keeps ten thousand for a second or two,
# views on their way to their rows, frames and requests; they were looked through forty times a second, for one or two
# milliseconds each. What stays for good is hundreds of values a second at most, so it comes to this every few minutes.
YOUNG = 50_000
MIDDLE = 1  # what has stayed once is looked through once more while it is few
OLD = 20


def settle() -> None:
    """To be called when an engine has started: what there is stays for good, what comes is collected seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
