"""`risk_decision`: one full decision, stored with its inputs, where a million were taken before.

`RISK_PAST` and `RISK_DECISIONS` make it shorter. Timed is the operation in its transaction, without the commit. The
past is looked at while the database gathers, so `us_gathering` has `us_histories`, `us_signals` and `us_model` in it;
`us_judging` has `us_rules`. What decides are the rounds on the machine as it is; `awake_…` were measured while its
cores were kept from falling asleep (`bench.awake`).
"""

import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.awake import awake
from bench.frame import ROUNDS, finish, median, median_of, percentile, say
from bench.own_database import own_database
from bench.risk_past import asked, fill
from config.embedded import ports
from config.embedded.redis import Server
from config.gunicorn import post_worker_init

PAST = int(os.environ.get("RISK_PAST", "1000000"))
DECISIONS = int(os.environ.get("RISK_DECISIONS", "2000"))
_WARM = 200
_WATCHED = (
    "velocity.customer_count_10m > 20",
    "velocity.card_count_1h > 30",
    "velocity.device_count_1d > 100",
    "velocity.card_distinct_customer_1d > 5",
    "velocity.ip_distinct_card_1d > 50",
    "velocity.customer_sum_7d > 100000000",
    "velocity.sku_count_1h > 1000000",
    "velocity.merchant_count_1h > 1000000",
    "signal.customer_amount_ratio_median > 1000.0",
    "signal.card_age_days < 0.0 && payment.amount_cny > 90000000",
    "signal.address_count_7d > 5000.0",
    "signal.geo_speed_kmh > 500.0",
)


class Parts:
    """Microseconds of each part of every decision."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)

    def watch(self, module: Any, function: str, part: str) -> None:
        inner: Callable[..., Any] = getattr(module, function)

        def timed(*args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*args, **named)
            finally:
                self.times[part].append(1e6 * (time.perf_counter() - began))

        setattr(module, function, timed)

    def taken(self) -> dict[str, float]:
        """The medians since this was asked last."""
        medians = {f"us_{part}": round(median(times), 1) for part, times in self.times.items()}
        self.times.clear()
        return medians


def main() -> None:
    with own_database(), _own_redis():
        from django.utils import timezone  # noqa: PLC0415 - needs settings

        now = timezone.now()
        twenty_rules()
        template = one_decision(now - timedelta(days=61))
        began = time.monotonic()
        fill(PAST, template["values"], template["policy"], now)
        filled = time.monotonic() - began
        say(f"{PAST} decisions stored in {filled:.0f} s")
        from risk.services.rebuild_histories import rebuild_histories  # noqa: PLC0415

        began = time.monotonic()
        told = rebuild_histories()
        rebuilt = time.monotonic() - began
        say(f"{told} decisions told to the histories in {rebuilt:.0f} s")
        _measure({"rebuild_seconds": round(rebuilt, 1), "past": PAST, "decisions": DECISIONS, **_sizes()})


def _measure(figures: dict[str, Any]) -> None:
    from risk import evidence, features, histories, judges, lookback, rules  # noqa: PLC0415
    from risk.services import assess  # noqa: PLC0415

    post_worker_init(None)  # as every process is that serves customers
    parts, chance, rounds = Parts(), random.Random(2), []
    for module, function, part in (
        (histories, "_answered", "histories"),
        (evidence, "gather", "gathering"),
        (features, "asked_of", "facts"),
        (features, "with_evidence", "evidence"),
        (lookback, "look_back", "signals"),
        (rules, "judge", "judging"),
        (rules, "_rules", "rules"),
        (judges.Judge, "ask_model", "model"),
        (assess, "_row", "row"),
        (assess, "post", "posting"),
    ):
        parts.watch(module, function, part)
    _decide(_WARM, 0, chance)
    statements = _statements(_WARM, _WARM, chance)
    for number in range(ROUNDS):
        parts.taken()
        rounds.append(_decide(DECISIONS, (number + 1) * 1_000_000, chance) | parts.taken())
        rounds[-1]["reference_ms"] = _inserts(DECISIONS // 2)
        say(f"round {number + 1}: {rounds[-1]}")
    with awake():
        kept_awake = median_of(
            [_decide(DECISIONS, (ROUNDS + n) * 1_000_000, chance) for n in range(1, ROUNDS + 1)]
        )
    say(f"awake: {kept_awake}")
    medians = median_of(rounds)
    finish(
        "risk_decision",
        ratio=medians["p50_ms"] / medians["reference_ms"],
        reference="the stored INSERT alone, of the same rows",
        figures={
            **medians,
            "awake_p50_ms": kept_awake["p50_ms"],
            "awake_p99_ms": kept_awake["p99_ms"],
            **figures,
            **statements,
        },
        reached=medians["degraded"] <= DECISIONS / 100
        and medians["p50_ms"] <= 3
        and medians["p99_ms"] <= 10
        and statements["most_statements"] <= 4
        and medians["us_rules"] <= 60
        and medians["us_model"] <= 400,
    )


def _decide(count: int, first: int, chance: random.Random) -> dict[str, float]:
    from django.db import connections, transaction  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from ledger.wire import send_posted  # noqa: PLC0415
    from risk.models import Decision  # noqa: PLC0415
    from risk.services.assess import assess  # noqa: PLC0415

    times = []
    last = Decision.objects.order_by("-pk").values_list("pk", flat=True)[0]
    used = time.process_time()
    for number in range(first, first + count):
        facts = asked(number, chance, timezone.now())
        with transaction.atomic():
            began = time.perf_counter()
            assess(facts=facts)
            send_posted(connections["default"])  # what would leave with COMMIT
            times.append(1e3 * (time.perf_counter() - began))
    used = time.process_time() - used
    made = Decision.objects.filter(pk__gt=last)
    degraded = made.exclude(inputs__degraded=[]).count()
    return {
        "p50_ms": round(median(times), 3),
        "p99_ms": round(percentile(times, 0.99), 3),
        "cpu_ms_with_commit_and_telling": round(1e3 * used / count, 3),
        "degraded": float(degraded),
    }


def _statements(count: int, first: int, chance: random.Random) -> dict[str, float]:
    """Each decision's, before its commit. Who counts them has each sent alone, and not all that can go together."""
    from django.db import connection, transaction  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from risk.services.assess import assess  # noqa: PLC0415

    sent = []

    def counted(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        sent[-1] += 1
        return execute(sql, params, many, context)

    for number in range(first, first + count):
        with transaction.atomic(), connection.execute_wrapper(counted):
            sent.append(0)
            assess(facts=asked(number, chance, timezone.now()))
    return {"statements": round(sum(sent) / count, 2), "most_statements": float(max(sent))}


def _sizes() -> dict[str, float]:
    from django.conf import settings  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from redis import Redis  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (database,) = cursor.fetchone()
    with Redis.from_url(settings.REDIS_URL) as client:
        histories = client.info("memory")["used_memory"]
    return {"database_mib": round(database / 2**20), "histories_mib": round(histories / 2**20)}


def _inserts(count: int) -> float:
    """Milliseconds of writing a decision that was taken just now once more."""
    from django.db import transaction  # noqa: PLC0415

    from ledger.identifiers import new_key  # noqa: PLC0415
    from risk.models import Decision  # noqa: PLC0415

    times = []
    for row in list(Decision.objects.order_by("-pk")[:count]):
        row.pk = new_key()
        row._state.adding = True
        with transaction.atomic():
            began = time.perf_counter()
            row.save(force_insert=True)
            times.append(1e3 * (time.perf_counter() - began))
    return round(median(times), 3)


def twenty_rules() -> None:
    from risk import starting  # noqa: PLC0415
    from risk.services.activate_policy import activate_policy  # noqa: PLC0415
    from risk.services.draft_policy import draft_policy  # noqa: PLC0415

    words = {"en": "So it is.", "zh": "如此。"}
    more = [
        {"id": f"watched_{n}", "version": 1, "expression": text, "weight": 5, "action": "", "message": words}
        for n, text in enumerate(_WATCHED)
    ]
    drafted = draft_policy(
        name="bench",
        rules=[*starting.RULES, *more],
        thresholds=starting.THRESHOLDS,
        limits={level: {**limit, "month": 10**12} for level, limit in starting.LIMITS.items()},
        rates=starting.RATES,
        actor="bench",
        model={"name": _model(), "points": [[200_000, 20], [600_000, 45]]},
    )
    activate_policy(policy=drafted, actor="second", reason="to be measured")


def _model() -> str:
    from risk import worlds  # noqa: PLC0415
    from risk.services.train_model import train_model  # noqa: PLC0415

    pasts = worlds.generate(12, customers=200, days=42).pasts
    learnt = train_model(
        name="bench", pasts=pasts, days=20, source="a generated world", simulated=True, actor="bench"
    )
    return learnt.model


def one_decision(at: Any) -> dict[str, Any]:
    """A decision with all signals, as it is stored."""
    from django.db import transaction  # noqa: PLC0415

    from risk.models import Decision  # noqa: PLC0415
    from risk.services.assess import assess  # noqa: PLC0415
    from risk.services.rebuild_histories import rebuild_histories  # noqa: PLC0415

    rebuild_histories()
    chance = random.Random(0)
    for number in range(3):
        with transaction.atomic():
            assess(facts=asked(-number, chance, at + timedelta(minutes=number)))
    row = Decision.objects.order_by("-pk")[0]
    names = ("inputs", "outcome", "reasons", "explanation")
    return {"policy": row.policy_id, "values": {name: getattr(row, name) for name in names}}


@contextmanager
def _own_redis() -> Iterator[None]:
    from django.conf import settings  # noqa: PLC0415 - needs settings

    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        server = Server(Path(folder) / "redis", ports.any_free()[0], "bench", durable=False)
        with (Path(folder) / "log").open("wb") as log:
            child = server.start(log.fileno())
        try:
            server.wait(child)
            settings.REDIS_URL = server.url()
            yield
        finally:
            child.terminate()
            child.wait(30)


if __name__ == "__main__":
    main()
