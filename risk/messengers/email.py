"""Codes by e-mail, through the mail server that all mail goes through."""

import smtplib
from socket import gaierror

import structlog
from django.conf import settings
from django.core.mail import EmailMessage

from risk.messengers.contract import Fate, Message

log = structlog.get_logger(__name__)


class Email:
    def send(self, message: Message) -> Fate:
        host = settings.PUBLIC_URL.partition("://")[2].partition(":")[0]
        letter = EmailMessage(
            subject=message.subject,
            body=message.body,
            to=[message.to],
            headers={"Message-ID": f"<{message.key}@{host}>", "Auto-Submitted": "auto-generated"},
        )
        try:
            letter.send()
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused):
            return Fate.REFUSED
        except (ConnectionRefusedError, gaierror, smtplib.SMTPConnectError) as error:
            log.warning("code.email_unreached", key=message.key, error=type(error).__name__)
            return Fate.REFUSED
        except (smtplib.SMTPException, OSError) as error:
            log.warning("code.email_unclear", key=message.key, error=type(error).__name__)
            return Fate.UNKNOWN
        return Fate.TAKEN

    def ask(self, key: str) -> Fate:
        """A mail server answers no questions."""
        return Fate.UNKNOWN
