"""The bank's books of one merchant's account: transfers that people make, lines, and orders that send money back."""

import json
import secrets
from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox import appointments, deliveries, payments
from sandbox.provider import ActionRefused, Payment, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS bank_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), account TEXT NOT NULL UNIQUE, token TEXT NOT NULL UNIQUE,
    request_secret TEXT NOT NULL, notice_secret TEXT NOT NULL, webhook TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS bank_transfers (
    payment TEXT PRIMARY KEY REFERENCES payments(id), text TEXT NOT NULL, debtor TEXT NOT NULL,
    debtor_account TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS bank_entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, merchant TEXT NOT NULL,
    payment TEXT REFERENCES payments(id), amount INTEGER NOT NULL, currency TEXT NOT NULL,
    text TEXT NOT NULL, end_to_end_id TEXT NOT NULL DEFAULT '', undoes INTEGER NOT NULL DEFAULT 0,
    debtor TEXT NOT NULL DEFAULT '', debtor_account TEXT NOT NULL DEFAULT '', payout TEXT NOT NULL DEFAULT '',
    booked_at REAL NOT NULL, made_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS bank_entries_booked ON bank_entries (merchant, booked_at);
CREATE TABLE IF NOT EXISTS bank_orders (
    merchant TEXT NOT NULL, end_to_end_id TEXT NOT NULL, id TEXT NOT NULL UNIQUE, payment TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, asked TEXT NOT NULL, status TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', updated_at REAL NOT NULL, PRIMARY KEY (merchant, end_to_end_id)
);
"""
MOVEMENTS = """
    SELECT e.merchant, e.currency,
           CASE WHEN undoes THEN 'refund_returned' WHEN e.amount > 0 THEN 'payment' ELSE 'refund' END AS kind,
           CASE WHEN e.end_to_end_id <> '' THEN e.end_to_end_id ELSE p.reference END AS reference,
           CASE WHEN e.end_to_end_id <> '' THEN p.reference ELSE '' END AS parent,
           e.name AS number, e.amount, 0 AS fee, e.booked_at AS moved_at
    FROM bank_entries e JOIN payments p ON p.id = e.payment
"""
SETTLE = "settle_order"
_SETTLES_AFTER_SECONDS = 0.2
_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "KWD": 3}


@dataclass(frozen=True, slots=True)
class Account:
    merchant: str
    account: str
    token: str
    request_secret: str
    notice_secret: str
    webhook: str


@dataclass(frozen=True, slots=True)
class Line:
    """`payout` names the channel's payout that it is; `made_at` is when, by the real clock, it was written."""

    number: int
    name: str
    merchant: str
    payment: str | None
    amount: int  # negative for what left the account
    currency: str
    text: str
    end_to_end_id: str
    undoes: int
    debtor: str
    debtor_account: str
    payout: str
    booked_at: float
    made_at: float


@dataclass(frozen=True, slots=True)
class Order:
    merchant: str
    end_to_end_id: str
    id: str
    payment: str
    amount: int
    currency: str
    asked: str
    status: str
    reason: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class Transfer:
    payment: str
    text: str
    debtor: str
    debtor_account: str


def take_over(world: World) -> None:
    """Lines that an earlier version of the sandbox wrote."""
    if world.storage.row("SELECT 1 FROM sqlite_master WHERE name = 'bank_lines'") is None:
        return
    world.storage.run(
        "INSERT INTO bank_entries (number, name, merchant, payment, amount, currency, text, end_to_end_id, undoes,"
        " debtor, debtor_account, booked_at, made_at)"
        " SELECT l.number, l.name, l.merchant, l.payment, l.amount, l.currency, l.text, l.end_to_end_id, l.undoes,"
        " CASE WHEN l.amount > 0 AND NOT l.undoes THEN t.debtor ELSE '' END,"
        " CASE WHEN l.amount > 0 AND NOT l.undoes THEN t.debtor_account ELSE '' END, l.booked_at, l.booked_at"
        " FROM bank_lines l JOIN bank_transfers t ON t.payment = l.payment ORDER BY l.number"
    )
    world.storage.run("DROP TABLE bank_lines")


def account_of(world: World, *, account: str = "", merchant: str = "", token: str = "") -> Account | None:
    row = world.storage.row(
        "SELECT * FROM bank_accounts WHERE account = ? OR merchant = ? OR token = ?", account, merchant, token
    )
    return Account(**dict(row)) if row else None


def open_account(world: World, merchant: str) -> None:
    world.storage.run(
        "INSERT INTO bank_accounts (merchant, account, token, request_secret, notice_secret)"
        " VALUES (?, ?, ?, ?, ?)",
        *(merchant, _new_iban(), f"bank_{secrets.token_hex(20)}"),
        *(secrets.token_hex(32), secrets.token_hex(32)),
    )


def written_amount(minor: int, currency: str) -> str:
    return str(Decimal(abs(minor)).scaleb(-_DIGITS.get(currency, 2)))


def written_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def minor_of(amount: str, currency: str) -> int:
    """Raises ValueError for what is no positive amount of the currency."""
    try:
        minor = Decimal(amount).scaleb(_DIGITS.get(currency, 2))
        exact = int(minor)
    except (ArithmeticError, TypeError) as problem:
        raise ValueError("an amount that is none") from problem
    if exact < 1 or exact != minor:
        raise ValueError("amount must be positive, with no more digits than its currency has")
    return exact


def write_transfer(
    world: World, account: Account, *, amount: int, currency: str, text: str, debtor: str, debtor_account: str
) -> Payment:
    """Somebody fills in a transfer; "pay" lets it arrive. Its text is the payment's reference here."""
    payment = world.new_id("trf_")
    made = payments.open_payment(
        world,
        payment=payment,
        channel="bank",
        merchant=account.merchant,
        reference=text,
        amount=amount,
        currency=currency,
        description=f"Transfer of {debtor}",
        actions="pay decline",
    )
    world.storage.run(
        "INSERT INTO bank_transfers (payment, text, debtor, debtor_account) VALUES (?, ?, ?, ?)",
        *(payment, text, debtor, debtor_account),
    )
    return made


def transfer_of(world: World, payment: str) -> Transfer:
    row = world.storage.row("SELECT * FROM bank_transfers WHERE payment = ?", payment)
    assert row is not None
    return Transfer(**dict(row))


def arrive(world: World, payment: Payment) -> None:
    """The transfer is credited, and its merchant is told."""
    account, sent = account_of(world, merchant=payment.merchant), transfer_of(world, payment.id)
    assert account is not None
    payments.add_captured(world, payment.id, payment.amount)
    line = _book(world, payment, payment.amount, sent.text, sent=sent)
    content = {
        "kind": "credit",
        "account": account.account,
        "entry": line.name,
        "amount": written_amount(line.amount, line.currency),
        "currency": line.currency,
        "booked_at": written_time(line.booked_at),
        "text": line.text,
        "debtor": sent.debtor,
        "debtor_account": sent.debtor_account,
    }
    _notify(world, account, payment.id, "credit", content)


def lines_since(world: World, merchant: str, since: float, after: str, limit: int) -> list[Line]:
    """Lines of days from `since` on. A merchant names it by its own clock: what was written since then counts, too."""
    rows = world.storage.rows(
        "SELECT * FROM bank_entries WHERE merchant = ?1 AND max(booked_at, made_at) >= ?2 AND number >"
        " coalesce((SELECT number FROM bank_entries WHERE name = ?3), 0) ORDER BY number LIMIT ?4",
        *(merchant, since, after, limit),
    )
    return [Line(**dict(row)) for row in rows]


def lines_between(world: World, merchant: str, start: float, end: float) -> list[Line]:
    rows = world.storage.rows(
        "SELECT * FROM bank_entries WHERE merchant = ? AND booked_at >= ? AND booked_at < ?"
        " ORDER BY booked_at, number",
        *(merchant, start, end),
    )
    return [Line(**dict(row)) for row in rows]


def balances(world: World, merchant: str, until: float) -> dict[str, int]:
    """What the account held before `until`, by currency."""
    rows = world.storage.rows(
        "SELECT currency, sum(amount) AS held FROM bank_entries WHERE merchant = ? AND booked_at < ? GROUP BY 1",
        *(merchant, until),
    )
    return {row["currency"]: int(row["held"]) for row in rows}


def lines_of(world: World, merchant: str, names: Sequence[str]) -> list[Line]:
    """Those of these lines that somebody's transfer brought."""
    rows = world.storage.rows(
        "SELECT * FROM bank_entries WHERE merchant = ? AND amount > 0 AND payment IS NOT NULL"
        " AND name IN (SELECT value FROM json_each(?))",
        *(merchant, json.dumps(list(names))),
    )
    return [Line(**dict(row)) for row in rows]


def order_of(world: World, merchant: str, end_to_end_id: str) -> Order | None:
    row = world.storage.row(
        "SELECT * FROM bank_orders WHERE merchant = ? AND end_to_end_id = ?", merchant, end_to_end_id
    )
    return Order(**dict(row)) if row else None


def take_order(world: World, payment: Payment, asked: Mapping[str, Any], amount: int) -> Order:
    """Accept an order that the caller has checked; it is carried out a moment later."""
    world.storage.run(
        "INSERT INTO bank_orders (merchant, end_to_end_id, id, payment, amount, currency, asked, status, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'ACCP', ?)",
        *(payment.merchant, asked["end_to_end_id"], world.new_id("ord_"), payment.id, amount),
        *(payment.currency, json.dumps(dict(asked), sort_keys=True), world.now()),
    )
    payments.add_refunded(world, payment.id, amount)
    appointments.make(
        world,
        payment=payment.id,
        deed=SETTLE,
        content=asked["end_to_end_id"],
        after_seconds=_SETTLES_AFTER_SECONDS,
    )
    return _known(world, payment.merchant, asked["end_to_end_id"])


def settle_order(world: World, merchant: str, end_to_end_id: str) -> None:
    order = _known(world, merchant, end_to_end_id)
    if order.status != "ACCP":
        raise ActionRefused(f"the order is {order.status}")
    payment = payments.get_payment(world, order.payment)
    _book(world, payment, -order.amount, json.loads(order.asked)["text"], end_to_end_id)
    _turn(world, order, "ACSC", "")


def reject_order(world: World, merchant: str, end_to_end_id: str, reason: str) -> None:
    """The other bank does not take the money: before it left, or after (then it is credited again)."""
    order = _known(world, merchant, end_to_end_id)
    if order.status == "RJCT":
        raise ActionRefused("the order is RJCT")
    payment = payments.get_payment(world, order.payment)
    if order.status == "ACSC":
        _book(world, payment, order.amount, f"Returned {reason} {end_to_end_id}", end_to_end_id, undoes=True)
    payments.take_refund_back(world, payment.id, order.amount)
    _turn(world, order, "RJCT", reason)


def order_told(order: Order) -> dict[str, Any]:
    return {
        "order": order.id,
        "end_to_end_id": order.end_to_end_id,
        "status": order.status,
        "reason": order.reason,
        "amount": written_amount(order.amount, order.currency),
        "currency": order.currency,
        "updated_at": written_time(order.updated_at),
    }


def _turn(world: World, order: Order, status: str, reason: str) -> None:
    world.storage.run(
        "UPDATE bank_orders SET status = ?, reason = ?, updated_at = ? WHERE id = ?",
        *(status, reason, world.now(), order.id),
    )
    account = account_of(world, merchant=order.merchant)
    assert account is not None
    told = order_told(_known(world, order.merchant, order.end_to_end_id))
    content = {"kind": "order", "account": account.account, **told}
    _notify(world, account, order.payment, f"order {status}", content)


def _known(world: World, merchant: str, end_to_end_id: str) -> Order:
    order = order_of(world, merchant, end_to_end_id)
    if order is None:
        raise ActionRefused("there is no such order")
    return order


def _book(
    world: World,
    payment: Payment,
    amount: int,
    text: str,
    end_to_end_id: str = "",
    *,
    undoes: bool = False,
    sent: Transfer | None = None,
) -> Line:
    debtor = {"debtor": sent.debtor, "debtor_account": sent.debtor_account} if sent else {}
    return book(
        world,
        merchant=payment.merchant,
        payment=payment.id,
        amount=amount,
        currency=payment.currency,
        text=text,
        end_to_end_id=end_to_end_id,
        undoes=int(undoes),
        booked_at=world.now(),
        **debtor,
    )


def book(world: World, *, booked_at: float, **said: Any) -> Line:
    """Write a line; `said` are columns of it."""
    # sixteen characters: no format cuts them
    name = f"{datetime.fromtimestamp(booked_at, UTC):%Y%m%d}{b32encode(secrets.token_bytes(5)).decode()}"
    line = {**said, "name": name, "booked_at": booked_at, "made_at": world.wall()}
    world.storage.run(
        f"INSERT INTO bank_entries ({', '.join(line)}) VALUES ({', '.join('?' * len(line))})",  # noqa: S608
        *line.values(),
    )
    row = world.storage.row("SELECT * FROM bank_entries WHERE name = ?", name)
    assert row is not None
    return Line(**dict(row))


def _notify(world: World, account: Account, payment: str, kind: str, content: Mapping[str, Any]) -> None:
    notice = f"ntc_{secrets.token_hex(12)}"
    deliveries.ask_delivery(
        world,
        channel="bank",
        merchant=account.merchant,
        payment=payment,
        event_id=notice,
        kind=kind,
        url=account.webhook,
        content=json.dumps({"notice": notice, **content}, ensure_ascii=False),
    )


def _new_iban() -> str:
    """A well-formed IBAN of a bank that does not exist; letters in it keep it apart from card numbers."""
    body = f"SAND{secrets.randbelow(10**7):07d}X{secrets.randbelow(10**6):06d}"
    digits = "".join(str(int(character, 36)) for character in f"{body}XX00")
    return f"XX{98 - int(digits) % 97:02d}{body}"
