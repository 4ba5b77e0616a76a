"""`keys`: the trading key's keystore, made, filled or looked at.

Law: the key itself is never printed, and no file that exists is overwritten.
"""

import getpass
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from execution.signing import KeyUnavailable, SigningKey, load_key, make_passphrase, new_key, read_key, save_key


class Command(BaseCommand):
    help = (
        "The trading key as an encrypted keystore v3 file: create a new one, import one you have (asked for, or read"
        " from standard input), or show the address of the one in use. The key itself is never printed."
    )
    # A keystore that is named and not there yet is what this command is for.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("create", "import", "show"))
        parser.add_argument("--keystore", type=Path, metavar="FILE", help="default: POLYWEB_KEYSTORE")
        parser.add_argument(
            "--passphrase-file",
            type=Path,
            metavar="FILE",
            help="default: POLYWEB_KEYSTORE_PASSPHRASE_FILE; create and import write a random one where it is missing",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of text")

    def handle(self, *_: object, **options: Any) -> None:
        keystore = _named(options["keystore"], settings.POLYWEB.keystore, "--keystore or POLYWEB_KEYSTORE")
        passphrase = _named(
            options["passphrase_file"],
            settings.POLYWEB.keystore_passphrase_file,
            "--passphrase-file or POLYWEB_KEYSTORE_PASSPHRASE_FILE",
        )
        try:
            key = self._key(options["action"], keystore, passphrase)
        except KeyUnavailable as error:
            raise CommandError(str(error)) from error
        told = {"address": key.address, "keystore": str(keystore), "passphrase_file": str(passphrase)}
        if options["json"]:
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write("\n".join(f"{name.replace('_', ' '):<16}{value}" for name, value in told.items()))

    def _key(self, action: str, keystore: Path, passphrase: Path) -> SigningKey:
        if action == "show":
            return load_key(keystore, passphrase)
        if keystore.exists():
            raise KeyUnavailable(f"keystore {keystore} exists already and is never overwritten: choose another file")
        key = new_key() if action == "create" else read_key(_asked())
        if not passphrase.exists():
            make_passphrase(passphrase)
        save_key(key, keystore, passphrase)
        return load_key(keystore, passphrase)


def _named(given: Path | None, setting: Path | None, where: str) -> Path:
    path = given or setting
    if path is None:
        raise CommandError(f"no file is named: give {where}")
    return path


def _asked() -> str:
    """The key to import, without an echo where a person types it."""
    return getpass.getpass("private key (0x and 64 hex digits): ") if sys.stdin.isatty() else sys.stdin.readline()
