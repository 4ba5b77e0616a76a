"""`bench NAME`: measure a part of the house on this machine."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from polyweb.benches.bench import BenchError
from polyweb.benches.registry import BENCHES


class Command(BaseCommand):
    help = "Measure a part of the house on this machine. Figures are reported, never asserted."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = parser.add_subparsers(dest="bench", required=True, metavar="NAME")
        for name, bench in BENCHES.items():
            one = names.add_parser(name, help=bench.help, description=bench.help)
            one.add_argument("--json", action="store_true", help="one JSON document on stdout")
            bench.add_arguments(one)

    def handle(self, *_: object, **options: Any) -> None:
        try:
            report = BENCHES[options["bench"]].run(options)
        except BenchError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.figures))
            return
        width = max(len(name) for name, _ in report.table)
        self.stdout.write("\n".join(f"{name:<{width}}  {value}" for name, value in report.table))
