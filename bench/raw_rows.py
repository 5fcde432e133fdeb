"""A reference made of what the program did: as many rows written, as wide, into as many indexes, by pgbench.

The tables are copies of the program's with one of its rows as the pattern, without triggers and foreign keys. What a
unit of work inserts is inserted with keys of its own; what it updates is updated there, or in one row that all share
where it inserts none (stock). Beside the work itself, what the program does in the background is in the numbers too.
"""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from config.embedded import postgres

_WRITES = "SELECT relname, n_tup_ins, n_tup_upd FROM pg_stat_user_tables WHERE schemaname = 'public'"
_COLUMNS = """SELECT column_name, data_type, coalesce(character_maximum_length, 0) FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position"""
_UNIQUE = """SELECT DISTINCT a.attname FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = %s::regclass AND i.indisunique"""
_FRESH = {
    "uuid": "gen_random_uuid()",
    "text": "gen_random_uuid()::text",
    "bigint": "(random() * 9e18)::bigint",
    "integer": "(random() * 2e9)::integer",
    "smallint": "(random() * 30000)::smallint",
}


@dataclass(frozen=True, slots=True)
class Writes:
    """Transactions that wrote, and for each table the rows inserted and updated."""

    transactions: int
    tables: dict[str, tuple[int, int]]

    def since(self, earlier: "Writes", units: int) -> "Writes":
        """For one unit of work, rounded; tables that only few of them touched are left out."""
        each = {}
        for name, (inserted, updated) in self.tables.items():
            before = earlier.tables.get(name, (0, 0))
            each[name] = (round((inserted - before[0]) / units), round((updated - before[1]) / units))
        transactions = max(1, round((self.transactions - earlier.transactions) / units))
        return Writes(transactions, {name: counts for name, counts in each.items() if any(counts)})

    @property
    def rows(self) -> int:
        return sum(map(sum, self.tables.values()))


def writes_so_far(url: str) -> Writes:
    with psycopg.connect(url) as connection:
        tables = {name: (inserted, updated) for name, inserted, updated in connection.execute(_WRITES)}
        row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row
        return Writes(row[0], tables)


def raw_rate(url: str, each: Writes, *, clients: int, seconds: int) -> float:
    """Units a second of pgbench, each in as many transactions."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS bench_raw CASCADE")
        connection.execute("CREATE SCHEMA bench_raw")
        statements = [
            statement
            for name, (inserted, updated) in sorted(each.tables.items())
            for statement in _statements(connection, name, inserted, updated)
        ]
        connection.execute("ANALYZE")
        try:
            return _pgbench(url, _script(statements, each.transactions), clients, seconds)
        finally:
            connection.execute("DROP SCHEMA bench_raw CASCADE")


def _statements(connection: psycopg.Connection, name: str, inserted: int, updated: int) -> list[str]:
    table, pattern = f"bench_raw.{name}", f"bench_raw.{name}_pattern"
    connection.execute(f"CREATE TABLE {table} (LIKE public.{name} INCLUDING INDEXES)")
    connection.execute(f"CREATE TABLE {pattern} AS SELECT * FROM public.{name} LIMIT 1")
    connection.execute(f"INSERT INTO {table} SELECT * FROM {pattern}")
    unique = {row[0] for row in connection.execute(_UNIQUE, [f"public.{name}"])}
    columns = connection.execute(_COLUMNS, [name]).fetchall()
    values = [
        _fresh(column, kind, length) if column in unique else f'"{column}"'
        for column, kind, length in columns
    ]
    names = ", ".join(f'"{column}"' for column, _, _ in columns)
    key = next(column for column, _, _ in columns if column in unique)
    plain = next(column for column, _, _ in reversed(columns) if column not in unique)
    insert = f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {pattern}"
    which = f'"{key}" = :own_{name}' if inserted else "true"
    return [
        *[f"{insert};"] * (inserted - 1),
        *[f'{insert} RETURNING "{key}" AS own_{name} \\gset'] * min(inserted, 1),
        *[f'UPDATE {table} SET "{plain}" = "{plain}" WHERE {which};'] * updated,
    ]


def _fresh(column: str, kind: str, length: int) -> str:
    """A value that no other row has, where the column's type has room for one; else the pattern's."""
    if kind == "character varying":
        room = length or 36
        return f"left(gen_random_uuid()::text, {room})" if room >= 20 else f'"{column}"'
    return _FRESH.get(kind, f'"{column}"')


def _script(statements: list[str], transactions: int) -> str:
    """As even shares as they come."""
    size = max(1, -(-len(statements) // transactions))
    shares = [statements[first : first + size] for first in range(0, len(statements), size)]
    return "".join("BEGIN;\n" + "\n".join(share) + "\nCOMMIT;\n" for share in shares)


def _pgbench(url: str, script: str, clients: int, seconds: int) -> float:
    program = Path(postgres._program("postgres")).with_name("pgbench")
    known = conninfo_to_dict(url)
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": str(known["host"]),
        "PGPORT": str(known["port"]),
        "PGUSER": str(known["user"]),
        "PGPASSWORD": str(known["password"]),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        options = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", file.name]
        done = subprocess.run(
            [str(program), *options, str(known["dbname"])],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert done.returncode == 0, done.stderr
    assert found, done.stdout
    return float(found.group(1))
