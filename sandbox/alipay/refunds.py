"""Refunds that do not end at once: Alipay's "10000" is no refund, and a merchant must know what to do then.

Two sums of a refund are special. 666.81 yuan: the first request is answered with `fund_change` N and forgotten; the
same number again moves the money. 666.82 yuan: every request is answered with N, the query knows nothing, and the
money moves when `POST /control/alipay/{app_id}/refunds/{out_request_no}/finish` says so.
"""

from sandbox import payments
from sandbox.alipay import trades
from sandbox.provider import ActionRefused, Payment, World

FORGOTTEN_AT_FIRST, LATER = 66_681, 66_682

SCHEMA = """
CREATE TABLE IF NOT EXISTS alipay_refund_asks (
    payment TEXT NOT NULL REFERENCES payments(id), out_request_no TEXT NOT NULL, amount INTEGER NOT NULL,
    PRIMARY KEY (payment, out_request_no)
);
"""


def refund(world: World, payment: Payment, number: str, amount: int) -> bool:
    """Give `amount` back now, if it is a sum that moves now: whether it did. The caller has checked the sum."""
    first = world.storage.run(
        "INSERT OR IGNORE INTO alipay_refund_asks (payment, out_request_no, amount) VALUES (?, ?, ?)",
        *(payment.id, number, amount),
    )
    if amount == LATER or (first and amount == FORGOTTEN_AT_FIRST):
        return False
    trades.refund(world, payment, number, amount)
    return True


def finish(world: World, merchant: str, number: str) -> None:
    """Move the money of a refund that was asked for and waits. Raises ActionRefused."""
    row = world.storage.row(
        "SELECT a.payment, a.amount FROM alipay_refund_asks a JOIN payments p ON p.id = a.payment"
        " WHERE p.merchant = ? AND a.out_request_no = ?",
        *(merchant, number),
    )
    if row is None:
        raise ActionRefused(f"nobody asked for the refund {number!r}")
    payment = payments.get_payment(world, row["payment"])
    if trades.refund_of(world, payment.id, number):
        raise ActionRefused("the refund is over")
    if payment.refunded + row["amount"] > payment.captured:
        raise ActionRefused("that much is not there any more")
    trades.refund(world, payment, number, row["amount"])
