"""Celery: work survives a lost worker (acknowledged when done, one at a time) and a lost broker (beat repeats)."""

from typing import Any
from zoneinfo import ZoneInfo

from celery.schedules import crontab
from django_celery_beat.tzcrontab import TzAwareCrontab

from config.settings.base import LEDGER_TIME_ZONE, REDIS_URL

CELERY_BROKER_URL = REDIS_URL
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_TIME_LIMIT = 100
# Longer than any task may run, or Redis would hand a running task to a second worker.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 120, "socket_keepalive": True}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
DJANGO_STRUCTLOG_CELERY_ENABLED = True

# name → {"task": "<app>.tasks.<function>", "schedule": seconds or crontab}; copied to the database when beat starts
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "payments: ask about open attempts": {"task": "payments.tasks.settle_open_attempts", "schedule": 5.0},
    "payments: carry on with refunds": {"task": "payments.tasks.settle_open_refunds", "schedule": 10.0},
    "payments: carry on with disputes": {"task": "payments.tasks.settle_open_disputes", "schedule": 10.0},
    "payments: remind of disputes": {"task": "payments.tasks.remind_of_due_disputes", "schedule": 300.0},
    "payments: apply what the inbox kept": {"task": "payments.tasks.retry_inbox", "schedule": 5.0},
    "payments: have channels forget cards": {"task": "payments.tasks.forget_instruments", "schedule": 10.0},
    "payments: tend kept cards": {"task": "payments.tasks.tend_kept_cards", "schedule": 60.0},
    "payments: give up reviews past their time": {
        "task": "payments.tasks.expire_due_reviews",
        "schedule": 30.0,
    },
    "payments: give up challenges past their time": {
        "task": "payments.tasks.expire_due_challenges",
        "schedule": 30.0,
    },
    "risk: ask about codes that may not have left": {
        "task": "risk.tasks.settle_challenge_codes",
        "schedule": 10.0,
    },
    "payments: warn of holds that lapse": {"task": "payments.tasks.watch_over_holds", "schedule": 60.0},
    "payments: alarm about what stays unknown": {
        "task": "payments.tasks.sound_unknown_alarms",
        "schedule": 60.0,
    },
    "checkout: free the stock of orders out of time": {
        "task": "checkout.tasks.expire_orders",
        "schedule": 30.0,
    },
    "checkout: go on with shipments that wait": {
        "task": "checkout.tasks.resume_shipments",
        "schedule": 30.0,
    },
    "checkout: finish orders that left long ago": {
        "task": "checkout.tasks.finish_orders",
        "schedule": crontab(minute="43"),
    },
    "ledger: seal the audit journal": {"task": "ledger.tasks.seal_audit", "schedule": 5.0},
    # Once a day, and soon after a day on which nothing ran.
    "ledger: anchor the audit journal": {
        "task": "ledger.tasks.anchor_audit",
        "schedule": crontab(minute="7"),
    },
    # At night, after what compares and proves the books, and soon after a night in which nothing ran.
    "ledger: close days that ended long ago": {
        "task": "ledger.tasks.close_due_days",
        "schedule": TzAwareCrontab(hour="3-23", minute="10", tz=ZoneInfo(LEDGER_TIME_ZONE)),
    },
    "ledger: snapshots of balances": {"task": "ledger.tasks.take_snapshots", "schedule": 300.0},
    "payments: forget old idempotency keys": {
        "task": "payments.tasks.forget_old_idempotency_keys",
        "schedule": crontab(minute="17"),
    },
    "payments: forget old events and notifications": {
        "task": "payments.tasks.forget_old_events",
        "schedule": crontab(minute="37"),
    },
    "risk: keep histories whole": {"task": "risk.tasks.keep_histories_whole", "schedule": 15.0},
    "risk: judge along, watch the roll-out": {"task": "risk.tasks.judge_along_and_watch", "schedule": 10.0},
    "risk: do waiting back-tests": {"task": "risk.tasks.do_waiting_back_tests", "schedule": 30.0},
    "risk: have a language model explain cases": {"task": "risk.tasks.see_to_advice", "schedule": 5.0},
    "risk: figures of the day, and jumps": {"task": "risk.tasks.take_figures_and_watch", "schedule": 60.0},
    "reconciliation: tell of stuck money": {
        "task": "reconciliation.tasks.watch_stuck_money",
        "schedule": 300.0,
    },
    "reconciliation: fetch statements": {
        "task": "reconciliation.tasks.fetch_due_statements",
        "schedule": 300.0,
    },
    "reconciliation: look at open items again": {
        "task": "reconciliation.tasks.look_at_open_items_again",
        "schedule": crontab(minute="47"),
    },
    "reconciliation: resolve by rules": {
        "task": "reconciliation.tasks.resolve_by_rules",
        "schedule": 300.0,
    },
    "reconciliation: compare all money with its orders": {
        "task": "reconciliation.tasks.compare_all_money",
        "schedule": crontab(hour="18", minute="10"),  # UTC: 02:10 in China
    },
    "every night: prove the books": {
        "task": "config.tasks.prove_the_books",
        "schedule": crontab(hour="18", minute="30"),  # UTC: 02:30 in China
    },
}
