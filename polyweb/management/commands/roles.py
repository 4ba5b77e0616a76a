"""`roles`: two groups to begin with, so that nobody needs to be an administrator to look or to operate."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import QuerySet

APPS = ("markets", "strategies", "risk", "execution")
OPERATES = (
    "markets.change_market",
    "strategies.change_strategyconfig",
    "strategies.change_arbsettings",
    "strategies.add_externalfairvalue",
    "strategies.change_externalfairvalue",
    "strategies.delete_externalfairvalue",
    "risk.add_stop",
    "risk.change_stop",
    "risk.change_breaker",
    "risk.add_threshold",
    "risk.change_threshold",
    "risk.change_incident",
    "risk.add_limit",
    "risk.change_limit",
)


class Command(BaseCommand):
    help = (
        "Create the groups viewer (sees every page and list) and operator (also stops, resumes, switches markets, sets"
        " parameters and caps), or give them what they lack; rights somebody added stay. Exit code 0 when both are"
        " complete."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        with transaction.atomic():
            sees = Permission.objects.filter(content_type__app_label__in=APPS, codename__startswith="view_")
            added = {"viewer": _give("viewer", sees), "operator": _give("operator", sees | _named(OPERATES))}
        if as_json:
            self.stdout.write(json.dumps({"added": added}))
            return
        for name, count in added.items():
            self.stdout.write(f"{name:<10}{count} rights added" if count else f"{name:<10}complete")


def _named(names: Sequence[str]) -> QuerySet[Permission]:
    # The codename holds the model, so a pair of the lists that is not in `names` does not exist.
    apps, codenames = zip(*(name.split(".") for name in names), strict=True)
    return Permission.objects.filter(content_type__app_label__in=apps, codename__in=codenames)


def _give(name: str, wanted: QuerySet[Permission]) -> int:
    """How many the group lacked."""
    group, _ = Group.objects.get_or_create(name=name)
    missing = list(wanted.exclude(group=group))
    group.permissions.add(*missing)
    return len(missing)
