"""One SQLite file in WAL mode: reads, writes and transactions of one thread."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS merchants (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS payments (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants(id),
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'authorized', 'paid', 'failed', 'closed')),
    captured INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0),
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    disputed INTEGER NOT NULL DEFAULT 0,
    reinstated INTEGER NOT NULL DEFAULT 0,
    dispute_fees INTEGER NOT NULL DEFAULT 0,
    scan_url TEXT NOT NULL DEFAULT '',
    actions TEXT NOT NULL DEFAULT '',
    expires_at REAL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS payments_reference ON payments (reference);
CREATE INDEX IF NOT EXISTS payments_created ON payments (created_at);
CREATE INDEX IF NOT EXISTS payments_waiting ON payments (created_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS payments_expiring ON payments (expires_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS payments_moved ON payments (reference, id) WHERE captured > 0;
CREATE INDEX IF NOT EXISTS payments_held ON payments (channel) WHERE state = 'authorized';
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchants(id),
    payment TEXT NOT NULL,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    content TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    last_status INTEGER,
    last_error TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    twist TEXT NOT NULL DEFAULT '',
    twisted_tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS deliveries_created ON deliveries (created_at);
CREATE INDEX IF NOT EXISTS deliveries_payment ON deliveries (payment, created_at);
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (next_at) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL,
    seconds REAL NOT NULL, remaining INTEGER NOT NULL, status INTEGER NOT NULL DEFAULT 500,
    channel TEXT NOT NULL DEFAULT '', merchant TEXT NOT NULL DEFAULT '', match TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS faults_planned ON faults (id) WHERE remaining > 0;
CREATE TABLE IF NOT EXISTS twists (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL, merchant TEXT NOT NULL, reference TEXT NOT NULL,
    event TEXT NOT NULL, kind TEXT NOT NULL, seconds REAL NOT NULL, count INTEGER NOT NULL,
    remaining INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fates (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL, reference TEXT NOT NULL, deed TEXT NOT NULL,
    fate TEXT NOT NULL, seconds REAL NOT NULL, remaining INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS appointments (
    id INTEGER PRIMARY KEY, due_at REAL NOT NULL, payment TEXT NOT NULL REFERENCES payments(id),
    deed TEXT NOT NULL, content TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS appointments_due ON appointments (due_at);
CREATE TABLE IF NOT EXISTS payouts (
    id TEXT PRIMARY KEY, channel TEXT NOT NULL, merchant TEXT NOT NULL REFERENCES merchants(id),
    currency TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), day TEXT NOT NULL, payer TEXT NOT NULL,
    text TEXT NOT NULL, made_at REAL NOT NULL, arrives_at REAL NOT NULL, booked INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS payouts_made ON payouts (channel, merchant, made_at);
CREATE INDEX IF NOT EXISTS payouts_arriving ON payouts (arrives_at) WHERE booked = 0;
CREATE TABLE IF NOT EXISTS occurrences (subject TEXT PRIMARY KEY, seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mishaps (kind TEXT PRIMARY KEY, happened INTEGER NOT NULL) WITHOUT ROWID;
"""


# columns that the files of earlier versions do not have
_GROWN = {
    "payments": (
        *("disputed INTEGER NOT NULL DEFAULT 0", "reinstated INTEGER NOT NULL DEFAULT 0"),
        "dispute_fees INTEGER NOT NULL DEFAULT 0",
    ),
    "deliveries": ("twist TEXT NOT NULL DEFAULT ''", "twisted_tries INTEGER NOT NULL DEFAULT 0"),
    "faults": (
        *("status INTEGER NOT NULL DEFAULT 500", "channel TEXT NOT NULL DEFAULT ''"),
        *("merchant TEXT NOT NULL DEFAULT ''", "match TEXT NOT NULL DEFAULT ''"),
    ),
}


class Storage:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "sandbox.sqlite3", isolation_level=None, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._depth = 0
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._grow()
        self.create(SCHEMA)

    def _grow(self) -> None:
        for table, columns in _GROWN.items():
            known = {row["name"] for row in self.rows(f"PRAGMA table_info({table})")}
            for column in columns:
                if known and column.partition(" ")[0] not in known:
                    self.run(f"ALTER TABLE {table} ADD COLUMN {column}")

    def create(self, schema: str) -> None:
        self._connection.executescript(schema)

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement and return how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another transaction it joins that one. Never await inside."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        else:
            self._connection.execute("COMMIT")
        finally:
            self._depth = 0

    def remember(self, name: str, make: Callable[[], str]) -> str:
        """The text kept under `name`; made and stored the first time it is asked for."""
        found = self.recall(name)
        if found is None:
            self.keep(name, found := make())
        return found

    def recall(self, name: str) -> str | None:
        found = self.row("SELECT value FROM memory WHERE name = ?", name)
        return str(found["value"]) if found else None

    def keep(self, name: str, value: str) -> None:
        self.run("INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", name, value)

    def close(self) -> None:
        self._connection.close()
