"""Let people know what is wrong."""

import smtplib
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.core.mail import EmailMessage

from risk.models import Alert

log = structlog.get_logger(__name__)


def tell_of_alerts(*, alerts: Sequence[Alert]) -> bool:
    """This will mail the addresses of `OPERATIONS_EMAILS` one letter about these alerts; whether it was taken.

    No transaction. A letter that is lost is not sent again: the console and the log say the same.
    """
    if not alerts or not settings.OPERATIONS_EMAILS:
        return False
    lines = [f"{row.kind} {row.subject}: {_words(row)}" for row in alerts]
    letter = EmailMessage(
        subject=f"Risk: {lines[0][:80]}" if len(lines) == 1 else f"Risk: {len(lines)} warnings",
        body="\n".join([*lines, "", f"{settings.PUBLIC_URL}/console/risk/figures/", ""]),
        to=sorted(settings.OPERATIONS_EMAILS),
    )
    try:
        return bool(letter.send())
    except (OSError, smtplib.SMTPException) as problem:
        log.warning("risk.alert_not_mailed", problem=type(problem).__name__)
        return False


def _words(row: Alert) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.detail.items())
