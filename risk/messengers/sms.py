"""Codes by SMS: a plain HTTP profile that most gateways can be put behind (docs/risk-challenges.md)."""

import httpx
import structlog
from django.conf import settings

from risk.messengers.contract import Fate, Message

log = structlog.get_logger(__name__)


class Sms:
    def send(self, message: Message) -> Fate:
        told = {"key": message.key, "to": message.to, "text": message.body}
        # Without a connection, nothing was asked for.
        return self._call("POST", "/v1/messages", told, unreached=Fate.REFUSED)

    def ask(self, key: str) -> Fate:
        return self._call("GET", f"/v1/messages/{key}", unreached=Fate.UNKNOWN)

    def _call(self, method: str, path: str, body: dict[str, str] | None = None, *, unreached: Fate) -> Fate:
        try:
            answer = httpx.request(
                method,
                settings.SMS["api_base"] + path,
                json=body,
                headers={"Authorization": f"Bearer {settings.SMS['api_key']}"},
                timeout=settings.CHANNEL_TIMEOUT_SECONDS,
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            log.warning("code.sms_unreached", path=path, error=type(error).__name__)
            return unreached
        except httpx.HTTPError as error:
            log.warning("code.sms_unclear", path=path, error=type(error).__name__)
            return Fate.UNKNOWN
        if answer.is_success:
            return Fate.TAKEN
        refused = answer.is_client_error and answer.status_code not in (401, 403, 408, 425, 429)
        return Fate.REFUSED if refused else Fate.UNKNOWN
