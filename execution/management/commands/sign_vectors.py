"""`manage.py sign_vectors FILE`: recompute a file of order signing vectors with our own signer."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.signing.vectors import NotVectors, VectorReport, check_vectors


class Command(BaseCommand):
    help = (
        "Recompute the order hashes and signatures of FILE (amounts in 1e-6 units, timestamps in ms). "
        "Exits 0 only if none differs; V1 orders are counted as skipped."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, file: Path, as_json: bool, **options: Any) -> None:
        report = _check(file)
        self.stdout.write(json.dumps(report.as_json()) if as_json else _sentences(report))
        if report.mismatches:
            raise SystemExit(1)


def _check(file: Path) -> VectorReport:
    try:
        return check_vectors(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CommandError(f"{file} is not JSON: {error}") from None
    except NotVectors as error:
        raise CommandError(f"{file}: {error}") from None


def _sentences(report: VectorReport) -> str:
    lines = [
        f"{report.vectors} vectors, {report.skipped} skipped (V1): {report.hash_matches} hashes and "
        f"{report.signature_matches} signatures match, {len(report.mismatches)} mismatches"
    ]
    for wrong in report.mismatches:
        lines.append(f"  #{wrong.index} {wrong.field}: expected {wrong.expected}, computed {wrong.computed}")
    return "\n".join(lines)
