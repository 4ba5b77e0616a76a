"""`docs/configuration.md`, written from `polyweb.env`: `python -m polyweb.devtools.configuration_doc` renews it, a test
compares it.

Law: the table is the definition; only the text around it is written by hand, here.
"""

import sys
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from polyweb.devtools.example_env import shown
from polyweb.env import BASE_DIR, PREFIX, PROFILE_DEFAULTS, Env, Profile

PAGE = BASE_DIR / "docs" / "configuration.md"

HEAD = """\
# Configuration

Written by `python -m polyweb.devtools.configuration_doc` from `polyweb/env.py`; do not edit by hand.

polyweb needs no configuration to be tried. Everything it can be told is an environment variable. `.env` in the
checkout is read too ([.env.example](../.env.example) lists every variable); the process environment wins over it.

## Profiles

The **profile** says how the processes are hosted. It is the settings module,
`DJANGO_SETTINGS_MODULE=polyweb.settings.<profile>`:

| profile | for |
|---|---|
| `dev` | a developer's checkout; `manage.py` uses it when nothing else is said |
| `demo` | `./run demo`: SQLite, one folder, play money at a sandbox on this machine |
| `test` | the tests; reads none of these variables |
| `live` | PostgreSQL, Redis, https; also what a settings module of your own counts as |

The **relayer** says who carries orders out. Neither implies the other: a live profile with `POLYWEB_RELAYER=paper` is
the way to rehearse a server.

## Variables

"live:" and the like is what that profile takes when nothing is said. An empty variable counts as not set.
"""

TAIL = """\
## Secrets

Secrets belong into files. `POLYWEB_SECRETS_DIR` (default `/run/secrets`) is a folder with one file per variable,
named like the variable in lower case: `polyweb_database_url`, `polyweb_secret_key`. Docker and Podman secrets fit as
they are. No value is ever printed, logged or shown by a check.

## When something is wrong

A wrong value never becomes a traceback and never silently a default. Every process checks its settings before it does
anything and stops with one line per problem; `manage.py check` says the same:

| id | what |
|---|---|
| `polyweb.E001` | a variable that cannot be read: names it and what it must be |
| `polyweb.E002` | the real relayer at the real venue without a keystore |
| `polyweb.E003`, `polyweb.E004` | channel layer or broker is redis and no Redis is named |
| `polyweb.E005`, `polyweb.E009` | the live profile without a secret key of its own, or without host names |
| `polyweb.E006`, `polyweb.E007`, `polyweb.E008` | keystore or passphrase file missing |
| `polyweb.E010` | a plain key in `POLYWEB_PRIVATE_KEY` anywhere but at the sandbox |
| `polyweb.E011` | the venue's addresses, some on this machine and some not |
| `polyweb.E012` | kind of wallet and its address that do not go together |
| `polyweb.E013` | the demo profile with the address of another machine |
| `polyweb.W001` | a variable that does not exist, with the nearest that does |
| `polyweb.W002`, `polyweb.W003`, `polyweb.W004` | live on SQLite, with a one-process layer, in plain HTTP |
| `polyweb.W005` | TimescaleDB wanted from a database without it; said by `migrate` and `check --database default` |

Two variables are read by `./run test` alone: `POLYWEB_TEST_DATABASE_URL` and `POLYWEB_TEST_REDIS_URL`, servers to
test against instead of throwaway ones. `POLYWEB_TEST_CHROMIUM` names the browser of the browser tests.

## Containers

`docker/compose.yaml` is the live profile: web, engine, worker, beat, PostgreSQL, Redis, Prometheus.

    docker/make-secrets
    docker compose -f docker/compose.yaml up --build

The site listens on 127.0.0.1:8000 in plain HTTP for the proxy in front, which terminates TLS and should not pass
`/metrics` on. Create the first user with `docker compose -f docker/compose.yaml run --rm web manage createsuperuser`.
"""


def render() -> str:
    lines = ["| variable | value | default | meaning |", "|---|---|---|---|"]
    for name, info in Env.model_fields.items():
        if name == "profile":
            continue
        default = _code(shown(info.default)) if info.default is not None else ""
        others = [
            f"{profile.value}: {_code(shown(values[name])) or 'none'}"
            for profile, values in PROFILE_DEFAULTS.items()
            if name in values and profile is not Profile.TEST
        ]
        cells = (
            _code(PREFIX + name.upper()),
            _values(info.annotation),
            "; ".join([default, *others]),
            info.description,
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join((HEAD, "\n".join(lines) + "\n", TAIL))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _values(annotation: Any) -> str:
    """What may be written there, in a word or two."""
    if get_origin(annotation) in (Union, UnionType):
        return _values(next(arg for arg in get_args(annotation) if arg is not NoneType))
    if get_origin(annotation) is Literal:
        return ", ".join(_code(str(value)) for value in get_args(annotation))
    plain = next(iter(get_args(annotation)), annotation) if hasattr(annotation, "__metadata__") else annotation
    if plain is bool:
        return "`true`, `false`"
    if plain is SecretStr:
        return "secret"
    names = {"int": "whole number", "Decimal": "number", "float": "number", "Path": "path", "str": "text"}
    return names.get(getattr(plain, "__name__", ""), "list" if get_origin(plain) is tuple else "text")


def main(arguments: list[str]) -> int:
    wanted = render()
    if "--check" in arguments:
        current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted
        if not current:
            sys.stderr.write("docs/configuration.md is stale: run python -m polyweb.devtools.configuration_doc\n")
        return 0 if current else 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
