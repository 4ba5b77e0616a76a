"""`metrics`: the running engine's Prometheus text."""

import json
from argparse import ArgumentParser
from http.client import HTTPConnection, HTTPException
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from prometheus_client.parser import text_string_to_metric_families

from polyweb.env import Env, Profile

TIMEOUT_S = 5.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Command(BaseCommand):
    help = (
        "Print the metrics of the engine on this machine as Prometheus text: times in seconds, money in pUSD, totals"
        " since the engine started. Exit code 1 when no engine answers."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document of all samples")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        env = settings.POLYWEB
        if env.metrics_port == 0:
            raise CommandError("the engine's metrics are off: POLYWEB_METRICS_PORT is 0")
        text = _fetched(EVERYWHERE.get(env.metrics_host, env.metrics_host), env.metrics_port, _hint(env))
        self.stdout.write(json.dumps({"samples": _samples(text)}) if as_json else text, ending="\n" if as_json else "")


def _hint(env: Env) -> str:
    if env.profile is Profile.DEMO:
        return "the embedded demo has no port for them; its numbers are in /metrics of its site (http://127.0.0.1:8000)"
    return "is it running (manage.py status), and with the same POLYWEB_METRICS_PORT?"


def _fetched(host: str, port: int, hint: str) -> str:
    link = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        link.request("GET", "/metrics")
        answer = link.getresponse()
        text = answer.read().decode()
    except (OSError, HTTPException, UnicodeDecodeError) as error:
        raise CommandError(f"nothing answers like an engine on {host}:{port} ({error}): {hint}") from error
    finally:
        link.close()
    if answer.status != 200:
        raise CommandError(f"{host}:{port} answered {answer.status} {answer.reason}: something else listens there")
    return text


def _samples(text: str) -> list[dict[str, Any]]:
    """Numbers that JSON cannot spell (NaN, infinities) as text."""
    found = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            finite = sample.value - sample.value == 0
            value = sample.value if finite else str(sample.value)
            found.append({"name": sample.name, "labels": sample.labels, "value": value})
    return found
