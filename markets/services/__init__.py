"""Writes of the markets app: the change journal, the switches, and metadata from Gamma.

Law: every write is a keyword-only function that runs in one transaction.
"""

from markets.services.clob_terms import Compared, TermsUnavailable, refresh_clob_terms, store_terms
from markets.services.event_tables import EVENT_MODELS, Tended, tend_event_tables
from markets.services.journal import ENGINE_CHANNEL, record_change
from markets.services.metadata import (
    Stored,
    Totals,
    mark_vanished,
    refresh,
    store_documents,
    store_page,
    upsert,
)
from markets.services.recordings import Tidied, tidy_recordings
from markets.services.rules import RulesMoved, allow_other, approve_rules
from markets.services.switches import (
    set_trading,
    set_trading_where,
    set_watched,
    set_watched_where,
    switchable,
)

__all__ = [
    "ENGINE_CHANNEL",
    "EVENT_MODELS",
    "Compared",
    "RulesMoved",
    "Stored",
    "Tended",
    "TermsUnavailable",
    "Tidied",
    "Totals",
    "allow_other",
    "approve_rules",
    "mark_vanished",
    "record_change",
    "refresh",
    "refresh_clob_terms",
    "set_trading",
    "set_trading_where",
    "set_watched",
    "set_watched_where",
    "store_documents",
    "store_page",
    "store_terms",
    "switchable",
    "tend_event_tables",
    "tidy_recordings",
    "upsert",
]
