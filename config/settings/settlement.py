"""How channels pay out what they collected (`reconciliation.rules.PayoutTerms`)."""

from typing import Any

# Kinds are those of the channel's statements. What is not paid out by a listed payout is what the day came to.
SETTLEMENT: dict[str, dict[str, Any]] = {
    "stripe": {"fees": "balance_change", "payouts": "payouts", "made_of": "payout_reconciliation"},
    "alipay": {"fees": "trade", "payouts": "signcustomer"},
    "wechat": {"fees": "trade", "payouts": "fundflow"},
    "unionpay": {"fees": "ACOMN", "words": "UNIONPAY {day:%Y%m%d}"},
    "ecny": {"fees": "trade", "words": "ECNY {day:%Y%m%d}"},
}
# Days after its own end by which a provider's day should be here; later it is on the list of what is stuck.
STATEMENT_OVERDUE_HOURS = 36
# Days without a statement that one run of the job begins to ask for, so that a long absence is caught up in steps.
STATEMENT_CATCH_UP = 62
# The largest file that the console takes; larger ones come by `manage.py import_statement`.
STATEMENT_UPLOAD_LIMIT = 512 * 1024 * 1024
