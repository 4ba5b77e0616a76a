"""Rows that are written over and over, many at once: what the engine shows, remembers and counts.

Law: all of them or none. On PostgreSQL their values travel as one JSON document in one statement: a parameter for each
would be quoted in Python, one after the other, while the engine's event loop waits for the interpreter.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import msgspec
from django.db import connection, transaction
from django.db.models import Field, Model

from markets.models import Market

Values: TypeAlias = Mapping[str, Any]

MARKET = "market"


def rewrite(model: type[Model], rows: Sequence[Values], *, key: tuple[str, ...], added: tuple[str, ...] = ()) -> int:
    """Insert each row, or overwrite the one with the same `key`; what is `added` is added to what stands there.

    Rows name the same fields, all those of the table but its id, with plain values; what is JSON already may stand as
    msgspec.Raw. In place of a market stands its `condition_id`, and rows of markets that are not stored are left out.
    Returns how many were written. No two rows may have the same key.
    """
    if not rows:
        return 0
    names = tuple(name for name in rows[0] if name != "condition_id")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_of_document(model, names, key, added), [msgspec.json.encode(rows).decode()])
            return int(cursor.rowcount)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(_of_line(model, names, key, added), [_line(model, names, row) for row in rows])
        return int(cursor.rowcount)


def _line(model: type[Model], names: tuple[str, ...], row: Values) -> list[Any]:
    values = [_field(model, name).get_db_prep_save(_plain(row[name]), connection) for name in names]
    return [*values, row["condition_id"]] if _has_market(model) else values


def _plain(value: Any) -> Any:
    """A member of a document may be JSON already; a value of its own may not."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


@cache
def _of_document(model: type[Model], names: tuple[str, ...], key: tuple[str, ...], added: tuple[str, ...]) -> str:
    shape = [f"{_quoted(name)} {_field(model, name).db_type(connection)}" for name in names]
    source = f"json_to_recordset(%s::json) AS told ({', '.join(['condition_id text', *shape])})"
    values = [f"told.{_quoted(name)}" for name in names]
    if _has_market(model):
        values.append("m.id")
        source += f" JOIN {_table(Market)} AS m ON m.condition_id = told.condition_id"
    return _statement(model, names, key, added, f"SELECT {', '.join(values)} FROM {source} WHERE true")


@cache
def _of_line(model: type[Model], names: tuple[str, ...], key: tuple[str, ...], added: tuple[str, ...]) -> str:
    values = ", ".join("%s" for _ in names)
    if not _has_market(model):
        return _statement(model, names, key, added, f"VALUES ({values})")
    source = f"SELECT {values}, m.id FROM {_table(Market)} AS m WHERE m.condition_id = %s"
    return _statement(model, names, key, added, source)


def _statement(
    model: type[Model], names: tuple[str, ...], key: tuple[str, ...], added: tuple[str, ...], source: str
) -> str:
    table, every = _table(model), (*names, MARKET) if _has_market(model) else names
    changes = [
        f"{_column(model, name)} = excluded.{_column(model, name)}"
        + (f" + {table}.{_column(model, name)}" if name in added else "")
        for name in every
        if name not in key
    ]
    columns, found_by = (", ".join(_column(model, name) for name in some) for some in (every, key))
    return f"INSERT INTO {table} ({columns}) {source} ON CONFLICT ({found_by}) DO UPDATE SET {', '.join(changes)}"


def _has_market(model: type[Model]) -> bool:
    return any(field.name == MARKET for field in model._meta.concrete_fields)


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    found = model._meta.get_field(name)
    assert isinstance(found, Field), f"{name} is no column of {model.__name__}"
    return found


def _column(model: type[Model], name: str) -> str:
    return _quoted(str(_field(model, name).column))


def _table(model: type[Model]) -> str:
    return _quoted(model._meta.db_table)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
