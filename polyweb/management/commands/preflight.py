"""`preflight`: may this installation trade?"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from polyweb.operations import preflight
from polyweb.operations.preflight import Row, Verdict

SIGNS = {Verdict.OK: "ok  ", Verdict.FAIL: "FAIL", Verdict.SKIPPED: "--  "}


class Command(BaseCommand):
    help = (
        "Check everything that must be true before trading: settings, database, broker, channel layer, disk, market"
        " feed, metadata, clock (s), key. Exit code 0 when nothing failed, 1 otherwise; at most half a minute."
    )
    requires_system_checks = []  # they are the first rows of the answer

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        rows = preflight.run(settings.POLYWEB)
        good = preflight.passed(rows)
        if as_json:
            self.stdout.write(json.dumps({"ok": good, "checks": [asdict(row) for row in rows]}))
        else:
            self.stdout.write("\n".join(_line(row) for row in rows))
            failed = sum(row.verdict is Verdict.FAIL for row in rows)
            self.stdout.write("ready to trade" if good else f"NOT ready: {failed} failed")
        if not good:
            raise SystemExit(1)


def _line(row: Row) -> str:
    line = f"{SIGNS[row.verdict]} {row.check:<22} {row.detail}"
    return f"{line}\n{'':28}{row.hint}" if row.hint else line
