"""`.env.example`, written from `polyweb.env`: `./run lock` renews it, a test compares it."""

from enum import Enum
from pathlib import Path
from typing import Any

from polyweb.env import BASE_DIR, PREFIX, PROFILE_DEFAULTS, Env, Profile

HEAD = """\
# Every variable of polyweb with its default. Copy to .env and uncomment what you change; the process
# environment wins over the file. Secrets belong into files: POLYWEB_SECRETS_DIR (default /run/secrets) is a
# folder with one file per variable, named like the variable in lower case.
# The profile (dev, demo, test, live) is chosen by DJANGO_SETTINGS_MODULE=polyweb.settings.<profile>.
"""


def shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Path):
        return str(value.relative_to(BASE_DIR))
    return str(value.value if isinstance(value, Enum) else value)


def render() -> str:
    blocks = [HEAD]
    for name, info in Env.model_fields.items():
        if name == "profile":
            continue
        # The test profile reads no variables at all.
        others = [
            f"{profile}: {shown(defaults[name]) or 'none'}"
            for profile, defaults in PROFILE_DEFAULTS.items()
            if name in defaults and profile is not Profile.TEST
        ]
        note = f" ({'; '.join(others)})" if others else ""
        blocks.append(f"# {info.description}{note}\n# {PREFIX}{name.upper()}={shown(info.default)}\n")
    return "\n".join(blocks)


def write() -> None:
    (BASE_DIR / ".env.example").write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    write()
