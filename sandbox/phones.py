"""The accounts of merchants who send text messages, and what arrived at the phones."""

import secrets

from sandbox.provider import World

SCHEMA = """
CREATE TABLE IF NOT EXISTS sms_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), api_key TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS sms_messages (
    id INTEGER PRIMARY KEY, merchant TEXT NOT NULL REFERENCES merchants(id), key TEXT NOT NULL,
    phone TEXT NOT NULL, text TEXT NOT NULL, created_at REAL NOT NULL, UNIQUE (merchant, key)
);
"""


def onboard(world: World, merchant: str) -> dict[str, str]:
    """The same merchant always gets the same key."""
    world.storage.run(
        "INSERT OR IGNORE INTO sms_accounts (merchant, api_key) VALUES (?, ?)",
        merchant,
        f"sms_{secrets.token_urlsafe(24)}",
    )
    row = world.storage.row("SELECT api_key FROM sms_accounts WHERE merchant = ?", merchant)
    assert row is not None
    return {"api_key": str(row["api_key"])}
