"""The typed environment: every POLYWEB_ variable, read once, parsed at the border, frozen afterwards.

One law: a wrong value never becomes a traceback and never becomes a silent default. `read_env` returns the
values together with the problems it met; `polyweb.checks` turns each problem into a system check. The profile
(which settings module runs: dev, demo, test, live) says how the process is hosted; the mode (`relayer`) says
who carries orders out. Neither implies the other.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from polyweb import database_url as db_url

PREFIX = "POLYWEB_"
LOCAL = ("127.0.0.1", "localhost", "::1")
BASE_DIR = Path(__file__).resolve().parent.parent

# Read outside Django by `./run` and by the tests; a typing error in them is caught there.
RUNNER_VARIABLES = frozenset(
    {"POLYWEB_TEST_DATABASE_URL", "POLYWEB_TEST_REDIS_URL", "POLYWEB_TEST_CHROMIUM", "POLYWEB_SECRETS_DIR"}
)


class Profile(StrEnum):
    """How the process is hosted; the last word of DJANGO_SETTINGS_MODULE."""

    DEV = "dev"
    DEMO = "demo"
    TEST = "test"
    LIVE = "live"


def profile_of(settings_module: str) -> Profile:
    """The settings module names the profile; a site's own module is treated as live, the strictest."""
    word = settings_module.rpartition(".")[2]
    return Profile(word) if word in set(Profile) else Profile.LIVE


# What a profile changes when the environment says nothing.
PROFILE_DEFAULTS: dict[Profile, dict[str, Any]] = {
    Profile.DEV: {"log_format": "console"},
    # The demo trades at a sandbox of its own; until it has said where that listens, nobody answers.
    Profile.DEMO: {
        "relayer": "real",
        "dry_run": False,
        # The Safe of the sandbox's public key: a plain key could split, merge and convert nothing.
        "signature_type": "poly-gnosis-safe",
        "funder": "0x566130478C47Bf4E498A86E3c9A6f087295c2e58",
        "feed_url": "ws://127.0.0.1:9/ws/market",
        "user_url": "ws://127.0.0.1:9/ws/user",
        "gamma_url": "http://127.0.0.1:9",
        "clob_url": "http://127.0.0.1:9",
        "var_dir": BASE_DIR / "var" / "demo",
        "log_level": "WARNING",
    },
    Profile.TEST: {"var_dir": BASE_DIR / "var" / "test", "log_level": "WARNING"},
    Profile.LIVE: {"channel_layer": "redis", "broker": "redis", "allowed_hosts": ()},
}


def _url_with(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError("must be a URL starting with " + " or ".join(f"{s}://" for s in schemes))
        return value

    return AfterValidator(check)


def _address(value: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise ValueError("must be an address: 0x and 40 hex digits")
    return value


def _redis_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise ValueError("must be a URL like redis://127.0.0.1:6379/0")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    db_url.parse(value.get_secret_value(), BASE_DIR)
    return value


def _from_base(value: Path) -> Path:
    return value if value.is_absolute() else BASE_DIR / value


def _words(value: object) -> object:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


class _Words:
    """Comma-separated words, as shells and compose files write lists."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(_words, handler(source))


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOCAL


HttpUrl = Annotated[str, _url_with("http", "https")]
SocketUrl = Annotated[str, _url_with("ws", "wss")]
Address = Annotated[str, AfterValidator(_address)]
ProjectPath = Annotated[Path, AfterValidator(_from_base)]
Words = Annotated[tuple[str, ...], NoDecode, _Words]


class Env(BaseSettings):
    """Every variable with its type, default and purpose. A test checks `.env.example` against this list."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    profile: Profile = Field(exclude=True, description="set by the settings module, never by a variable")

    relayer: Literal["fake", "paper", "real"] = Field("fake", description="who carries orders out")
    client: Literal["polymarket-client", "py-clob-client"] = Field(
        "polymarket-client", description="the venue client behind the real relayer"
    )
    dry_run: bool = Field(True, description="real relayer only: sign and journal, never send")
    signature_type: Literal["eoa", "poly-proxy", "poly-gnosis-safe", "poly-1271"] = Field(
        "eoa", description="kind of wallet that holds the money; eoa is the signing key's own address"
    )
    funder: Address | None = Field(None, description="address of that wallet, where it is not the key's own")
    paper_cash: Decimal = Field(
        Decimal("1000"), gt=0, le=Decimal("1000000000"), description="the paper relayer's starting cash, pUSD"
    )
    chain_id: int = Field(137, gt=0, description="chain the orders are signed for; 137 is Polygon")

    chain: Literal["off", "relayer"] | None = Field(
        None,
        description="split, merge, convert: off, or by the venue's gasless relayer; unset is on without real money",
    )
    relayer_url: HttpUrl = Field(
        "https://relayer-v2.polymarket.com", description="the gasless relayer; a sandbox has its own at its CLOB"
    )
    relayer_api_key: SecretStr | None = Field(None, description="relayer API key of the signing key's address")
    relayer_api_key_file: ProjectPath | None = Field(None, description="file holding it; wins over the variable")

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = Field(
        None, description="postgresql://user:password@host/name or sqlite:///file; else var/polyweb.sqlite3"
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        None, description="redis://host:6379/0, for the channel layer and the broker"
    )
    channel_layer: Literal["memory", "redis"] = Field("memory", description="memory serves one process only")
    broker: Literal["filesystem", "redis"] = Field("filesystem", description="Celery's broker")

    outage: Literal["cancel", "heartbeat"] = Field(
        "cancel",
        description="database or Redis gone: cancel what rests, or stop the heartbeat and leave it to the venue",
    )

    feed_url: SocketUrl = Field(
        "wss://ws-subscriptions-clob.polymarket.com/ws/market", description="market-data WebSocket"
    )
    gamma_url: HttpUrl = Field("https://gamma-api.polymarket.com", description="market metadata (Gamma)")
    clob_url: HttpUrl = Field("https://clob.polymarket.com", description="order book and order entry (CLOB)")
    user_url: SocketUrl = Field(
        "wss://ws-subscriptions-clob.polymarket.com/ws/user",
        description="user-channel WebSocket",
    )

    data_url: HttpUrl = Field(
        "https://data-api.polymarket.com", description="the venue's data API: what positions from before us cost"
    )
    reconcile_s: float = Field(
        60.0, ge=5, le=3600, description="real relayer: seconds between comparisons of orders, fills, cash, positions"
    )
    foreign_orders: Literal["leave", "cancel"] = Field(
        "leave", description="orders at the venue that are not ours: left alone and reported, or cancelled"
    )

    feed_redundancy: int = Field(1, ge=1, le=2, description="sockets per shard of tokens; with 2 the first frame wins")
    audit_s: float = Field(
        30.0, ge=0, le=3600, description="seconds between audits of our books against POST /books; 0 is off"
    )

    order_minutes: int = Field(
        15,
        ge=3,
        le=1440,
        description="with everything of ours down no quote rests longer than this, minutes; bounds quote_expiry_s",
    )

    store_events: bool = Field(True, description="the engine stores moved tops, trades, trust and resyncs as rows")
    timescale: bool = Field(
        False, description="make those tables TimescaleDB hypertables when they are created; else partitions by day"
    )

    secret_key: SecretStr | None = Field(None, description="Django's key; live needs it, else made in var/")
    secret_key_file: ProjectPath | None = Field(None, description="file holding it; wins over the variable")
    allowed_hosts: Words = Field(("localhost", "127.0.0.1", "[::1]"), description="comma-separated host names")
    trusted_origins: Words = Field((), description="comma-separated https:// origins that may post forms")
    https: bool = Field(True, description="live only: redirect to https, secure cookies, HSTS")
    behind_proxy: bool = Field(False, description="a proxy in front sets X-Forwarded-Proto and -For")
    require_totp: bool = Field(False, description="the admin asks for a one-time code as well")

    keystore: ProjectPath | None = Field(None, description="keystore v3 file with the signing key")
    keystore_passphrase_file: ProjectPath | None = Field(None, description="file holding its passphrase")
    private_key: SecretStr | None = Field(
        None, description="a plain key, 0x and 64 hex digits: at the sandbox only; anywhere else it is refused"
    )

    var_dir: ProjectPath = Field(BASE_DIR / "var", description="everything the process writes")
    record: bool = Field(False, description="the engine records every raw market frame beside its session")
    record_dir: ProjectPath | None = Field(None, description="feed recordings; default var/recordings")
    static_root: ProjectPath = Field(BASE_DIR / "static-root", description="where collectstatic puts files")
    metrics_port: int = Field(9464, ge=0, le=65535, description="engine's Prometheus port; 0 is off")
    metrics_host: str = Field("127.0.0.1", description="address that port listens on")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")
    log_format: Literal["json", "console"] = Field("json", description="console is for reading by eye")

    @model_validator(mode="before")
    @classmethod
    def _profile_defaults(cls, values: Any) -> Any:
        """Below everything the environment said, above the class's own defaults."""
        defaults = PROFILE_DEFAULTS[values["profile"]]
        if "signature_type" in values:  # another kind of wallet has another address, or none
            defaults = {name: value for name, value in defaults.items() if name != "funder"}
        return {**defaults, **values}

    @model_validator(mode="after")
    def _secret_key_from_file(self) -> Self:
        if self.secret_key_file is not None:
            object.__setattr__(self, "secret_key", SecretStr(_read_secret(self.secret_key_file)))
        return self

    @property
    def at_sandbox(self) -> bool:
        """Whether orders go to an exchange on this machine: the only place where a worthless key may sign."""
        return is_local(self.clob_url)

    @property
    def on_chain(self) -> bool:
        """Whether positions are split, merged and converted. Unset, it is where no real money is and a wallet can."""
        if self.chain is not None or self.relayer != "real":
            return self.chain != "off"
        return self.at_sandbox and self.signature_type != "eoa"

    @property
    def gasless_url(self) -> str:
        return self.clob_url if self.at_sandbox else self.relayer_url

    @property
    def recordings(self) -> Path:
        return self.record_dir or self.var_dir / "recordings"

    @property
    def database(self) -> db_url.Database:
        if self.database_url is None:
            return db_url.sqlite_at(self.var_dir / "polyweb.sqlite3")
        return db_url.parse(self.database_url.get_secret_value(), BASE_DIR)


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise ValueError(f"the secret file cannot be read: {reason}") from None


@dataclass(frozen=True, slots=True)
class Problem:
    """One variable that could not be read. Never holds the value: it may be a secret."""

    variable: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Reading:
    env: Env
    problems: tuple[Problem, ...] = ()
    unknown: tuple[Problem, ...] = ()


def read_env(profile: Profile, env_file: Path | None = None) -> Reading:
    """Parse the environment. A variable that does not parse is reported and its default stands in, so that
    every problem is found in one go; the checks then stop the process before it does anything."""
    secrets_dir = Path(os.environ.get("POLYWEB_SECRETS_DIR", "/run/secrets"))
    sources: dict[str, Any] = {
        "_env_file": env_file,
        "_secrets_dir": secrets_dir if secrets_dir.is_dir() else None,
    }
    if profile is Profile.TEST:
        # A test never depends on the developer's variables or .env file.
        sources = {"_env_prefix": "POLYWEB_UNDER_TEST_", "_env_file": None, "_secrets_dir": None}
    known = {name: info for name, info in Env.model_fields.items() if name != "profile"}
    replaced: dict[str, Any] = {}
    problems: list[Problem] = []
    while True:
        try:
            env = Env(profile=profile, **sources, **replaced)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                name = str(detail["loc"][0]) if detail["loc"] else "secret_key_file"
                if name in replaced or name not in known:
                    raise
                problems.append(_problem(name, detail["msg"]))
                replaced[name] = PROFILE_DEFAULTS[profile].get(name, known[name].default)
        except SettingsError as error:
            raise SystemExit(f"polyweb: {error}") from None
        else:
            unknown = () if profile is Profile.TEST else _unknown(os.environ, known)
            return Reading(env, tuple(problems), unknown)


def _problem(name: str, message: str) -> Problem:
    variable = PREFIX + name.upper()
    meaning = Env.model_fields[name].description
    hint = f"Set {variable} ({meaning}) or unset it."
    return Problem(variable, message.removeprefix("Value error, "), hint)


def _unknown(environ: Mapping[str, str], known: Mapping[str, object]) -> tuple[Problem, ...]:
    """A misspelt variable would otherwise be a setting that silently does nothing."""
    variables = {PREFIX + name.upper() for name in known} | RUNNER_VARIABLES
    found = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in variables:
            close = difflib.get_close_matches(name, sorted(variables), n=1)
            hint = f"Did you mean {close[0]}?" if close else "See .env.example for every variable."
            found.append(Problem(name, "is not a variable of polyweb", hint))
    return tuple(found)
