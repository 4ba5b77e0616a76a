"""Logs are one JSON object per line, and no secret reaches one."""

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from polyweb import logs


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What the logger "engine" writes under our formatter, and nothing of pytest's own logging touched."""
    before = structlog.get_config()
    recipe = dict(logs.configure(level="INFO", fmt="json")["formatters"]["events"])
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(recipe.pop("()")(**recipe))
    logger = logging.getLogger("engine")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    structlog.configure(**before)


def test_our_events_and_the_librarys_lines_have_one_shape(lines: StringIO) -> None:
    structlog.get_logger("engine").info("order_placed", market="0xab", size=5)
    logging.getLogger("engine").warning("odd %s", "thing", extra={"market": "0xcd"})
    ours, theirs = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (ours["event"], ours["market"], ours["level"], ours["logger"]) == (
        "order_placed",
        "0xab",
        "info",
        "engine",
    )
    assert (theirs["event"], theirs["market"], theirs["level"]) == ("odd thing", "0xcd", "warning")
    assert ours["timestamp"].endswith("Z")


def test_exception_text_is_cleaned_too(lines: StringIO) -> None:
    try:
        raise ConnectionError("cannot reach redis://:hunter2@cache:6379/0")
    except ConnectionError:
        logging.getLogger("engine").exception("redis_down")
    assert "redis_down" in lines.getvalue()
    assert "hunter2" not in lines.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "keystore_passphrase",
        "private_key",
        "privateKey",
        "api_key",
        "apikey",
        "auth_token",
        "token",
        "Authorization",
        "signature",
        "POLY_SECRET",
        "cookie",
    ],
)
def test_field_that_names_a_secret_is_masked(name: str) -> None:
    assert logs.redact(None, "", {name: "hunter2"}) == {name: logs.MASK}


@pytest.mark.parametrize("name", ["token_id", "asset_id", "key", "fencing_token_age_s", "condition_id"])
def test_ids_are_not_secrets(name: str) -> None:
    assert logs.redact(None, "", {name: "0xab"}) == {name: "0xab"}


def test_secret_inside_a_nested_value_is_masked() -> None:
    event = {"request": {"headers": [{"Authorization": "Bearer x"}], "url": "postgres://u:pw@h/d"}}
    cleaned = logs.redact(None, "", event)
    assert cleaned["request"]["headers"] == [{"Authorization": logs.MASK}]
    assert cleaned["request"]["url"] == f"postgres://u:{logs.MASK}@h/d"
