"""`allowances`: what the wallet must have approved to trade."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from execution.domain import allowances
from polyweb.operations import approvals, takedown


class Command(BaseCommand):
    help = (
        "Report the approvals that trading needs and what the wallet has given, in pUSD; nothing is ever sent. Exit"
        " code 1 when an approval is known to be missing or too low, or when a real wallet could not be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        env = takedown.of_running_engine(settings.POLYWEB)
        done = approvals.report_allowances(env, needed=env.paper_cash)
        report = done.report
        if as_json:
            values = {"relayer": env.relayer, "wallet": report.wallet, "available": report.available}
            figures = {"reason": done.reason, "missing": report.missing, "rows": report.rows}
            self.stdout.write(json.dumps({**values, **figures}))
        else:
            head = f"wallet {report.wallet}" if report.available else f"not read: {done.reason}\na wallet would need"
            lines = [f"  {allowances.describe(row)}" for row in done.rows]
            self.stdout.write("\n".join([f"{head}:", *lines]))
        if not done.well:
            raise SystemExit(1)
