"""Gamma metadata: JSON into frozen values, from a saved file or from the live service.

Law: no Django here; absent and null are tolerated, what is wrong raises `GammaError` naming the field.
"""

from markets.gamma.crawl import CrawlFailed, Page, crawl
from markets.gamma.files import UnreadableFile, read_documents
from markets.gamma.items import Collected, collect
from markets.gamma.parse import parse_event, parse_market
from markets.gamma.values import GammaError, GammaEvent, GammaMarket, GammaOutcome, NotBinary

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
    "crawl",
    "parse_event",
    "parse_market",
    "read_documents",
]
