"""Database URLs become Django settings."""

from pathlib import Path

from polyweb.database_url import parse

BASE = Path("/base")


def test_postgresql_url_is_taken_apart() -> None:
    entry = parse("postgresql://me:p%40ss@db.example:6432/trade?sslmode=require", BASE).settings(pool=False)
    assert (entry["USER"], entry["PASSWORD"], entry["HOST"], entry["PORT"]) == (
        "me",
        "p@ss",
        "db.example",
        "6432",
    )
    assert (entry["NAME"], entry["OPTIONS"]) == ("trade", {"sslmode": "require"})


def test_host_in_the_query_is_a_unix_socket() -> None:
    assert parse("postgresql:///trade?host=/run/postgresql", BASE).connection["HOST"] == "/run/postgresql"


def test_pool_requires_connections_that_django_does_not_keep() -> None:
    entry = parse("postgresql://h/trade", BASE).settings(pool=True)
    assert entry["OPTIONS"]["pool"]
    assert entry["CONN_MAX_AGE"] == 0


def test_sqlite_file_is_relative_to_the_project_unless_it_has_four_slashes() -> None:
    assert parse("sqlite:///var/x.sqlite3", BASE).name == "/base/var/x.sqlite3"
    assert parse("sqlite:////srv/x.sqlite3", BASE).name == "/srv/x.sqlite3"


def test_sqlite_takes_the_write_lock_at_the_beginning() -> None:
    options = parse("sqlite:///x", BASE).settings(pool=True)["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
