"""Merge the recipes and applies of another journal, which is attached as `theirs`."""

from __future__ import annotations

import sqlite3


def take_in_applies(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO recipes (digest, sans_files, parts) SELECT digest, sans_files, parts FROM theirs.recipes"
    )
    same = "m.started = a.started AND m.host = a.host AND m.pid = a.pid"
    columns = columns_but(connection, "applies", ("n", "recipe", "crc"))
    connection.execute(
        f"INSERT INTO applies ({', '.join(columns)}, recipe) SELECT {qualified('a', columns)}, r.n FROM theirs.applies a"
        " JOIN theirs.recipes t ON t.n = a.recipe JOIN main.recipes r ON r.digest = t.digest"
        f" WHERE NOT EXISTS (SELECT 1 FROM main.applies m WHERE {same}) ORDER BY a.n"
    )
    connection.execute(
        "CREATE TEMP TABLE applies_there AS SELECT a.n AS there, m.n AS here FROM theirs.applies a"
        f" JOIN main.applies m ON {same}"
    )
    ends = ("ended", "stopped", "interrupted", "outcomes", "not_run", "usage", "waiting")
    connection.execute(
        f"UPDATE applies AS m SET {', '.join(f'{end} = a.{end}' for end in ends)}, crc = NULL FROM theirs.applies a"
        f" WHERE {same} AND m.ended IS NULL AND a.ended IS NOT NULL"
    )


_LAST_FIRST = "ORDER BY (to_run > 0 OR ended IS NULL) DESC, n DESC"
"""The last apply that had sessions to run comes first; if none had, the last one."""

_REMEMBER_OUR_LAST = f"""
    WITH our_last AS (SELECT n FROM main.applies WHERE n <= :before {_LAST_FIRST} LIMIT 1)
    INSERT INTO main.joined SELECT n FROM our_last WHERE NOT EXISTS (SELECT 1 FROM main.joined)"""

_THEIR_LAST = f"""
    CREATE TEMP TABLE their_last AS
    WITH
        merged AS (SELECT apply FROM theirs.joined),
        own AS (SELECT n AS apply FROM theirs.applies {_LAST_FIRST} LIMIT 1)
    SELECT apply FROM merged UNION ALL SELECT apply FROM own WHERE NOT EXISTS (SELECT 1 FROM merged)"""

_DROP_CONTINUED = """
    DELETE FROM main.joined
    WHERE apply IN (SELECT here FROM applies_there WHERE there NOT IN (SELECT apply FROM their_last))"""

_ADD_THEIR_LAST = """
    INSERT OR IGNORE INTO main.joined
    SELECT here FROM applies_there WHERE there IN (SELECT apply FROM their_last) AND here > :before"""


def update_last_applies(connection: sqlite3.Connection, before: int) -> None:
    """Update `joined`: the last apply of every merged state. `before` is the number of our last apply before the merge.

    1. If `joined` is empty, this state was not merged yet: it gets our own last apply.
    2. An apply that both states have, but that is not the last one there, was continued there: it is removed.
    3. Their last applies are added, unless they were here before: then they are in `joined` or were continued here.
    """
    connection.execute(_REMEMBER_OUR_LAST, {"before": before})
    connection.execute(_THEIR_LAST)
    connection.execute(_DROP_CONTINUED)
    connection.execute(_ADD_THEIR_LAST, {"before": before})


def columns_but(connection: sqlite3.Connection, table: str, besides: tuple[str, ...]) -> list[str]:
    """All columns of a table but `besides`."""
    names = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    return [name for name in names if name not in besides]


def qualified(alias: str, columns: list[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)
