"""House rules that the import contracts cannot see, read from the source itself."""

import ast
import configparser
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("markets", "strategies", "risk", "execution", "polyweb")

# The only places that may catch everything: each is a boundary, and re-raises, stops or reports something.
BOUNDARIES = {
    "polyweb/runtime/bootstrap.py": "an engine that could not be built lets its lease go and raises what stopped it",
    "markets/feed/messages.py": "what its reader raised in the loop's reading is raised in the task that waits for it",
    "execution/engine/hands.py": "whatever a relayer raised, its orders become Unknown and it is told",
}

# Floats may estimate and may stand in reports, they never account.
FLOATS_ALLOWED = {
    "markets/domain/verification.py": "the span of a recording in seconds, for the report",
}

# Functions of libm differ in the last bit between machines, and a digest would show it. These do not.
EXACT_MATH = {"sqrt", "isqrt", "floor", "ceil", "gcd", "lcm", "prod", "comb", "trunc", "inf", "isfinite"}

CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"}

LOOP_ROOMS = (
    "markets.feed",
    "markets.gamma",
    "execution.relayers",
    "execution.signing",
    "execution.user_feed",
    "execution.journal",
    "execution.engine",
    "execution.sandbox",
    "polyweb.runtime.loop",
)


def modules() -> list[Path]:
    return sorted(path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)


def pure_modules() -> list[Path]:
    trader = ROOT / "polyweb" / "runtime" / "trader.py"
    return [path for path in modules() if "domain" in path.parts or path == trader]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def project_files() -> list[Path]:
    """What a clone holds: git's list, else every file outside the ignored folders."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        skipped = {".git", ".venv", "var", "static-root", "__pycache__"}
        return [p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.parts)]
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def broad_handlers(path: Path) -> list[int]:
    broad = {"Exception", "BaseException"}
    found = []
    for node in nodes(path):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {item.id for item in caught if isinstance(item, ast.Name)}
            if node.type is None or names & broad:
                found.append(node.lineno)
    return found


def test_everything_is_caught_only_at_the_listed_boundaries() -> None:
    found = {name_of(path): lines for path in modules() if (lines := broad_handlers(path))}
    assert {name: lines for name, lines in found.items() if name not in BOUNDARIES} == {}


def test_every_listed_boundary_still_exists() -> None:
    assert [name for name in BOUNDARIES if not broad_handlers(ROOT / name)] == []


def test_pure_rooms_ask_no_clock() -> None:
    asked = [
        f"{name_of(path)}:{node.lineno}"
        for path in pure_modules()
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
        if isinstance(node.func.value, ast.Name | ast.Attribute)
        and ast.unparse(node.func.value).split(".")[-1] in ("datetime", "date", "time", "timezone")
    ]
    assert asked == []


def test_no_await_stands_in_a_pure_room() -> None:
    awaiting = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    found = [name_of(path) for path in pure_modules() for node in nodes(path) if isinstance(node, awaiting)]
    assert found == []


def test_no_float_accounts_for_money() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in pure_modules()
        if name_of(path) not in FLOATS_ALLOWED
        for node in nodes(path)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert found == []


def test_decisions_use_exact_mathematics_only() -> None:
    found = [
        f"{name_of(path)}:{node.lineno} math.{node.attr}"
        for path in pure_modules()
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math"
        if node.attr not in EXACT_MATH
    ]
    imported = [
        f"{name_of(path)}:{node.lineno} {alias.name}"
        for path in pure_modules()
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.module == "math"
        for alias in node.names
        if alias.name not in EXACT_MATH
    ]
    assert found + imported == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name_of(path)
        for path in modules()
        if (text := path.read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    homes = re.compile(rb"(?<![\w.])/(?:" + b"|".join([b"home", b"root", b"Users", b"work"]) + rb")/[\w.-]+")
    texts = {p for p in project_files() if p.suffix not in (".png", ".gz", ".ico", ".woff2", ".jsonl")}
    found = {name_of(path): hit.group() for path in texts if (hit := homes.search(path.read_bytes()))}
    assert found == {}


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("room", LOOP_ROOMS)
def test_every_room_of_the_loop_is_under_contract(room: str) -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    listed = contracts["importlinter:contract:loop"]["source_modules"].split()
    place = ROOT / Path(*room.split("."))
    exists = place.with_suffix(".py").exists() or (place / "__init__.py").exists()
    assert (room in listed) == exists


def test_every_app_is_under_the_room_contract() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    containers = contracts["importlinter:contract:rooms"]["containers"].split()
    assert sorted(containers) == sorted(app for app in APPS if app != "polyweb")
