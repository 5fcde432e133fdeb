"""Payments in our books, the bill that WeChat would write of them, and 1,000 differences planted between the two."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from ledger.identifiers import decode, encode
from tests.reconciliation.wechat_bill import BEIJING, Row, bill_pieces, fee_of, paid

DAY = date(2026, 3, 2)
MCHID = "1900000001"
KINDS = ("missing_here", "missing_there", "amount", "currency", "state", "fee", "duplicate", "late")
EACH = 125
_BEGIN = datetime(2026, 3, 2, tzinfo=BEIJING)
_KEY = """(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
    || substr(md5(n::text), 4, 15))::uuid"""
# One payment and its try a row: every `step`th is planted with something, by turns. What is late happened days
# before, and what is in another state brought nothing here.
_ROWS = f"""
CREATE UNLOGGED TABLE bench_rows AS
SELECT n, {_KEY} AS id, at, 1000 + (n::bigint * 7919) %% 90000 AS amount, plant FROM (
    SELECT n, CASE WHEN n %% %(step)s = 0 AND n / %(step)s < 1000 THEN n / %(step)s %% 8 END AS plant,
        %(begin)s::timestamptz + (n::float8 / %(rows)s) * interval '86399 seconds'
            - CASE WHEN n %% %(step)s = 0 AND n / %(step)s < 1000 AND n / %(step)s %% 8 = 7 THEN interval '5 days'
                ELSE interval '0' END AS at
    FROM generate_series(0, %(rows)s - 1) AS n
) rows
"""
_PAYMENTS = """
INSERT INTO payments_payment (id, reference, business_key, state, method, channel, currency, amount,
    amount_authorized,
    amount_captured, amount_refunding, amount_refunded, surplus, description, decision, risk_level, "case",
        review_pending,
    failure_code, failure_message, advice, instrument, return_url, device, client_ip, expires_at, created_at,
        updated_at)
SELECT id, 'ord_' || n, 'ord_' || n || ':pay', CASE WHEN plant = 4 THEN 'FAILED' ELSE 'SUCCEEDED' END,
    'wechat_pay', 'wechat',
    'CNY', amount, 0, CASE WHEN plant = 4 THEN 0 ELSE amount END, 0, 0, false, 'Order ' || n, 'dec', 'LOW', '', false,
    '', '', '', '{}', '', 'phone', '', at, at, at
FROM bench_rows
"""
_ATTEMPTS = """
INSERT INTO payments_attempt (id, payment_id, kind, sequence, state, channel, channel_reference, currency,
    amount, brought,
    brought_at, booked_at, request, route, answer, three_d_secure, action_kind, action_value, code, message,
        checks, created_at,
    sent_at, answered_at)
SELECT id, id, 'START', 1, CASE WHEN plant = 4 THEN 'DECLINED' ELSE 'SUCCEEDED' END, 'wechat', '4200' || n,
    'CNY', amount,
    CASE WHEN plant = 4 THEN 0 ELSE amount END, at, at,
    jsonb_build_object('description', 'Order ' || n, 'notify_url', 'https://shop.example/webhooks/wechat',
        'device', 'phone'),
    jsonb_build_object('method', 'wechat_pay', 'channel', 'wechat'),
    jsonb_build_object('trade_state', 'SUCCESS', 'transaction_id', '4200' || n, 'bank_type', 'OTHERS'),
    '{}', 'qr', 'weixin://wxpay/bizpayurl?pr=' || n, '', '', 1, at, at, at
FROM bench_rows
"""
_CLEAR = """
SET session_replication_role = replica;
TRUNCATE payments_attempt, payments_payment CASCADE;
DROP TABLE IF EXISTS bench_rows;
"""


class Planted:
    """`faults` are (kind, subject). Written once, it is found again in the folder."""

    def __init__(self, url: str, folder: Path, rows: int) -> None:
        self._url = url
        self._rows = rows
        self._step = max(1, rows // 1000)
        self.bill = folder / f"wechat_trade_{DAY:%Y%m%d}_{rows}.csv.gz"
        self.cleaned = folder / f"cleaned_{rows}.txt"
        self._faults = folder / f"faults_{rows}.txt"

    @property
    def window(self) -> tuple[datetime, datetime]:
        return _BEGIN, _BEGIN + timedelta(days=1)

    @property
    def faults(self) -> set[tuple[str, str]]:
        lines = (line.split() for line in self._faults.read_text().splitlines())
        return {(kind, subject) for kind, subject in lines}

    def write(self) -> None:
        with psycopg.connect(self._url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute(_CLEAR)
            connection.execute(_ROWS, {"rows": self._rows, "step": self._step, "begin": _BEGIN})
            connection.execute(_PAYMENTS)
            connection.execute(_ATTEMPTS)
            connection.execute("VACUUM ANALYZE payments_payment")
            connection.execute("VACUUM ANALYZE payments_attempt")
        with psycopg.connect(self._url) as connection, connection.cursor("rows") as cursor:
            cursor.itersize = 10_000
            cursor.execute("SELECT n, id, at, amount, coalesce(plant, -1) FROM bench_rows ORDER BY n")
            self._write_files(cursor)

    def _write_files(self, ours: "psycopg.ServerCursor[tuple[int, UUID, datetime, int, int]]") -> None:
        with (
            gzip.open(self.bill, "wb", compresslevel=4) as bill,
            self.cleaned.open("w") as cleaned,
            self._faults.open("w") as faults,
        ):

            def rows():  # type: ignore[no-untyped-def]
                number = 1
                for n, key, at, amount, plant in ours:
                    row = paid(encode("att", key), amount, at=at, theirs=f"4200{n}")
                    for one in _planted(row, plant, lambda *fault: faults.write(" ".join(fault) + "\n")):
                        number += 1
                        cleaned.write(_cleaned(number, one))
                        yield one

            for piece in bill_pieces(rows(), MCHID):
                bill.write(piece)


def _planted(row: Row, plant: int, note: Callable[[str, str], object]) -> list[Row]:
    """What the bill has of one payment."""
    if plant < 0:
        return [row]
    kind = KINDS[plant]
    stranger = f"att_0{row.order[5:][::-1]}"
    note(kind, stranger if kind == "missing_here" else row.order)
    here = replace(row, at=_BEGIN + timedelta(hours=1))
    return {
        "missing_here": [row, replace(row, order=stranger, theirs=f"{row.theirs}x")],
        "missing_there": [],
        "amount": [replace(row, amount=row.amount + 7, fee=fee_of(row.amount + 7))],
        "currency": [replace(row, currency="HKD")],
        "state": [row],
        "fee": [replace(row, fee=row.fee + 5500)],
        "duplicate": [row, replace(row, theirs=f"{row.theirs}y")],
        "late": [here],
    }[kind]


def _cleaned(number: int, row: Row) -> str:
    cells = (number, "payment", decode("att", row.order), "", "\\N", row.theirs, "", row.amount, row.fee)
    return "\t".join(map(str, (*cells, row.currency, row.at.isoformat(), "success", row.text))) + "\n"
