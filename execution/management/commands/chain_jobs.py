"""`manage.py chain_jobs`: splits, merges and conversions, and where each of them is."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution import chain_store
from execution.management.tables import table
from execution.models import ChainJob


class Command(BaseCommand):
    help = (
        "List splits, merges and conversions, newest first: amounts in shares, times in UTC. With --open, those that"
        " have not ended; with --plan, those of one basket and every step of theirs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--open", action="store_true", dest="only_open", help="only those that have not ended")
        parser.add_argument("--plan", metavar="P", help="plan id")
        parser.add_argument("--limit", type=int, default=50, help="at most so many; default 50")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, only_open: bool, plan: str | None, limit: int, as_json: bool, **options: Any) -> None:
        if limit < 1:
            raise CommandError(f"--limit: {limit} is not at least 1")
        wanted: dict[str, Any] = {"ended_at": None} if only_open else {}
        if plan is not None:
            wanted["plan_id"] = plan
        rows = list(chain_store.jobs(**wanted)[:limit])
        if as_json:
            self.stdout.write(json.dumps([_document(row) for row in rows]))
        elif not rows:
            self.stdout.write("Nothing was split, merged or converted.")
        else:
            self.stdout.write(_listed(rows))
            if plan is not None:
                self.stdout.write("\n".join(line for row in rows for line in _steps(row)))


def _document(row: ChainJob) -> dict[str, Any]:
    return {
        "job_id": row.job_id,
        "plan": row.plan_id,
        "step": row.step,
        "verb": row.verb,
        "event_id": row.event_id,
        "condition_ids": row.condition_ids,
        "amount": str(row.amount),
        "state": row.state,
        "relayer": row.relayer,
        "dry_run": row.dry_run,
        "transaction_id": row.transaction_id,
        "transaction_hash": row.transaction_hash,
        "attempts": row.attempts,
        "detail": row.detail,
        "decided_at": row.decided_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "events": [
            {"at": each.at.isoformat(), "before": each.before, "after": each.after, "detail": each.detail}
            for each in row.events.order_by("at", "pk")
        ],
    }


def _listed(rows: list[ChainJob]) -> str:
    head = ("decided (UTC)", "verb", "shares", "markets", "state", "sent", "job", "detail")
    lines = [
        (
            f"{row.decided_at:%m-%d %H:%M:%S}",
            row.verb,
            f"{row.amount.normalize():f}",
            str(len(row.condition_ids)),
            row.state,
            str(row.attempts),
            row.job_id,
            row.detail[:80],
        )
        for row in rows
    ]
    return table(head, lines)


def _steps(row: ChainJob) -> list[str]:
    told = [
        f"  {each.at:%m-%d %H:%M:%S}  {each.before or '-'} -> {each.after}  {each.detail}".rstrip()
        for each in row.events.order_by("at", "pk")
    ]
    return [f"{row.job_id}: {row.why}".rstrip(": "), *told]
