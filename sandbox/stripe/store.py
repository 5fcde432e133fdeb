"""Stripe's objects as JSON in one table, and the merchants' accounts."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.provider import World
from sandbox.stripe.errors import missing

SCHEMA = """
CREATE TABLE IF NOT EXISTS stripe_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id),
    secret_key TEXT NOT NULL UNIQUE,
    publishable_key TEXT NOT NULL UNIQUE,
    webhook_url TEXT NOT NULL,
    webhook_secrets TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS stripe_objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    merchant TEXT NOT NULL,
    parent TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS stripe_objects_parent ON stripe_objects (parent, kind);
CREATE INDEX IF NOT EXISTS stripe_objects_kind ON stripe_objects (merchant, kind, sequence);
CREATE TABLE IF NOT EXISTS stripe_entries (
    id TEXT PRIMARY KEY,
    merchant TEXT NOT NULL,
    currency TEXT NOT NULL,
    net INTEGER NOT NULL,
    created INTEGER NOT NULL,
    available_on INTEGER NOT NULL,
    payout TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS stripe_entries_created ON stripe_entries (merchant, created);
CREATE INDEX IF NOT EXISTS stripe_entries_payout ON stripe_entries (merchant, payout, available_on);
CREATE TABLE IF NOT EXISTS stripe_balances (
    merchant TEXT NOT NULL,
    currency TEXT NOT NULL,
    total INTEGER NOT NULL,
    may_owe INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (merchant, currency)
);
CREATE TABLE IF NOT EXISTS stripe_deadlines (item TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS stripe_deadlines_at ON stripe_deadlines (at);
CREATE TABLE IF NOT EXISTS stripe_idempotency (
    merchant TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (merchant, key)
);
"""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    merchant: str
    secret_key: str
    publishable_key: str
    webhook_url: str
    webhook_secrets: tuple[str, ...]


def account_where(world: World, *, merchant: str = "", key: str = "") -> Account | None:
    """The account of a merchant, or of a secret or publishable key."""
    row = world.storage.row(
        "SELECT * FROM stripe_accounts WHERE merchant = ? OR secret_key = ? OR publishable_key = ?",
        *(merchant, key, key),
    )
    if row is None:
        return None
    return Account(**{**dict(row), "webhook_secrets": tuple(json.loads(row["webhook_secrets"]))})


def account_of(world: World, merchant: str) -> Account:
    account = account_where(world, merchant=merchant)
    if account is None:
        raise missing("account", merchant)
    return account


def add(world: World, merchant: str, item: Object, *, parent: str = "") -> Object:
    """Store a new object. Names that begin with `_` stay inside the sandbox."""
    world.storage.run(
        "INSERT INTO stripe_objects (id, kind, merchant, parent, data) VALUES (?, ?, ?, ?, ?)",
        *(item["id"], item["object"], merchant, parent, json.dumps(item)),
    )
    return item


def save(world: World, item: Object) -> None:
    world.storage.run("UPDATE stripe_objects SET data = ? WHERE id = ?", json.dumps(item), item["id"])


def load(world: World, merchant: str, kind: str, key: str, param: str = "id") -> Object:
    row = world.storage.row(
        "SELECT data FROM stripe_objects WHERE id = ? AND kind = ? AND merchant = ?", key, kind, merchant
    )
    if row is None:
        raise missing(kind, key, param)
    item: Object = json.loads(row["data"])
    return item


def owner_of(world: World, key: str) -> str:
    row = world.storage.row("SELECT merchant FROM stripe_objects WHERE id = ?", key)
    if row is None:
        raise missing("object", key)
    return str(row["merchant"])


def children(world: World, parent: str, kind: str) -> list[Object]:
    rows = world.storage.rows(
        "SELECT data FROM stripe_objects WHERE parent = ? AND kind = ? ORDER BY sequence DESC", parent, kind
    )
    return [json.loads(row["data"]) for row in rows]


def newest(world: World, merchant: str, kind: str) -> list[Object]:
    rows = world.storage.rows(
        "SELECT data FROM stripe_objects WHERE merchant = ? AND kind = ? ORDER BY sequence DESC",
        *(merchant, kind),
    )
    return [json.loads(row["data"]) for row in rows]


_KINDS = {
    "pi_": "payment_intent",
    "ch_": "charge",
    "pm_": "payment_method",
    "re_": "refund",
    "txn_": "balance_transaction",
    "dp_": "dispute",
    "file_": "file",
    "cus_": "customer",
    "po_": "payout",
}


def shown(world: World, merchant: str, item: Any, expand: list[str]) -> Any:
    """The object as the API shows it: without inner names, with the asked references opened."""
    if isinstance(item, list):
        return [shown(world, merchant, one, expand) for one in item]
    if not isinstance(item, dict):
        return item
    outside = {name: value for name, value in item.items() if not name.startswith("_")}
    for name, value in outside.items():
        deeper = [path.partition(".")[2] for path in expand if path.partition(".")[0] == name]
        if deeper and isinstance(value, str):
            outside[name] = _opened(world, merchant, value, deeper)
        else:
            outside[name] = shown(world, merchant, value, deeper)
    return outside


def _opened(world: World, merchant: str, key: str, deeper: list[str]) -> Any:
    kind = next((kind for prefix, kind in _KINDS.items() if key.startswith(prefix)), "")
    return (
        shown(world, merchant, load(world, merchant, kind, key), [path for path in deeper if path])
        if kind
        else key
    )
