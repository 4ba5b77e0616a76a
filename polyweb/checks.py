"""System checks: every wrong setting has an id, a sentence and a hint naming the variable.

One law: a check reads values and says what is wrong; it repairs nothing and never shows a value.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from polyweb.env import Env, Problem, Profile, is_local


def problem_messages(problems: Iterable[Problem]) -> list[CheckMessage]:
    return [Error(f"{p.variable}: {p.message}", hint=p.hint, id="polyweb.E001") for p in problems]


def unknown_messages(problems: Iterable[Problem]) -> list[CheckMessage]:
    return [Warning(f"{p.variable} {p.message}", hint=p.hint, id="polyweb.W001") for p in problems]


def env_messages(env: Env) -> list[CheckMessage]:
    """What is well-formed by itself and wrong together."""
    messages = [*_relayer(env), *_chain(env), *_redis(env), *_keys(env)]
    if env.profile is Profile.LIVE:
        messages += _live(env)
    return messages


def _relayer(env: Env) -> Iterator[CheckMessage]:
    if env.relayer != "real":
        return
    if env.keystore is None and not env.at_sandbox:
        hint = "Make one with manage.py keys create, then set POLYWEB_KEYSTORE and POLYWEB_KEYSTORE_PASSPHRASE_FILE."
        yield Error("The real relayer signs with your key, and no keystore is named.", hint=hint, id="polyweb.E002")
    if env.profile is Profile.DEMO and not env.at_sandbox:
        hint = "Unset POLYWEB_CLOB_URL, or choose another profile: dev or live."
        yield Error("The demo trades on this machine only.", hint=hint, id="polyweb.E013")
    addresses = {"POLYWEB_FEED_URL": env.feed_url, "POLYWEB_USER_URL": env.user_url}
    elsewhere = [name for name, url in addresses.items() if is_local(url) is not env.at_sandbox]
    if elsewhere:
        text = "Some of the venue's addresses are on this machine and some are not."
        hint = f"POLYWEB_CLOB_URL says one thing; change it or {' and '.join(elsewhere)}."
        yield Error(text, hint=hint, id="polyweb.E011")
    if (env.signature_type == "eoa") is not (env.funder is None):
        text = "Kind of wallet and its address do not go together."
        hint = "Set POLYWEB_FUNDER with every POLYWEB_SIGNATURE_TYPE but eoa, and never with eoa."
        yield Error(text, hint=hint, id="polyweb.E012")


def _chain(env: Env) -> Iterator[CheckMessage]:
    key_file = env.relayer_api_key_file
    if key_file is not None and not key_file.is_file():
        hint = "Point POLYWEB_RELAYER_API_KEY_FILE at an existing file."
        yield Error("POLYWEB_RELAYER_API_KEY_FILE names no file.", hint=hint, id="polyweb.E014")
    if env.relayer != "real" or env.chain != "relayer":
        return
    if env.signature_type == "eoa":
        text = "A plain key's own address (eoa) has no gasless relayer, so nothing can be split, merged or converted."
        hint = "Name another kind of wallet with POLYWEB_SIGNATURE_TYPE and POLYWEB_FUNDER, or unset POLYWEB_CHAIN."
        yield Error(text, hint=hint, id="polyweb.E015")
    if not env.at_sandbox and key_file is None and env.relayer_api_key is None:
        hint = "Set POLYWEB_RELAYER_API_KEY_FILE, or unset POLYWEB_CHAIN."
        yield Error("The gasless relayer wants an API key, and none is named.", hint=hint, id="polyweb.E016")


def _redis(env: Env) -> Iterator[CheckMessage]:
    for variable, value, code in (
        ("POLYWEB_CHANNEL_LAYER", env.channel_layer, "polyweb.E003"),
        ("POLYWEB_BROKER", env.broker, "polyweb.E004"),
    ):
        if value == "redis" and env.redis_url is None:
            hint = f"Set POLYWEB_REDIS_URL, for example redis://127.0.0.1:6379/0, or change {variable}."
            yield Error(f"{variable} is redis but no Redis is named.", hint=hint, id=code)


def _keys(env: Env) -> Iterator[CheckMessage]:
    if env.private_key is not None and not env.at_sandbox:
        hint = "Unset POLYWEB_PRIVATE_KEY and put the key into a keystore: manage.py keys import."
        yield Error("A plain key in the environment is refused outside the sandbox.", hint=hint, id="polyweb.E010")
    if env.keystore is not None and not env.keystore.is_file():
        hint = "Point POLYWEB_KEYSTORE at an existing keystore v3 file."
        yield Error("POLYWEB_KEYSTORE names no file.", hint=hint, id="polyweb.E006")
    if env.keystore is not None and env.keystore_passphrase_file is None:
        hint = "Set POLYWEB_KEYSTORE_PASSPHRASE_FILE; passphrases are read from files only."
        yield Error("POLYWEB_KEYSTORE is set without its passphrase file.", hint=hint, id="polyweb.E007")
    if env.keystore_passphrase_file is not None and not env.keystore_passphrase_file.is_file():
        hint = "Point POLYWEB_KEYSTORE_PASSPHRASE_FILE at an existing file."
        yield Error("POLYWEB_KEYSTORE_PASSPHRASE_FILE names no file.", hint=hint, id="polyweb.E008")


def _live(env: Env) -> Iterator[CheckMessage]:
    key = env.secret_key.get_secret_value() if env.secret_key else ""
    if len(key) < 50:
        hint = "Set POLYWEB_SECRET_KEY_FILE (or POLYWEB_SECRET_KEY) to 50 or more random characters."
        yield Error("The live profile needs a secret key of its own.", hint=hint, id="polyweb.E005")
    if not env.allowed_hosts or "*" in env.allowed_hosts:
        hint = "Set POLYWEB_ALLOWED_HOSTS to the site's host names, comma-separated."
        yield Error("The live profile needs the host names it answers to.", hint=hint, id="polyweb.E009")
    if env.database.vendor == "sqlite":
        hint = "Set POLYWEB_DATABASE_URL to postgresql://user:password@host/name."
        yield Warning("The live profile runs on SQLite.", hint=hint, id="polyweb.W002")
    if env.channel_layer == "memory":
        hint = "Set POLYWEB_CHANNEL_LAYER to redis: web and engine are two processes."
        yield Warning("This live channel layer serves one process.", hint=hint, id="polyweb.W003")
    if not env.https:
        hint = "Unset POLYWEB_HTTPS unless only a private network reaches the site."
        yield Warning("The live profile serves plain HTTP.", hint=hint, id="polyweb.W004")


@register()
def check_environment(**_: Any) -> Sequence[CheckMessage]:
    messages = problem_messages(settings.POLYWEB_PROBLEMS)
    return [*messages, *unknown_messages(settings.POLYWEB_UNKNOWN), *env_messages(settings.POLYWEB)]


@register(Tags.database)
def check_timescale(*, databases: Sequence[str] | None = None, **_: Any) -> Sequence[CheckMessage]:
    """Run by `migrate` and `check --database default`, like every check that asks a database."""
    if not settings.POLYWEB.timescale or "default" not in (databases or ()):
        return []
    return timescale_messages(_timescale_version())


def timescale_messages(version: str | None) -> list[CheckMessage]:
    if version is not None:
        return []
    text = "POLYWEB_TIMESCALE is on, but this database has no TimescaleDB: event tables are partitioned by day instead."
    hint = "Install the extension before the first migrate, or unset POLYWEB_TIMESCALE."
    return [Warning(text, hint=hint, id="polyweb.W005")]


def _timescale_version() -> str | None:
    """None when the server cannot offer the extension."""
    connection = connections["default"]
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'")
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def stop_on_errors() -> None:
    """For processes without Django's command line (the ASGI server): one clear line each, then stop."""
    errors = [message for message in check_environment() if message.is_serious()]
    for message in errors:
        print(f"polyweb: ({message.id}) {message.msg} {message.hint}", file=sys.stderr)  # noqa: T201
    if errors:
        raise SystemExit(1)
