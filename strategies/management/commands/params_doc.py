"""`manage.py params_doc`: docs/parameters.md, written from the parameters' own definitions.

Law: the page says nothing about a parameter that its definition does not; `--check` fails when the two differ.
"""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from strategies.domain.arb_params import ARB_DEFINITIONS
from strategies.domain.definitions import Definition, Group
from strategies.domain.params import DEFINITIONS

PAGE = Path("docs") / "parameters.md"

HEAD = """\
# Parameters

Written by `manage.py params_doc` from `strategies/domain/params.py` and `strategies/domain/arb_params.py`; do not
edit by hand. The loss caps, the order rate and the age of books are not here but in [risk](risk.md).

A value outside its bounds, or with more decimals than its unit has, is refused everywhere (form, admin, API, import,
database) with the field, the bound and the value in the message.

## Spread quoter

It quotes both sides of every market that is switched on, post-only by default, in this order:

1. **Fair value**: the mid or what the book's sizes make of it, moved by takers' flow and by an outside source.
2. **Reservation price**: the fair value, moved against what we hold.
3. **Half spread**: `half_spread`, wider when the market has moved a lot or moved against us after our fills.
4. **Rewards**: where the venue pays for liquidity, quotes are drawn into its band and up to its minimum size when the
   expected reward is worth more than the edge given up.
5. **Least edge, grid, book**: a quote that adds to inventory keeps `min_edge` from the fair value; prices go outwards
   to the market's tick and never cross the book.
6. **Layers and sizes**: tapered near `max_inventory` and near the market's end. Shares that are held are sold before
   the other token is bought, because a sell needs no cash.

Every step that changes a value is told with its value before and after, on the market's page and in the journal.
"""

AFTER_SPREAD = """\
### How they work together

Three scopes are merged: a **market**'s own value wins over its **event**'s, that over the **global** one, and what
all leave empty takes the default above. Emptying a field makes it inherit again. Every change is a revision with
author, reason and time; a running engine takes it up within a second.

The skew in numbers: with `inventory_skew` {skew} and `max_inventory` {most}, holding {half} net YES shares lowers
both quotes by {lean} pUSD. At {most} net shares the bid stops altogether and the ask goes on.

A quote is not moved for less than `min_change_ticks` ticks of its market, not before it is `min_quote_lifetime_ms`
old, not within `replace_window_ms` of the last replacement on its side, and not when `max_cancels_per_minute` are used
up. None of this delays a cancel that risk asks for: a stop, a refusal, a jump, or a book that lost its trust takes
quotes down at once, and so does a new tick that leaves a quote off the grid.

**Fading.** Volatility, trade flow and markouts fade: after the time given half of a value is left, and it goes on
shrinking more slowly from there. Volatility is the root of the squared moves of the mid that are left; markouts are
pUSD lost per share, mixed with one quote of `size` that lost nothing, so that one small fill proves little.

**Rewards.** The venue scores an order by its size times ((v - s) / v)^2, where v is the width of its band and s the
distance from the mid between levels of its minimum size, and pays each maker by the smaller of both sides (or a third
of the larger, where the mid is between 0.10 and 0.90). All others are taken for one maker whose orders are all large
enough, which expects rather too little for us.

**Caps of [risk](risk.md)** cut the side that adds to half its size before they leave only the side that reduces.

## Dutch book

It trades full sets that cost less than they pay: YES and NO of one market, or one side of every market of a complete
neg-risk event. It sells sets that lie in stock when the bids pay more than they are worth. Never Other or a
placeholder, never an augmented event, never a market that holds takers back, is disputed or whose rules
wait for approval. One setting for everything, off until you turn it on.

Routes that merge or convert what was bought, or split what is sold, are taken only where the engine can work on chain;
elsewhere full sets are held to resolution, and what would have to be split is told and left. `chain_edge` at its
highest leaves everything that has to be split first; `conversion_cost` above what a set earns leaves every step on
chain.
"""

AFTER_ARB = """\
| route | pays | what it needs |
|---|---|---|
| sell YES and NO that are held | what the bids pay, for the 1 pUSD a pair is worth | both in stock, settled and free |
| sell every YES that is held | the same, for a set of an event | every YES that is bid for in stock |
| buy YES and NO, merge | 1 pUSD at once | a merge |
| buy YES and NO, hold | 1 pUSD at resolution | `max_lock_days` |
| split, sell YES and NO | what the bids pay, for 1 pUSD | a split first |
| buy every YES, hold | 1 pUSD at resolution; never in V2, where an outcome of its own may win | `max_lock_days` |
| buy every NO, convert | a pUSD for all but one of them | a conversion; in V2 one, and a merge for each other market |
| buy every NO, hold | the same, at resolution | `max_lock_days` |
| split, convert, sell every YES | what the bids pay, for 1 pUSD | a split first |

What needs the chain is told and not traded where nothing can call it: see [work on chain](execution.md#work-on-chain).
Every leg pays by its own market's fee schedule; the edge is what is left after fees, slippage, conversions and the
price of locked capital, each rounded against us.

**One book, two tokens.** YES and NO of a market are one mirrored book, here as at the venue, which matches a bid for
YES with a bid for NO and an offer with an offer. So the four routes through one market (both held and sold, both bought
and merged or held, split and both sold) pay exactly when a bid stands above an offer, and then the venue has traded
both already. A book that shows it is `crossed`: doubted, read again, and refused by the gate (`book_not_verified`)
until it has been. They are looked for, told and counted as gaps, which shows books that went wrong; none of them is
sent. What is traded are routes through an event.

**Split first.** A split takes seconds, and bids may go meanwhile. So sets in stock are sold first; a set that must be
split has to earn `chain_edge` more, is judged by the gate with the worst subset of its sales before its cash leaves,
and is planned again at the bids of then. What no longer pays is merged back or kept, whichever costs less: a V1 event
can be merged only until its NO has been converted, and a whole set that is kept pays at resolution.

**Sold in part.** As with purchases the cheapest way out within `max_loss` is taken: sell the rest at worse prices, buy
back what was sold and have whole sets again, or keep what did not sell within `max_held`.

**Then merge or convert.** What every leg has bought goes to the chain as far as it is whole and settled. A step that
fails, that cannot be asked for, or that is not heard of for `chain_wait_ms` ends the basket with an incident; what it
does later is booked all the same.
"""

TAIL = """\
## Where to change them

| where | what |
|---|---|
| a market's page, Edit | that market, with effective value and its source beside each field |
| admin, Strategy configs | every scope; many markets at once in the list |
| [API](api.md#parameters) | every scope, with revisions |
| `manage.py params export FILE`, `manage.py params import FILE` | everything at once, as one JSON file |

The file names only what is set; values are decimal strings:

```json
{
  "format": 1,
  "global": {"half_spread": "0.02"},
  "events": {"31": {"max_inventory": "100"}},
  "markets": {"0xabc": {"size": "40"}}
}
```

An import makes the scopes it names exactly as it says, all of them or none; scopes it does not name stay. The same
file is what `manage.py replay --params FILE` takes, so a change can be tried on a recording first.
"""


def render() -> str:
    by_name = {item.name: item for item in DEFINITIONS}
    skew, most = by_name["inventory_skew"].default, by_name["max_inventory"].default
    after_spread = AFTER_SPREAD.format(
        skew=_plain(skew), most=_plain(most), half=_plain(most / 2), lean=_plain(skew / 2)
    )
    return "\n".join((HEAD, *_grouped(DEFINITIONS), after_spread, _table(ARB_DEFINITIONS), AFTER_ARB, TAIL))


def _grouped(items: Sequence[Definition]) -> Iterator[str]:
    for group in Group:
        yield f"### {group.value}\n"
        yield _table(item for item in items if item.group is group)


def _table(items: Iterable[Definition]) -> str:
    lines = ["| parameter | unit | bounds | decimals | default | meaning |", "|---|---|---|---|---|---|"]
    for item in items:
        bounds = f"{_plain(item.minimum)} to {_plain(item.maximum)}"
        cells = (f"`{item.name}`", item.unit.value, bounds, str(item.decimals), _plain(item.default), item.help)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


class Command(BaseCommand):
    help = "Write docs/parameters.md from the parameters' definitions. With --check only compare: exit 1 if it differs."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is stale")

    def handle(self, *_: object, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / PAGE
        wanted = render()
        if options["check"]:
            if not page.is_file() or page.read_text(encoding="utf-8") != wanted:
                raise CommandError(f"{PAGE} is stale: run manage.py params_doc")
            self.stdout.write(f"{PAGE} is current")
            return
        try:
            page.write_text(wanted, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{PAGE}: {error.strerror}") from error
        self.stdout.write(f"{PAGE} written")
