"""What the arbitrage page shows beside its rows: the settings as lines of a form.

Law: labels, bounds and help come from the definitions; nothing is said twice.
"""

from decimal import Decimal

from strategies import selectors
from strategies.domain.arb_params import SWITCHES
from strategies.services import plain


def settings_lines() -> list[dict[str, object]]:
    """One line of the form per setting."""
    return [
        {
            "name": item.name,
            "label": item.name.replace("_", " "),
            "help": item.help,
            "switch": item.name in SWITCHES,
            "unit": item.unit.value,
            "minimum": plain(item.minimum),
            "maximum": plain(item.maximum),
            "step": plain(Decimal(1).scaleb(-item.decimals)),
            "value": plain(value),
            "on": bool(value),
        }
        for item, value in selectors.arb_lines()
    ]
