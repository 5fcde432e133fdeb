"""Who listens to whom, by dotted path: the only place where lower apps meet higher ones."""

# In the publisher's transaction, in this order. A handler that raises undoes everything.
EVENT_HANDLERS: dict[str, list[str]] = {
    "payment.started": ["checkout.handlers.payment_started"],
    "payment.action_required": ["checkout.handlers.payment_action_required"],
    "payment.held_for_review": ["checkout.handlers.payment_held_for_review"],
    "payment.authorized": ["checkout.handlers.payment_authorized"],
    "payment.succeeded": ["checkout.handlers.payment_succeeded"],
    "payment.captured": ["checkout.handlers.payment_captured"],
    "payment.capture_refused": ["checkout.handlers.payment_capture_refused"],
    "payment.released": ["checkout.handlers.payment_released"],
    "payment.failed": ["checkout.handlers.payment_failed"],
    "payment.cancelled": ["checkout.handlers.payment_cancelled"],
    "payment.mismatched": ["reconciliation.handlers.payment_mismatched"],
    "refund.requested": ["checkout.handlers.refund_requested"],
    "refund.awaiting_approval": ["checkout.handlers.refund_requested"],
    "refund.succeeded": ["checkout.handlers.refund_succeeded"],
    "refund.failed": ["checkout.handlers.refund_failed"],
}

# After commit, at least once, in order per subject.
EVENT_SUBSCRIBERS: dict[str, list[str]] = {
    "order.paid": ["checkout.subscribers.confirm_by_mail"],
    "order.rest_cancelled": ["checkout.subscribers.tell_of_rest_by_mail"],
    "payment.action_required": ["checkout.subscribers.tell_to_confirm"],
    "refund.requested": ["payments.subscribers.carry_out_refund"],
    "dispute.opened": ["payments.subscribers.prepare_evidence"],
    "webhook_endpoint.disabled": ["payments.subscribers.mail_about_disabled_endpoint"],
}

# Told of every event, many at a time: after commit, at least once, in order per subject.
EVENT_STREAMS: list[str] = [
    "payments.subscribers.tell_merchants",
    "payments.subscribers.put_on_the_bus",
]

# What answers a dispute beside the payment's own records: each gives a `payments.evidence.Pack` of a reference.
EVIDENCE_SOURCES: list[str] = ["checkout.services.assemble_evidence.assemble_evidence"]

# Each yields one `ledger.invariants.Finding` per broken row; `manage.py verify` runs them all.
INVARIANTS: list[str] = [
    "ledger.invariants.check",
    "risk.invariants.check",
    "payments.invariants.check",
    "checkout.invariants.check",
    "reconciliation.invariants.check",
    "reconciliation.bank_invariants.check",
    "config.invariants.check",
]

# Each gives the kinds of stuck money (`ledger.stuck.StuckKind`) of one app, in the order of the list.
STUCK_SOURCES: list[str] = ["reconciliation.stuck.kinds", "payments.stuck.kinds", "checkout.stuck.kinds"]
# Kind → minutes after which an alarm tells of an item, then again more loudly; "*" for all others.
STUCK_ALARMS: dict[str, tuple[int, ...]] = {
    "*": (15, 60, 1440),
    "refund_failed": (240, 1440),
    "surplus_refund_failed": (240, 1440),
    "refund_abnormal": (1440, 4320),
    "refund_unapproved": (1, 1440),
    "dispute_due": (1, 1440),
    "hold_lapsing": (60, 1440),
    "statement_missing": (60, 1440),
    "unmatched": (1440, 4320),
}

# Seconds since the oldest event that waits for the relay was published; 0.0 when none waits.
OUTBOX_LAG = "payments.selectors.outbox_lag"
OUTBOX_LAG_SECONDS = 60
WORKER_SILENCE_SECONDS = 30
