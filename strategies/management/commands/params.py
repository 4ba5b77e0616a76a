"""Export or import strategy parameters as JSON."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from markets.selectors import UnknownEvent, UnknownMarket
from strategies import services
from strategies.domain.definitions import ParamError


class Command(BaseCommand):
    help = (
        "Export every value that is set, or make the scopes a file names exactly as it says (all or nothing; scopes "
        "it does not name stay). Prices in pUSD per share, sizes in shares, times in ms."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["export", "import"])
        parser.add_argument("file", type=Path, metavar="FILE", help="JSON; - is standard input or output")
        parser.add_argument("--reason", default="", help="kept with every revision")
        parser.add_argument("--json", action="store_true", help="print what was done as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "export":
            self._export(options["file"], as_json=options["json"])
        else:
            self._import(options["file"], options["reason"], as_json=options["json"])

    def _export(self, path: Path, *, as_json: bool) -> None:
        document = services.export_params()
        text = json.dumps(document, indent=2, ensure_ascii=False)
        if str(path) == "-":
            self.stdout.write(text)
            return
        try:
            path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        counts = {"file": str(path), "events": len(document["events"]), "markets": len(document["markets"])}
        self._say(counts, f"{path}: {counts['markets']} markets, {counts['events']} events", as_json=as_json)

    def _import(self, path: Path, reason: str, *, as_json: bool) -> None:
        document = self._read(path)
        try:
            done = services.import_params(document, author=None, source="cli", reason=reason)
        except (ParamError, UnknownMarket, UnknownEvent) as error:
            raise CommandError(f"{path}: {error}; nothing was changed") from error
        self._say({"file": str(path), "scopes": len(done)}, f"{len(done)} scopes set", as_json=as_json)

    def _read(self, path: Path) -> Any:
        try:
            text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
            return json.loads(text, parse_float=Decimal)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{path}: not JSON: {error}") from error

    def _say(self, summary: dict[str, Any], sentence: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(summary) if as_json else sentence)
