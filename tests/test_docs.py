"""The pages for people keep their word: links lead somewhere, commands and variables exist, tables are current."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands
from django.urls import Resolver404, resolve

from markets.domain.units import CASH_ONE
from polyweb import replays
from polyweb.devtools import configuration_doc
from polyweb.env import PREFIX, RUNNER_VARIABLES, Env
from polyweb.runtime import views
from risk.domain import caps
from risk.domain.advice import BREAKERS
from risk.domain.breakers import RESETS
from risk.domain.gate import RefusalCode
from risk.domain.stops import StopLevel
from risk.domain.thresholds import DEFINITIONS

ROOT = Path(__file__).resolve().parents[1]
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]
OURS = ("markets", "strategies", "risk", "execution", "polyweb")
# Read by ./run's browser tests and by docker/compose.yaml; the processes themselves never see them.
OUTSIDE = {"POLYWEB_TEST_CHROMIUM", "POLYWEB_PORT"}

LINK = re.compile(r"\]\(([^)\s]+)\)|src(?:set)?=\"([^\"]+)\"")
COMMAND = re.compile(r"\bmanage(?:\.py)? ([a-z][a-z_]+)")
ENTRY = re.compile(r"(?:`|^ {4})\./run ([a-z]+)", re.MULTILINE)
VARIABLE = re.compile(r"\bPOLYWEB_[A-Z_]+[A-Z]\b")
ADDRESS = re.compile(r"/api/v1/[\w./<>-]*")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """The ids a renderer gives to headings."""
    heads = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def named(pattern: re.Pattern[str], document: Path) -> set[str]:
    return set(pattern.findall(text_of(document)))


documents = pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)


@documents
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in map("".join, LINK.findall(text_of(document))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@documents
def test_every_command_named_exists(document: Path) -> None:
    assert named(COMMAND, document) - set(get_commands()) == set()


@documents
def test_every_word_after_run_is_one_it_knows(document: Path) -> None:
    known = set(re.findall(r"^    ([a-z]+)\)", text_of(ROOT / "run"), re.MULTILINE)) | {"lock"}
    assert named(ENTRY, document) - known == set()


@documents
def test_every_variable_named_exists(document: Path) -> None:
    known = {PREFIX + name.upper() for name in Env.model_fields if name != "profile"} | RUNNER_VARIABLES | OUTSIDE
    assert named(VARIABLE, document) - known == set()


@documents
def test_every_address_of_the_api_exists(document: Path) -> None:
    unknown = []
    for address in named(ADDRESS, document) - {"/api/v1/"}:
        try:
            resolve(re.sub(r"<[^>]*>", "1", address))
        except Resolver404:
            unknown.append(address)
    assert unknown == []


def test_every_command_of_ours_is_in_the_operators_guide() -> None:
    ours = {name for name, app in get_commands().items() if str(app) in OURS}
    assert ours - named(COMMAND, ROOT / "docs" / "operators.md") == set()


def test_the_parameters_page_is_current() -> None:
    call_command("params_doc", "--check")


def test_the_configuration_page_is_current() -> None:
    assert text_of(configuration_doc.PAGE) == configuration_doc.render()


def test_the_risk_page_names_the_default_caps() -> None:
    page = text_of(ROOT / "docs" / "risk.md")
    assert [row for cap in caps.DEFINITIONS if (row := cap_row(cap)) not in page] == []


def cap_row(cap: caps.Cap) -> str:
    """A line of the page's table: a figure, "-" where the wider level holds, nothing where there is no such cap."""
    told = ["-" if figure is None else f"{figure:f}" for figure in cap.defaults.values()]
    cells = dict(zip(cap.defaults, told, strict=True))
    return f"| `{cap.kind}` | {cap.unit} | " + " | ".join(cells.get(level, "") for level in caps.Level) + " |"


def test_the_risk_page_names_every_refusal_and_stop_level() -> None:
    page = text_of(ROOT / "docs" / "risk.md")
    words = [code.value for code in RefusalCode] + [level.name.lower() for level in StopLevel if level]
    assert [word for word in words if f"`{word}`" not in page] == []


def test_the_risk_page_names_every_breaker_with_its_rule_and_every_threshold_with_its_bounds() -> None:
    page = text_of(ROOT / "docs" / "risk.md")
    rows = [re.compile(rf"\| `{kind.value}` \|.*\| {reset.value} \|") for kind, reset in RESETS.items()]
    assert [row.pattern for row in rows if not row.search(page)] == []
    terms = [
        f"| `{each.name}` | {each.default} {each.unit} | {each.minimum}..{each.maximum} | {each.help} |"
        for each in DEFINITIONS
    ]
    assert [row for row in terms if row not in page] == []


def test_the_runbook_has_the_words_of_the_incidents_page_for_every_breaker() -> None:
    page = text_of(ROOT / "docs" / "operators.md")
    assert [kind.value for kind, words in BREAKERS.items() if f"| `{kind.value}` | {words.do} |" not in page] == []


def keys_of(value: object) -> set[str]:
    """Every key of a JSON value, however deep; keys that are data of their own (ids) do not occur in views."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(item) for item in value.values()))
    return set().union(*(keys_of(item) for item in value)) if isinstance(value, list | tuple) else set()


def test_the_architecture_page_names_everything_the_engine_publishes() -> None:
    recording = ROOT / "tests" / "data" / "quiet_4_markets.jsonl.gz"
    metadata = recording.with_name(recording.name + ".metadata.json")
    request = replays.Request(recording, CASH_ONE * 1_000, metadata=metadata)
    rehearsal, _ = replays.play(request, replays.markets_of(request))
    trader = rehearsal.trader
    published = [views.market_view(trader, market, rehearsal.last_ns) for market in trader.books.markets]
    rows = [views.row(trader, market) for market in trader.books.markets]
    keys = keys_of([*published, *rows, views.summary(trader, rehearsal.last_ns)])
    section = (
        text_of(ROOT / "docs" / "architecture.md").partition("## What the engine publishes")[2].partition("\n## ")[0]
    )
    assert keys - set(re.findall(r"\w+", section)) == set()
