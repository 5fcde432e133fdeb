"""`python -m bench risk_replay`: six months of decisions judged again, by their own policy and by another one."""

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

from bench.frame import finish, say
from bench.own_database import own_database

DECISIONS = int(os.environ.get("RISK_REPLAY_DECISIONS", "120000"))
DAYS, KINDS = 180, 400


def main() -> int:
    with own_database():
        from django.core.management import call_command  # noqa: PLC0415 - needs settings

        def told(*command: str) -> Any:
            out = StringIO()
            call_command(*command, "--json", stdout=out)
            say(f"{command[0]}: {out.getvalue()[:300].strip()}")
            return json.loads(out.getvalue())

        _fill()
        before = told("replay_decisions", "--all")
        changed = _another_policy()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        after = told("replay_decisions", "--all")
        tested = told("back_test_policy", changed, "--days", str(DAYS))
    figures = {
        "rounds": 1,
        "decisions": after["decisions"],
        "replay_seconds": before["seconds"],
        "replay_seconds_after_policy_change": after["seconds"],
        "same": before["same"] and after["same"],
        "back_test_seconds": tested["seconds"],
        "back_test_decisions": tested["decisions"],
        "memory_grown_mib": tested["most_memory_mib"] - memory,
    }
    reached = figures["same"] and tested["seconds"] <= 60 and tested["decisions"] >= 100_000
    finish(
        "risk_replay",
        ratio=60 / max(tested["seconds"], 0.01),
        reference="a back-test of six months in 60 s",
        figures=figures,
        reached=reached,
    )
    return 0 if reached else 1


def _fill() -> None:
    """Real decisions of different payments, repeated over six months with amounts and keys of their own."""
    from django.db import connection, transaction  # noqa: PLC0415

    from ledger.identifiers import first_key_of  # noqa: PLC0415
    from risk import rules  # noqa: PLC0415
    from risk.models import Decision  # noqa: PLC0415
    from risk.selectors import policy_document  # noqa: PLC0415
    from risk.services.assess import assess  # noqa: PLC0415
    from tests.risk.makers import facts  # noqa: PLC0415

    for n in range(KINDS):
        with transaction.atomic():
            to, paid = ("US" if n % 9 == 0 else "CN"), n % 3
            amount = 1_000 + n * n * 7
            assess(facts=facts(amount, subject=f"seed_{n}", customer=f"cus_{n}", to=to, paid_orders=paid))
    seeds = list(Decision.objects.order_by("pk"))
    start, step = datetime.now(UTC) - timedelta(days=DAYS) + timedelta(minutes=5), DAYS * 86_400 / DECISIONS
    rows = []
    for n in range(DECISIONS):
        seed = seeds[n % KINDS]
        at = start + timedelta(seconds=n * step)
        told = {**seed.inputs["facts"], "amount": seed.amount + n, "subject": f"pay_{n}"}
        inputs = {**seed.inputs, "facts": told}
        judged = rules.judge(policy_document(seed.policy_id), inputs)
        outcome = rules.outcome(judged)
        key = UUID(int=first_key_of(at).int | n)
        rows.append(
            Decision(
                id=key, stage=seed.stage, subject=f"pay_{n}", happened_at=at, created_at=at,
                amount=seed.amount + n, currency=seed.currency, policy_id=seed.policy_id, inputs=inputs,
                outcome=outcome, reasons=[], score=judged.score, level=judged.level, action=judged.action,
                digest=rules.digest(inputs, outcome), latency_us=0,
            )
        )  # fmt: skip
        if len(rows) == 5_000:
            Decision.objects.bulk_create(rows)
            rows.clear()
    Decision.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE risk_decision")
    say(f"{DECISIONS} decisions of {DAYS} days at {time.strftime('%H:%M:%S')}")


def _another_policy() -> str:
    from risk import starting  # noqa: PLC0415
    from risk.services.activate_policy import activate_policy  # noqa: PLC0415
    from risk.services.draft_policy import draft_policy  # noqa: PLC0415

    name = draft_policy(
        name="starting", rules=[*starting.RULES[:5], starting.RULES[0] | {"id": "tiny", "weight": 15}],
        thresholds=starting.THRESHOLDS, limits=starting.LIMITS, rates=starting.RATES, actor="user:1",
    )  # fmt: skip
    activate_policy(policy=name, actor="user:2", reason="bench")
    return name


if __name__ == "__main__":
    sys.exit(main())
