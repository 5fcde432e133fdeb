"""The processor's side of an invoice: new, seen on the chain, confirmed; or too little, too much, late, or never."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox import appointments, deliveries, payments
from sandbox.provider import ActionRefused, Payment, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS crypto_stores (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), store TEXT NOT NULL UNIQUE, api_key TEXT NOT NULL UNIQUE,
    secret TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS crypto_invoices (
    payment TEXT PRIMARY KEY REFERENCES payments(id), code TEXT NOT NULL UNIQUE, asked TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'new', exception TEXT NOT NULL DEFAULT '', paid INTEGER NOT NULL DEFAULT 0,
    settled_at REAL
);
CREATE TABLE IF NOT EXISTS crypto_refunds (
    payment TEXT NOT NULL REFERENCES payments(id), refund_reference TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'requested', reason TEXT NOT NULL DEFAULT '',
    notify_url TEXT NOT NULL, settled_at REAL, PRIMARY KEY (payment, refund_reference)
);
"""
MOVEMENTS = """
    SELECT p.merchant, p.currency, 'payment' AS kind, p.reference, '' AS parent, p.id AS number, i.paid AS amount,
           0 AS fee, i.settled_at AS moved_at
    FROM crypto_invoices i JOIN payments p ON p.id = i.payment WHERE i.settled_at IS NOT NULL
    UNION ALL
    SELECT p.merchant, p.currency, 'refund', r.refund_reference, p.reference, r.id, -r.amount, 0, r.settled_at
    FROM crypto_refunds r JOIN payments p ON p.id = r.payment WHERE r.status = 'settled'
"""
SETTLE = "settle_refund"
# A refund of this sum waits until somebody settles or refuses it.
WAITING_SUM = 66_682
_SETTLES_AFTER_SECONDS = 0.2
_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "KWD": 3}
_STATES = {"expired": "closed", "cancelled": "closed", "invalid": "failed"}


@dataclass(frozen=True, slots=True)
class Store:
    merchant: str
    store: str
    api_key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Invoice:
    payment: str
    code: str
    asked: str
    status: str
    exception: str
    paid: int
    settled_at: float | None

    def said(self, name: str) -> str:
        return str(json.loads(self.asked).get(name, ""))


@dataclass(frozen=True, slots=True)
class Refund:
    payment: str
    refund_reference: str
    id: str
    amount: int
    status: str
    reason: str
    notify_url: str
    settled_at: float | None


def store_of(world: World, *, merchant: str = "", api_key: str = "") -> Store | None:
    row = world.storage.row(
        "SELECT * FROM crypto_stores WHERE merchant = ? OR api_key = ?", merchant, api_key
    )
    return Store(**dict(row)) if row else None


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


def invoice_of(world: World, payment: str) -> Invoice:
    row = world.storage.row("SELECT * FROM crypto_invoices WHERE payment = ?", payment)
    assert row is not None
    return Invoice(**dict(row))


def payment_with_code(world: World, code: str) -> str | None:
    row = world.storage.row("SELECT payment FROM crypto_invoices WHERE code = ?", code)
    return str(row["payment"]) if row else None


def open_invoice(
    world: World, store: Store, asked: Mapping[str, Any], amount: int, expires_at: float
) -> Invoice:
    payment, code = world.new_id("inv_"), secrets.token_urlsafe(12)
    payments.open_payment(
        world,
        payment=payment,
        channel="crypto",
        merchant=store.merchant,
        reference=asked["reference"],
        amount=amount,
        currency=asked["currency"],
        description=asked["description"],
        scan_url=f"{world.public_url}/wallet/crypto/{code}",
        actions="see pay underpay overpay decline expire",
        expires_at=expires_at,
    )
    world.storage.run(
        "INSERT INTO crypto_invoices (payment, code, asked) VALUES (?, ?, ?)",
        *(payment, code, json.dumps(dict(asked), sort_keys=True)),
    )
    return invoice_of(world, payment)


def see(world: World, payment: Payment) -> None:
    """The coins are on their way: the chain has to confirm them."""
    if invoice_of(world, payment.id).status != "new":
        raise ActionRefused("the invoice is not new")
    _turn(world, payment, "processing")


def settle(world: World, payment: Payment, paid: int) -> None:
    """Coins worth `paid` are confirmed. Also after the invoice's end, which nobody on the chain knows of."""
    invoice = invoice_of(world, payment.id)
    if invoice.paid or invoice.status == "settled":
        raise ActionRefused(f"the invoice is {invoice.status}")
    late = invoice.status not in ("new", "processing")
    exception = "late" if late else "underpaid" if paid < payment.amount else ""
    exception = exception or ("overpaid" if paid > payment.amount else "")
    world.storage.run(
        "UPDATE crypto_invoices SET paid = ?, exception = ?, settled_at = ? WHERE payment = ?",
        *(paid, exception, world.now(), payment.id),
    )
    payments.add_captured(world, payment.id, paid)
    _turn(world, payment, invoice.status if late else "expired" if paid < payment.amount else "settled")


def close(world: World, payment: Payment, status: str, *, tell: bool = True) -> None:
    if invoice_of(world, payment.id).status not in ("new", "processing"):
        raise ActionRefused("the invoice is over")
    payments.set_state(world, payment.id, _STATES[status])
    _turn(world, payment, status, tell=tell)


def refund_of(world: World, payment: str, refund_reference: str) -> Refund | None:
    row = world.storage.row(
        "SELECT * FROM crypto_refunds WHERE payment = ? AND refund_reference = ?", payment, refund_reference
    )
    return Refund(**dict(row)) if row else None


def request_refund(
    world: World, payment: Payment, refund_reference: str, amount: int, notify_url: str
) -> Refund:
    """The caller has checked that it is there and that the name is new."""
    world.storage.run(
        "INSERT INTO crypto_refunds (payment, refund_reference, id, amount, notify_url) VALUES (?, ?, ?, ?, ?)",
        *(payment.id, refund_reference, world.new_id("rfd_"), amount, notify_url),
    )
    payments.add_refunded(world, payment.id, amount)
    if amount != WAITING_SUM:
        appointments.make(
            world,
            payment=payment.id,
            deed=SETTLE,
            content=refund_reference,
            after_seconds=_SETTLES_AFTER_SECONDS,
        )
    done = refund_of(world, payment.id, refund_reference)
    assert done is not None
    return done


def end_refund(world: World, payment: Payment, refund_reference: str, *, reason: str = "") -> None:
    """The customer named a wallet and has the coins; or, with a `reason`, the processor does not pay."""
    refund = refund_of(world, payment.id, refund_reference)
    if refund is None or refund.status != "requested":
        raise ActionRefused("no such refund waits")
    world.storage.run(
        "UPDATE crypto_refunds SET status = ?, reason = ?, settled_at = ? WHERE id = ?",
        *("refused" if reason else "settled", reason, None if reason else world.now(), refund.id),
    )
    if reason:
        payments.take_refund_back(world, payment.id, refund.amount)
    done = refund_of(world, payment.id, refund_reference)
    assert done is not None
    _notify(world, payment, f"refund.{done.status}", refund.notify_url, refund_told(payment, done))


def told(world: World, payment: str) -> dict[str, Any]:
    found, invoice = payments.get_payment(world, payment), invoice_of(world, payment)
    return {
        "id": found.id,
        "reference": found.reference,
        "status": invoice.status,
        "exception": invoice.exception,
        "amount": _written(found.amount, found.currency),
        "paid": _written(invoice.paid, found.currency),
        "currency": found.currency,
        "coin": "BTC" if invoice.paid else "",
        "checkout_url": found.scan_url,
        "expires_at": invoice.said("expires_at"),
        "settled_at": _moment(invoice.settled_at),
    }


def refund_told(payment: Payment, done: Refund) -> dict[str, Any]:
    return {
        "id": done.id,
        "reference": payment.reference,
        "refund_reference": done.refund_reference,
        "status": done.status,
        "reason": done.reason,
        "amount": _written(done.amount, payment.currency),
        "currency": payment.currency,
        "settled_at": _moment(done.settled_at),
    }


def _turn(world: World, payment: Payment, status: str, *, tell: bool = True) -> None:
    world.storage.run("UPDATE crypto_invoices SET status = ? WHERE payment = ?", status, payment.id)
    if tell:
        url = invoice_of(world, payment.id).said("notify_url")
        _notify(world, payment, f"invoice.{status}", url, told(world, payment.id))


def _notify(world: World, payment: Payment, kind: str, url: str, data: Mapping[str, Any]) -> None:
    store = store_of(world, merchant=payment.merchant)
    assert store is not None
    event = f"evt_{secrets.token_hex(12)}"
    content = {
        "id": event,
        "type": kind,
        "store": store.store,
        "created_at": _moment(world.now()),
        "data": data,
    }
    deliveries.ask_delivery(
        world,
        channel="crypto",
        merchant=payment.merchant,
        payment=payment.id,
        event_id=event,
        kind=kind,
        url=url,
        content=json.dumps(content, ensure_ascii=False),
    )


def _written(minor: int, currency: str) -> str:
    return str(Decimal(minor).scaleb(-_DIGITS.get(currency, 2)))


def _moment(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment is not None else ""
