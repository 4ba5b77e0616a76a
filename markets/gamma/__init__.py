"""Gamma metadata: JSON into frozen values, from a saved file or from the live service.

Law: no Django here; absent and null are tolerated, what is wrong raises `GammaError` naming the field. The live
walk (`markets.gamma.crawl`) is not imported here: the venue's client costs a second that only a walk should pay.
"""

from markets.gamma.files import UnreadableFile, read_documents
from markets.gamma.items import Collected, collect
from markets.gamma.parse import parse_event, parse_market
from markets.gamma.values import (
    CrawlFailed,
    GammaError,
    GammaEvent,
    GammaMarket,
    GammaOutcome,
    NotBinary,
    Page,
)

__all__ = [
    "Collected",
    "CrawlFailed",
    "GammaError",
    "GammaEvent",
    "GammaMarket",
    "GammaOutcome",
    "NotBinary",
    "Page",
    "UnreadableFile",
    "collect",
    "parse_event",
    "parse_market",
    "read_documents",
]
