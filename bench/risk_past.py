"""Past decisions for `risk_decision`: stored as the program stores them, by COPY."""

import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

CUSTOMERS, MERCHANTS, SKUS = 50_000, 200, 500
PERIOD = timedelta(days=60)
_COLUMNS = (
    "id, stage, subject, happened_at, created_at, amount, currency, policy_id, inputs, outcome, reasons, explanation,"
    " score, level, action, digest, latency_us, customer_key, card_key, device_key"
)
_TIES = "id, customer_key, entity, entity_key, first_at, last_at"
_TAKEN = """
INSERT INTO risk_limituse (id, subject, customer_key, used_on, amount, channel, method, merchant_key, new_merchant)
SELECT gen_random_uuid(), subject, customer_key, (happened_at AT TIME ZONE 'Asia/Shanghai')::date, amount,
       'stripe', 'card', '', false
  FROM risk_decision WHERE digest = repeat('0', 64)
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
    text = {name: json.dumps(template[name]) for name in ("outcome", "reasons")}
    ties: dict[tuple[str, str], list[Any]] = {}
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY risk_decision ({_COLUMNS}) FROM STDIN") as copy:
            for row in _rows(past, template["inputs"], policy, now, text, ties):
                copy.write_row(row)
        with cursor.copy(f"COPY risk_tie ({_TIES}) FROM STDIN") as copy:
            for (customer, key), (kind, first, last) in ties.items():
                copy.write_row((uuid4(), customer, kind, key, first, last))
        cursor.execute(_TAKEN)
        connection.commit()
        connection.autocommit = True
        for table in ("risk_decision", "risk_tie", "risk_limituse"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def _rows(
    past: int,
    inputs: dict[str, Any],
    policy: UUID,
    now: datetime,
    text: dict[str, str],
    ties: dict[tuple[str, str], list[Any]],
) -> Iterator[tuple[Any, ...]]:
    from ledger.identifiers import first_key_of  # noqa: PLC0415 - needs settings
    from risk import features  # noqa: PLC0415
    from risk.features import Evidence  # noqa: PLC0415
    from risk.models.lists import entity_secret  # noqa: PLC0415
    from risk.rings import LINKING  # noqa: PLC0415

    secret, chance = entity_secret(), random.Random(1)
    own = ("facts", "entities", "event", "features", "lists", "graph")
    rest = json.dumps({name: value for name, value in inputs.items() if name not in own})
    for number in range(past):
        at = (now - PERIOD * (1 - number / past)).astimezone(UTC)
        facts = asked(number, chance, at)
        entities = features.entities(facts, secret=secret)
        single = {kind: key for kind, key in entities if kind != "sku"}
        told = {"ratio": 100, "skus": [key for kind, key in entities if kind == "sku"]}
        kept = features.inputs_of(facts, Evidence(payments_last_minute={}), single) | {"event": told}
        for kind in LINKING:
            if kind in single:
                ties.setdefault((single["customer"], single[kind]), [str(kind), at, at])[2] = at
        key = UUID(int=first_key_of(at).int + chance.getrandbits(60))
        yield (
            *(key, "payment", facts.subject, at, at, facts.amount, "CNY", policy),
            *(
                f"{json.dumps(kept)[:-1]}, {rest[1:]}",
                text["outcome"],
                text["reasons"],
                "",
                0,
                "LOW",
                "accept",
            ),
            *("0" * 64, 1000, single["customer"], single["card"], single["device"]),
        )
