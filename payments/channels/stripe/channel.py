"""Cards, Apple Pay, and the wallets that Stripe serves too, through its payment intents."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe

from payments.channels.contract import (
    Acknowledgement,
    Advice,
    Answer,
    Capability,
    Challenge,
    ChannelUnavailable,
    Instrument,
    InstrumentUnknown,
    MovementRequest,
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
)
from payments.channels.stripe import answers, notices
from payments.channels.stripe.amounts import AmountNotRepresentable, to_stripe
from payments.channels.stripe.answers import Sending
from payments.channels.stripe.disputes import Disputes
from payments.channels.stripe.statements import Statements
from payments.channels.stripe.vault import Vault
from payments.channels.transport import Transport, checked_url, is_loopback

# Stripe keeps idempotency keys for at least a day; past that a repeated request could charge again.
_KEY_LIFETIME = timedelta(hours=23)
_TOKEN = re.compile(r"pm_[A-Za-z0-9_]{1,200}")
_CANCEL_REASONS = frozenset(("duplicate", "fraudulent", "requested_by_customer", "abandoned"))
_REFUND_REASONS = frozenset(("duplicate", "fraudulent", "requested_by_customer"))
_WHOLE = ["latest_charge"]
# methods of ours that Stripe names in the same way and serves without a card
_WALLETS = frozenset(("alipay", "wechat_pay"))
_FILES_BASE = "https://files.stripe.com"


class StripeChannel(Disputes, Vault, Statements):
    code = "stripe"
    capabilities = frozenset(
        {
            Capability.MANUAL_CAPTURE,
            Capability.PARTIAL_CAPTURE,
            Capability.MULTI_CAPTURE,
            Capability.VOID,
            Capability.CLOSE,
            Capability.REFUND,
            Capability.PARTIAL_REFUND,
            Capability.THREE_D_SECURE,
            Capability.REDIRECT,
            Capability.QR,
            Capability.SAVED_INSTRUMENT,
            Capability.DISPUTE,
            Capability.STATEMENT,
        }
    )

    def __init__(
        self,
        *,
        client: stripe.StripeClient,
        files: Transport,
        secret_key: str,
        webhook_secrets: tuple[str, ...],
        live: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._api = client.v1
        self._files = files
        self._secret_key = secret_key
        self._webhook_secrets = webhook_secrets
        self._live = live
        self._clock = clock

    def describe_instrument(self, token: str) -> Instrument:
        if not _TOKEN.fullmatch(token):
            raise InstrumentUnknown("this is not a card token")
        try:
            return answers.of_method(self._api.payment_methods.retrieve(token).to_dict())
        except stripe.InvalidRequestError as error:
            raise InstrumentUnknown("Stripe does not know this card token") from error
        except (stripe.StripeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ChannelUnavailable("Stripe did not describe the card") from error

    def start(self, request: StartRequest) -> Answer:
        return self._start(request, Sending.FIRST)

    def _start(self, request: StartRequest, sending: Sending) -> Answer:
        try:
            params = _start_params(request)
        except AmountNotRepresentable as error:
            return _not_representable(error)
        return self._intent(
            lambda: self._api.payment_intents.create(params, {"idempotency_key": request.key}),
            reference=request.reference,
            sending=sending,
            expires_at=request.expires_at,
        )

    def query(self, request: MovementRequest) -> Answer:
        """Ask by Stripe's reference; without one, by sending the start again under its key."""
        expires_at = request.start.expires_at if request.start else None
        if request.channel_reference:
            return self._intent(
                lambda: self._api.payment_intents.retrieve(request.channel_reference, {"expand": _WHOLE}),
                reference=request.reference,
                sending=Sending.READ,
                expires_at=expires_at,
            )
        if request.start and self._clock() < request.start.expires_at + _KEY_LIFETIME:
            return self._start(request.start, Sending.REPEATED)
        found = self._search(request)
        if found.outcome is Outcome.NOT_FOUND and request.start is None:
            return answers.unknown("start_unknown", "Without the first request an absence proves nothing.")
        return found

    def _search(self, request: MovementRequest) -> Answer:
        """Ask by our reference. The provider's index is about a minute behind."""
        query = f"metadata['reference']:'{request.reference}'"

        def newest() -> Any:
            found = self._api.payment_intents.search(
                {"query": query, "limit": 1, "expand": ["data.latest_charge"]}
            )
            return found.data[0] if found.data else None

        return self._intent(newest, reference=request.reference, sending=Sending.READ)

    def capture(self, request: MovementRequest) -> Answer:
        if not request.channel_reference:
            return answers.unknown("reference_unknown", "Ask what became of the start before it is captured.")
        try:
            params: Any = {"amount_to_capture": to_stripe(request.amount or request.total), "expand": _WHOLE}
        except AmountNotRepresentable as error:
            return _not_representable(error)
        if not request.final:
            params["final_capture"] = False
        whole = self._intent(
            lambda: self._api.payment_intents.capture(request.channel_reference, params, _keyed(request)),
            reference=request.reference,
            sending=Sending.REPEATED,
        )
        return answers.of_capture(whole, request.captured_before)

    def void(self, request: MovementRequest) -> Answer:
        """Cancel the intent: what is held of it is released. One that took money answers SUCCEEDED."""
        intent = request.channel_reference
        if not intent:
            found = self._search(request)
            if found.outcome is Outcome.NOT_FOUND:
                return answers.unknown(
                    "reference_unknown", "Ask what became of the start before it is closed."
                )
            if found.outcome is Outcome.UNKNOWN:
                return found
            intent = found.channel_reference
        params: Any = {
            "cancellation_reason": request.reason if request.reason in _CANCEL_REASONS else "abandoned"
        }
        return self._intent(
            lambda: self._api.payment_intents.cancel(intent, params, _keyed(request)),
            reference=request.reference,
            sending=Sending.REPEATED,
        )

    def _intent(
        self,
        ask: Callable[[], Any],
        *,
        reference: str,
        sending: Sending,
        expires_at: datetime | None = None,
    ) -> Answer:
        """Call, and translate the payment intent that comes back or stands inside the refusal."""
        try:
            intent = ask()
            if intent is None:
                return Answer(Outcome.NOT_FOUND)
            return _trusted(intent.to_dict(), reference, expires_at)
        except stripe.InvalidRequestError as error:
            return self._refused(error, reference, sending)
        except stripe.StripeError as error:
            return answers.of_error(error, sending)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return answers.unknown("malformed_answer", type(error).__name__)

    def _refused(self, error: stripe.InvalidRequestError, reference: str, sending: Sending) -> Answer:
        inside = answers.intent_inside(error)
        if error.code == "payment_intent_unexpected_state" and inside is not None:
            # asked for what is already done, or can not be done any more: its state is the answer
            try:
                return _trusted(inside, reference, None)
            except (KeyError, TypeError, ValueError, AttributeError):
                return answers.unknown("malformed_answer", "the intent inside the refusal")
        if error.http_status == 404 and error.code == "resource_missing" and error.param == "intent":
            return Answer(Outcome.NOT_FOUND, code="resource_missing", message=str(error.user_message))
        return answers.of_error(error, sending)

    def refund(self, request: MovementRequest) -> Answer:
        try:
            amount = to_stripe(request.amount or request.total)
        except AmountNotRepresentable as error:
            return _not_representable(error)
        params: Any = {
            "payment_intent": request.channel_reference,
            "amount": amount,
            "metadata": {"reference": request.movement_reference, "payment_reference": request.reference},
        }
        told = request.cause or request.reason
        if told in _REFUND_REASONS:
            params["reason"] = told
        return self._refund(lambda: self._api.refunds.create(params, _keyed(request)), Sending.REPEATED)

    def query_refund(self, request: MovementRequest) -> Answer:
        def ours() -> Any:
            listed = self._api.refunds.list({"payment_intent": request.channel_reference, "limit": 100})
            matching = (
                refund
                for refund in listed.auto_paging_iter()
                if refund.to_dict()["metadata"].get("reference") == request.movement_reference
            )
            return next(matching, None)

        return self._refund(ours, Sending.READ)

    def _refund(self, ask: Callable[[], Any], sending: Sending) -> Answer:
        try:
            refund = ask()
            return Answer(Outcome.NOT_FOUND) if refund is None else answers.of_refund(refund.to_dict())
        except stripe.StripeError as error:
            return answers.of_error(error, sending)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return answers.unknown("malformed_answer", type(error).__name__)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        event = notices.verified(headers, body, self._webhook_secrets, self._clock)
        return notices.translated(event, live=self._live)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200)

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(400, f'{{"code": "{refusal.code}"}}', "application/json")


def _not_representable(error: AmountNotRepresentable) -> Answer:
    return Answer(Outcome.ERRORED, code="amount_invalid", message=str(error), advice=Advice.STOP)


def _trusted(intent: Mapping[str, Any], reference: str, expires_at: datetime | None) -> Answer:
    """The intent's answer, when it is the one that we asked about."""
    if (intent.get("metadata") or {}).get("reference") != reference:
        return answers.unknown("other_reference", "Stripe answered about another payment.")
    return answers.of_intent(intent, expires_at=expires_at)


def _keyed(request: MovementRequest) -> Any:
    return {"idempotency_key": request.key}


def _start_params(request: StartRequest) -> Any:
    """The same request always gives the same parameters: Stripe compares them under one key."""
    common = {
        "amount": to_stripe(request.amount),
        "currency": request.amount.currency.lower(),
        "confirm": True,
        "description": request.description[:1000],
        "expand": _WHOLE,
        "metadata": {**request.metadata, "reference": request.reference},
        "return_url": request.return_url,
    }
    return {**common, **(_wallet_params(request) if request.method in _WALLETS else _card_params(request))}


def _wallet_params(request: StartRequest) -> dict[str, Any]:
    options = {"wechat_pay": {"client": "web"}} if request.method == "wechat_pay" else {}
    return {
        "capture_method": "automatic",
        "payment_method_data": {"type": request.method},
        "payment_method_types": [request.method],
        **({"payment_method_options": options} if options else {}),
    }


def _card_params(request: StartRequest) -> dict[str, Any]:
    asked = "challenge" if request.challenge is Challenge.REQUIRED else "automatic"
    card = {"request_three_d_secure": asked}
    if not request.capture:
        card["request_multicapture"] = "if_available"
    params: dict[str, Any] = {
        "capture_method": "automatic" if request.capture else "manual",
        "payment_method": request.instrument,
        "payment_method_options": {"card": card},
        "payment_method_types": ["card"],
    }
    if request.customer:
        params["customer"] = request.customer
        if request.keep_instrument:
            params["setup_future_usage"] = "on_session"
    return params


def _now() -> datetime:
    return datetime.now(UTC)


def from_settings(settings: Mapping[str, Any]) -> StripeChannel:
    """Build the channel from `api_base`, `secret_key`, `webhook_secrets`; optional `files_base`,
    `timeout_seconds` and `clock`.

    Raises `ValueError` for plain http beyond this machine, for a live key at a sandbox, and for two addresses of
    which one is a sandbox's.
    """
    base = checked_url(str(settings["api_base"]))
    key = str(settings["secret_key"])
    live = key.startswith(("sk_live_", "rk_live_"))
    local = is_loopback(urlsplit(base).hostname)
    if live and local:
        raise ValueError("a live key does not belong in a sandbox")
    # a telemetry header would tell Stripe how long our earlier requests took
    stripe.enable_telemetry = False
    # nothing of a sandbox's may reach the real address, and the reverse
    files = checked_url(str(settings.get("files_base") or (base if local else _FILES_BASE)))
    if local is not is_loopback(urlsplit(files).hostname):
        raise ValueError("Stripe's two addresses must both be real, or both a sandbox's")
    timeout = settings.get("timeout_seconds", 10.0)
    session = requests.Session()
    # a proxy from the environment must never stand between this machine and its own sandbox
    session.trust_env = not local
    client = stripe.StripeClient(
        key,
        base_addresses={"api": base, "files": files},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout, session=session),
    )
    return StripeChannel(
        client=client,
        files=Transport(files, timeout),
        secret_key=key,
        webhook_secrets=tuple(settings["webhook_secrets"]),
        live=live,
        clock=settings.get("clock") or _now,
    )
