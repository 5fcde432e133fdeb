"""Stripe's finance reports: asked for, waited for briefly, and fetched from the address that Stripe names."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import stripe

from payments.channels.contract import (
    ChannelUnavailable,
    Statement,
    StatementNotReady,
    StatementUnavailable,
)
from payments.channels.transport import Transport, Unanswered

_MOVEMENT: Final = (
    *("balance_transaction_id", "created_utc", "available_on_utc", "currency", "gross", "fee", "net"),
    *("reporting_category", "source_id", "description", "charge_id", "payment_intent_id"),
    *("payment_method_type", "dispute_reason", "automatic_payout_id", "automatic_payout_effective_at_utc"),
    *("payment_metadata[reference]", "refund_metadata[reference]"),
)
_PAYOUT: Final = (
    *("payout_id", "effective_at_utc", "currency", "gross", "fee", "net", "reporting_category"),
    *("balance_transaction_id", "description", "payout_expected_arrival_date", "payout_status"),
)
# kind → the report and the columns that we ask for. What moved and what was paid out on a day; and what each
# payout that arrived on a day is made of, which may have moved on earlier days.
_REPORTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "balance_change": ("balance_change_from_activity.itemized.3", _MOVEMENT),
    "payouts": ("payouts.itemized.3", _PAYOUT),
    "payout_reconciliation": ("payout_reconciliation.itemized.5", _MOVEMENT),
}
_PAUSE_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 5.0


class Statements:
    """A day of Stripe's is a day in UTC (`contract.StatementSource`)."""

    statement_kinds = tuple(_REPORTS)
    _api: Any
    _clock: Callable[[], datetime]
    _files: Transport
    _secret_key: str

    def fetch_statement(self, kind: str, day: date) -> Statement:
        if kind not in _REPORTS:
            raise StatementUnavailable(f"Stripe writes no statement that we call {kind!r}")
        try:
            run = self._finished(kind, day)
            content = self._downloaded(str(run["result"]["url"])) if run["status"] == "succeeded" else None
        except stripe.InvalidRequestError as error:
            raise StatementUnavailable(f"Stripe makes no such report: {error.user_message}") from error
        except (stripe.StripeError, Unanswered) as error:
            raise ChannelUnavailable(f"Stripe gave no report: {type(error).__name__}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ChannelUnavailable(f"Stripe's report is malformed: {type(error).__name__}") from error
        if content is None:
            raise ChannelUnavailable(f"Stripe failed to make the report: {run.get('error')}")
        return Statement("stripe", kind, day, f"stripe_{kind}_{day:%Y%m%d}.csv", content)

    def _finished(self, kind: str, day: date) -> Mapping[str, Any]:
        report, columns = _REPORTS[kind]
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = start + timedelta(days=1)
        known = self._api.reporting.report_types.retrieve(report).to_dict()
        if known["data_available_end"] < end.timestamp():
            raise StatementNotReady(f"Stripe's data of {day} is not complete yet")
        parameters: Any = {
            "interval_start": int(start.timestamp()),
            "interval_end": int(end.timestamp()),
            "columns": list(columns),
        }
        # asked again within the hour it is the same run; one that failed is not met for ever
        key = f"statement:{kind}:{day}:{self._clock():%Y%m%d%H}"
        runs = self._api.reporting.report_runs
        asked = {"report_type": report, "parameters": parameters}
        run: Mapping[str, Any] = runs.create(asked, {"idempotency_key": key}).to_dict()
        patience = time.monotonic() + _PATIENCE_SECONDS
        while True:
            run = runs.retrieve(run["id"]).to_dict()
            if run["status"] != "pending":
                return run
            if time.monotonic() > patience:
                raise StatementNotReady(f"Stripe is still making the report of {day}")
            time.sleep(_PAUSE_SECONDS)

    def _downloaded(self, url: str) -> bytes:
        """The file, which is empty for an empty day. Our key goes to Stripe's own address and nowhere else."""
        if _place(url) != _place(self._files.base_url):
            raise ValueError("the report lies at an address that is not Stripe's")
        answer = self._files.send("GET", url, headers={"Authorization": f"Bearer {self._secret_key}"})
        if answer.status_code != 200:
            raise Unanswered(f"HTTP {answer.status_code} instead of the report")
        head, ended, rows = answer.content.partition(b"\n")
        if b"currency" not in head:
            raise ValueError("the file is no report")
        if not ended:
            raise ValueError("the file is cut off")
        return answer.content if rows.strip() else b""


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
