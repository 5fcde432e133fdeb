"""Past decisions for `risk_decision`: rows as the program stores them, made by the database itself."""

import json
import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

CUSTOMERS, MERCHANTS, SKUS = 50_000, 200, 500
PERIOD = timedelta(days=60)
_KINDS = ("customer", "email", "card", "device", "ip", "network", "address", "merchant")

# As `asked` draws them.
_DRAWN = """
CREATE TEMP TABLE drawn AS
SELECT n, %(now)s - %(period)s * (1 - n / %(past)s::float) AS at, who AS customer, who AS email, who AS ip,
       who AS network, who / 2 AS address, token AS card, token AS device,
       least(floor(-ln(1 - random()) * 30), 200)::int AS merchant, 1000 + (-ln(1 - random()) * 20000)::int AS amount,
       least(floor(-ln(1 - random()) * 40), 500)::int AS sku, least(floor(-ln(1 - random()) * 40), 500)::int AS sku2
  FROM (SELECT n, who, CASE WHEN random() < 0.9 THEN who ELSE 50000 + (random() * 49999)::int END AS token
          FROM (SELECT n, (random() * 49999)::int AS who FROM generate_series(0, %(past)s - 1) AS n) AS w) AS t
"""
_DECIDED = f"""
INSERT INTO risk_decision (id, stage, subject, happened_at, created_at, amount, currency, policy_id, inputs, outcome,
       reasons, explanation, score, level, action, digest, latency_us, customer_key, card_key, device_key)
SELECT uuidv7(at - clock_timestamp()), 'payment', 'pay_' || n, at, at, amount, 'CNY', %(policy)s,
       %(inputs)s::jsonb || jsonb_build_object(
           'facts', %(inputs)s::jsonb -> 'facts' || jsonb_build_object('subject', 'pay_' || n, 'amount', amount,
               'happened_at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')),
           'entities', jsonb_build_object({", ".join(f"'{kind}', {kind}.key" for kind in _KINDS)}),
           'event', jsonb_build_object('ratio', 100, 'skus', jsonb_build_array(sku.key, sku2.key))),
       %(outcome)s, %(reasons)s, '', 0, 'LOW', 'accept', repeat('0', 64), 1000, customer.key, card.key, device.key
  FROM drawn
  {" ".join(f"JOIN known {kind} ON {kind}.kind = '{kind}' AND {kind}.number = drawn.{kind}" for kind in _KINDS)}
  JOIN known sku ON sku.kind = 'sku' AND sku.number = drawn.sku
  JOIN known sku2 ON sku2.kind = 'sku' AND sku2.number = drawn.sku2
 ORDER BY n
"""
_SEEN = """
INSERT INTO risk_tie (id, customer_key, entity, entity_key, first_at, last_at)
SELECT gen_random_uuid(), customer_key, entity, entity_key, min(happened_at), max(happened_at)
  FROM risk_decision, jsonb_each_text(inputs -> 'entities') AS e(entity, entity_key)
 WHERE entity IN ('card', 'device', 'phone', 'email', 'address', 'network')
 GROUP BY customer_key, entity, entity_key
ON CONFLICT DO NOTHING
"""
_TAKEN = """
INSERT INTO risk_limituse (id, subject, customer_key, used_on, amount, channel, method, merchant_key, new_merchant)
SELECT gen_random_uuid(), subject, customer_key, (happened_at AT TIME ZONE 'Asia/Shanghai')::date, amount,
       'stripe', 'card', inputs -> 'entities' ->> 'merchant', false
  FROM risk_decision WHERE digest = repeat('0', 64)
ON CONFLICT DO NOTHING
"""


def asked(number: int, chance: random.Random, at: datetime) -> Any:
    """The question about one payment: most customers have one card and device, places are busy unevenly."""
    from risk.facts import (  # noqa: PLC0415 - needs settings
        AddressFacts,
        CustomerFacts,
        DeviceFacts,
        InstrumentFacts,
        PaymentFacts,
    )

    who = chance.randrange(CUSTOMERS)
    card = who if chance.random() < 0.9 else CUSTOMERS + chance.randrange(CUSTOMERS)
    return PaymentFacts(
        stage="payment",
        subject=f"pay_{number}",
        amount=1000 + int(chance.expovariate(1 / 20_000)),
        currency="CNY",
        happened_at=at,
        channel="stripe",
        merchant=f"m-{min(int(chance.expovariate(1 / 30)), MERCHANTS)}",
        customer=CustomerFacts(
            reference=f"cus_{who}",
            email_hash=f"mail-{who}",
            paid_orders=1 + who % 9,
            registered_at=at - timedelta(days=200),
            verification_level=who % 4,
        ),
        instrument=InstrumentFacts(kind="card", country="CN", brand="visa", fingerprint=f"card-{card}"),
        delivery=AddressFacts(country="CN", hash=f"door-{who // 2}"),
        device=DeviceFacts(identifier=f"dev-{card}", ip=f"203.{who % 250}.{who // 250}.7", ip_country="CN"),
        skus=tuple(f"sku-{min(int(chance.expovariate(1 / 40)), SKUS)}" for _ in range(2)),
    )


def fill(past: int, template: dict[str, Any], policy: UUID, now: datetime) -> None:
    """`past` decisions of the last 60 days, each with the signals of `template`; what they took, and their ties."""
    values = {
        "past": past,
        "policy": policy,
        "now": now,
        "period": PERIOD,
        **{name: json.dumps(template[name]) for name in ("inputs", "outcome", "reasons")},
    }
    with psycopg.connect(os.environ["DATABASE_URL"], cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT setseed(0.5); CREATE TEMP TABLE known (kind text, number int, key text)")
        with cursor.copy("COPY known FROM STDIN") as copy:
            for row in _keys():
                copy.write_row(row)
        cursor.execute("CREATE INDEX ON known (kind, number); ANALYZE known")
        for statement in (_DRAWN, _DECIDED, _SEEN, _TAKEN):
            cursor.execute(statement, values)
        connection.commit()
        connection.autocommit = True
        for table in ("risk_decision", "risk_tie", "risk_limituse"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def _keys() -> Iterator[tuple[str, int, str]]:
    """Everybody and everything that `asked` draws from, by number."""
    from risk.models.lists import key_of  # noqa: PLC0415 - needs settings

    def keys(kind: str, count: int, value: str) -> Iterator[tuple[str, int, str]]:
        for n in range(count):
            yield kind, n, key_of(kind, value.format(n=n, low=n % 250, high=n // 250))

    yield from keys("customer", CUSTOMERS, "cus_{n}")
    yield from keys("email", CUSTOMERS, "mail-{n}")
    yield from keys("card", 2 * CUSTOMERS, "card-{n}")
    yield from keys("device", 2 * CUSTOMERS, "dev-{n}")
    yield from keys("ip", CUSTOMERS, "203.{low}.{high}.7")
    yield from keys("network", CUSTOMERS, "203.{low}.{high}.0/24")
    yield from keys("address", CUSTOMERS // 2, "door-{n}")
    yield from keys("merchant", MERCHANTS + 1, "m-{n}")
    yield from keys("sku", SKUS + 1, "sku-{n}")
