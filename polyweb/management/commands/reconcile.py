"""`reconcile`: compare our books with the venue's, and with themselves, now."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from execution.models import ReconcileCorrection
from polyweb.operations import reconciliation, takedown
from polyweb.operations.reconciliation import IN_PROCESS, OWN_KINDS, Reconciled


class Command(BaseCommand):
    help = (
        "Compare orders, fills, cash and positions with the venue's, read with the engine's own relayer whether an"
        " engine runs or not, and our rows with each other; sizes in shares, cash in pUSD. What is younger than half a"
        " minute is left to the engine. Changes none of our rows. Exit code 0 only when nothing differs and"
        " the venue, where there is one to read, was read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")
        parser.add_argument(
            "--cancel-foreign", action="store_true", help="cancel orders at the venue that are not ours"
        )

    def handle(self, *_: object, as_json: bool, cancel_foreign: bool, **options: Any) -> None:
        env = takedown.of_running_engine(settings.POLYWEB)
        done = reconciliation.reconcile(env, source="cli", cancel_foreign=cancel_foreign)
        self.stdout.write(json.dumps(_values(done)) if as_json else _text(done))
        if not done.well:
            raise SystemExit(1)


def _values(done: Reconciled) -> dict[str, Any]:
    report = done.report
    return {
        "relayer": report.relayer,
        "result": done.result,
        "available": report.available,
        "reason": done.reason,
        "corrections": [_row(each) for each in done.rows],
    }


def _text(done: Reconciled) -> str:
    own = [row for row in done.rows if row.kind in OWN_KINDS]
    theirs = [row for row in done.rows if row.kind not in OWN_KINDS]
    word = "not applicable" if done.report.relayer in IN_PROCESS else "not read"
    lines = [f"venue      {_line(row)}" for row in theirs]
    if not done.report.available:
        lines.append(f"venue      {word}: {done.reason}")
    elif not theirs:
        lines.append("venue      no difference")
    lines += [f"own rows   {_line(row)}" for row in own] or ["own rows   no contradiction"]
    return "\n".join(lines)


def _row(row: ReconcileCorrection) -> dict[str, Any]:
    return {
        "kind": row.kind, "client_order_id": row.client_order_id, "subject": row.subject, "detail": row.detail
    }  # fmt: skip


def _line(row: ReconcileCorrection) -> str:
    about = f"order {row.client_order_id} " if row.client_order_id else ""
    return f"{about}{row.subject}: {row.kind} ({row.detail})"
