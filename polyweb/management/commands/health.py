"""`health`: the checks of /health/ready from the shell."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from polyweb.health import readiness


class Command(BaseCommand):
    help = (
        "Say whether database, migrations and the engine's heartbeat (ages in seconds) are well: the same checks as"
        " /health/ready. Exit code 0 only when all of them are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        findings = readiness()
        good = all(finding.ok for finding in findings.values())
        word = "ready" if good else "not ready"
        if as_json:
            checks = {name: {"ok": finding.ok, "detail": finding.detail} for name, finding in findings.items()}
            self.stdout.write(json.dumps({"status": word, "checks": checks}))
        else:
            for name, finding in findings.items():
                self.stdout.write(f"{'ok  ' if finding.ok else 'FAIL'} {name:<12} {finding.detail}")
            self.stdout.write(word)
        if not good:
            raise SystemExit(1)
