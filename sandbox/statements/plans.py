"""What was planted, and the truth of it: which row was meant, what it said, and what reconciliation should call it."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.provider import World
from sandbox.statements.pages import Page, Seen

SCHEMA = """
CREATE TABLE IF NOT EXISTS statement_faults (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL, merchant TEXT NOT NULL REFERENCES merchants(id),
    file TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, asked TEXT NOT NULL, remaining INTEGER NOT NULL,
    target TEXT NOT NULL DEFAULT '', truth TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS statement_faults_of ON statement_faults (channel, merchant);
"""
# kind → the rows it can befall, and what the difference is called
ROW_KINDS = {
    "missing": ("payment", "missing_there"),
    "foreign": ("payment", "missing_here"),
    "amount": ("payment", "amount"),
    "currency": ("payment", "currency"),
    "state": ("refund", "state"),
    "fee": ("payment", "fee"),
    "duplicate": ("payment", "duplicate"),
    "late": ("payment", "late"),
    "refund_missing": ("refund", "missing_there"),
    "payout_amount": ("payout", "deposit_amount"),
    "deposit_missing": ("payout", "deposit_missing"),
    "deposit_split": ("payout", ""),
    "deposits_joined": ("payout", ""),
    "unexplained": ("", "bank_unexplained"),
}
# kind → what becomes of the file
FILE_KINDS = {
    "truncated": "refused",
    "damaged": "refused",
    "wrong_hash": "refused",
    "mixed_days": "refused",
    "other_merchant": "refused",
    "zip_bomb": "refused",
    "path_traversal": "refused",
    "repeated": "refused",
    "not_ready": "retried",
    "corrected": "superseded",
}
_ASKED = {"by": int, "days": int, "reference": str, "deep": bool, "currency": str, "state": str}
_LATEST_JOIN_DAYS = 7
_SALT = 7919


@dataclass(frozen=True, slots=True)
class Fault:
    """`remaining`: how many more times a whole file is spoiled. `target` is the row's key, "" until it is known."""

    id: int
    channel: str
    merchant: str
    file: str
    day: date
    kind: str
    asked: dict[str, Any]
    remaining: int
    target: str
    truth: dict[str, Any]

    def dice(self) -> Random:
        return Random(self.id * _SALT)  # noqa: S311 - the same fault, the same choice


def pages_of(world: World, channel: str, file: str) -> dict[str, Page[Any]]:
    """The channel's statements that `file` names, "" for all. Raises ValueError."""
    provider = world.providers.get(channel)
    if provider is None or not provider.statements:
        told = sorted(name for name, one in world.providers.items() if one.statements)
        raise ValueError(f"channel must be one of {', '.join(told)}")
    if file and file not in provider.statements:
        raise ValueError(f"file must be one of {', '.join(provider.statements)}")
    return {name: page for name, page in provider.statements.items() if file in ("", name)}


def plan(
    world: World,
    *,
    channel: str,
    day: str,
    kind: str,
    merchant: str = "",
    file: str = "",
    times: int = 1,
    **asked: Any,
) -> Fault:
    """Plant it in the statement of `day`. Raises ValueError for what that statement can not bear."""
    pages = pages_of(world, channel, file)
    if not any(kind in (*page.row_kinds, *page.file_kinds) for page in pages.values()):
        can = sorted({one for page in pages.values() for one in (*page.row_kinds, *page.file_kinds)})
        raise ValueError(f"kind must be one of {', '.join(can)}")
    for name, value in asked.items():
        if name not in _ASKED or type(value) is not _ASKED[name]:
            raise ValueError(f"there is no {name}, or not of this type")
    if kind == "damaged" and asked.get("deep") and not all(page.has_totals for page in pages.values()):
        raise ValueError("nothing in this file would tell that an amount was changed")
    meant = date.fromisoformat(day)
    world.storage.run(
        "INSERT INTO statement_faults (channel, merchant, file, day, kind, asked, remaining)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(channel, merchant_of(world, merchant), file, meant.isoformat(), kind, json.dumps(asked), times),
    )
    (made,) = _found(world, "id = last_insert_rowid()")
    return resolved(world, made)


def merchant_of(world: World, named: str) -> str:
    """The merchant of this id or name; the only one when none is named."""
    rows = world.storage.rows("SELECT id FROM merchants WHERE ? IN ('', id, name) LIMIT 2", named)
    if len(rows) != 1:
        raise ValueError("merchant must be the id or the name of one")
    return str(rows[0]["id"])


def planted(world: World, *, channel: str = "", merchant: str = "") -> list[Fault]:
    """Everything that was planted, with what is known of it by now."""
    found = _found(world, "? IN ('', channel) AND ? IN ('', merchant)", channel, merchant)
    return [resolved(world, fault) for fault in found]


def with_id(world: World, fault: int) -> Fault | None:
    found = _found(world, "id = ?", fault)
    return found[0] if found else None


def forget(world: World, fault: int) -> int:
    return world.storage.run("DELETE FROM statement_faults WHERE id = ?", fault)


def told(fault: Fault) -> dict[str, Any]:
    named = {name: getattr(fault, name) for name in ("id", "channel", "merchant", "file", "kind")}
    expected = FILE_KINDS.get(fault.kind) or ROW_KINDS[fault.kind][1]
    planted = bool(fault.target) or fault.kind in FILE_KINDS
    return {
        **named,
        "day": fault.day.isoformat(),
        "planted": planted,
        "expected": expected,
        "remaining": fault.remaining,
        **fault.asked,
        **fault.truth,
    }


def of_rows(world: World, channel: str, merchant: str, file: str) -> list[Fault]:
    """The faults of rows that concern this statement, with their targets."""
    found = _found(world, "channel = ? AND merchant = ? AND file IN ('', ?)", *(channel, merchant, file))
    return [resolved(world, fault) for fault in found if fault.kind in ROW_KINDS]


def of_file(world: World, channel: str, merchant: str, file: str, day: date, kinds: str) -> Fault | None:
    """The fault of one of these kinds that this file meets now."""
    can = world.providers[channel].statements[file].file_kinds
    found = _found(
        world,
        "channel = ? AND merchant = ? AND file IN ('', ?) AND day = ? AND remaining > 0",
        *(channel, merchant, file, day.isoformat()),
    )
    return next((fault for fault in found if fault.kind in kinds.split() and fault.kind in can), None)


def use_up(world: World, fault: Fault) -> None:
    world.storage.run("UPDATE statement_faults SET remaining = remaining - 1 WHERE id = ?", fault.id)


def resolved(world: World, fault: Fault) -> Fault:
    """The fault with its row, once the day is over and has one."""
    if fault.target or fault.kind not in ROW_KINDS:
        return fault
    for page in pages_of(world, fault.channel, fault.file).values():
        over = page.begins(fault.day + timedelta(days=1)) <= world.now()
        if fault.kind in page.row_kinds and over and (truth := _choice(world, fault, page)):
            world.storage.run(
                "UPDATE statement_faults SET target = ?, truth = ? WHERE id = ?",
                *(truth["key"], json.dumps(truth), fault.id),
            )
            return _found(world, "id = ?", fault.id)[0]
    return fault


def _choice(world: World, fault: Fault, page: Page[Any]) -> dict[str, Any]:
    if fault.kind == "unexplained":
        assert page.invented is not None
        made = page.seen(page.invented(world, fault.merchant, fault.day, fault.dice()))
        return _truth(made)
    rows = _free(world, fault, page, fault.day)
    if not rows:
        return {}
    chosen = fault.dice().choice(rows)
    if fault.kind == "deposits_joined":
        return _partner(world, fault, page, chosen)
    return _truth(chosen)


def _free(world: World, fault: Fault, page: Page[Any], day: date) -> list[Seen]:
    """The rows that it can befall and that no other fault has befallen."""
    taken = {
        key
        for row in world.storage.rows(
            "SELECT target, truth FROM statement_faults WHERE channel = ? AND merchant = ?"
            " AND target <> '' AND kind <> 'foreign'",
            *(fault.channel, fault.merchant),
        )
        for key in (row["target"], json.loads(row["truth"]).get("joined_with"))
    }
    wanted, reference = ROW_KINDS[fault.kind][0], fault.asked.get("reference", "")
    seen = [page.seen(row) for row in page.rows(world, fault.merchant, day)]
    return [
        one
        for one in seen
        if one.kind == wanted and one.key not in taken and reference in ("", one.reference)
    ]


def _partner(world: World, fault: Fault, page: Page[Any], chosen: Seen) -> dict[str, Any]:
    """The next deposit of the same payer, that this one is joined with; nothing when there is none."""
    for later in range(_LATEST_JOIN_DAYS):
        day = fault.day + timedelta(days=later)
        for other in _free(world, fault, page, day):
            same = (other.payer, other.currency) == (chosen.payer, chosen.currency)
            if same and other.key != chosen.key and other.moved_at >= chosen.moved_at:
                joined = {"joined_with": other.key, "joined_reference": other.reference}
                return {**_truth(chosen), **joined, "joined_day": day.isoformat()}
    return {}


def _truth(seen: Seen) -> dict[str, Any]:
    return {
        "key": seen.key,
        "reference": seen.reference,
        "amount": seen.amount,
        "fee": seen.fee,
        "currency": seen.currency,
        "moved_at": seen.moved_at,
    }


def _found(world: World, where: str, *values: object) -> list[Fault]:
    rows = world.storage.rows(
        f"SELECT * FROM statement_faults WHERE {where} ORDER BY id",  # noqa: S608 - our own words
        *values,
    )
    return [
        Fault(
            **{
                **dict(row),
                "day": date.fromisoformat(row["day"]),
                "asked": json.loads(row["asked"]),
                "truth": json.loads(row["truth"] or "{}"),
            }
        )
        for row in rows
    ]
