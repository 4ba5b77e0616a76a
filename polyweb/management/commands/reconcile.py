"""`reconcile`: compare our books with the venue's, and with themselves, now."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from polyweb.operations import reconciliation
from polyweb.operations.reconciliation import IN_PROCESS, Reconciled


class Command(BaseCommand):
    help = (
        "Compare our open orders with the venue's where it can be read from here, and our rows with each other; sizes"
        " in shares. Reports and changes no order. Exit code 0 only when nothing differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        done = reconciliation.reconcile(relayer=settings.POLYWEB.relayer, source="cli")
        self.stdout.write(json.dumps(_values(done)) if as_json else _text(done))
        if done.report.corrections:
            raise SystemExit(1)


def _values(done: Reconciled) -> dict[str, Any]:
    report = done.report
    return {
        "relayer": report.relayer,
        "result": done.result,
        "available": report.available,
        "reason": done.reason,
        "corrections": report.corrections,
    }


def _text(done: Reconciled) -> str:
    word = "not applicable" if done.report.relayer in IN_PROCESS else "not read"
    lines = [f"venue      {word}: {done.reason}"]
    for row in done.report.corrections:
        lines.append(f"own rows   order {row['client_order_id']} {row['subject']}: {row['kind']} ({row['detail']})")
    if not done.report.corrections:
        lines.append("own rows   no contradiction")
    return "\n".join(lines)
