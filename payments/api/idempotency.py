"""`Idempotency-Key`: whatever moves stock or money moves it once, however often it is asked for.

The key is what a client sends again after a lost answer. Under it lies a unique business key in the tables,
so that even a client that lost its key can not pay twice.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from ledger.errors import Refusal
from payments.api import bodies
from payments.services.claim_idempotency_key import (
    Claim,
    StoredAnswer,
    claim_idempotency_key,
)
from payments.services.recognise_api_key import ApiKeyView
from payments.services.release_idempotency_key import release_idempotency_key
from payments.services.settle_idempotency_key import settle_idempotency_key

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255
_KEY = re.compile(rf"[\x21-\x7e]{{1,{MAX_LENGTH}}}")
# The request itself was not acceptable, so nothing was done: a mended one may come under the same key.
_NOTHING_DONE = frozenset({400, 404, 413, 415, 422, 429})
_KEPT_HEADERS = ("Location",)


class IdempotencyKeyMissing(Refusal):
    code = "idempotency_key_missing"
    status = 400


class IdempotencyKeyMalformed(Refusal):
    code = "idempotency_key_malformed"
    status = 400


class IdempotentMixin(APIView):
    """For views whose POST moves something: they `perform` at most once a key.

    400, 404, 422 and 429 are not stored; 2xx, 403 and 409 are. What breaks off (5xx, a dead worker) frees the
    key, and the next request under it finds `again` set: see `recover`.
    """

    input_serializer: ClassVar[type[Serializer[Any]]]

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        """Do it, through one use case."""
        raise NotImplementedError

    def recover(self, request: Request, data: dict[str, Any], refusal: Refusal) -> Response | None:
        """The answer that was lost, if `refusal` says that an earlier try of this request did it."""
        return None

    def post(self, request: Request, **kwargs: Any) -> Response | HttpResponse:
        key = _key_of(request)
        data = bodies.read(self.input_serializer, request.data)
        claim = claim_idempotency_key(scope=_scope_of(request), key=key, fingerprint=fingerprint(request))
        if claim.answer is not None:
            return _replay(claim.answer)
        return self._perform_once(claim, request, data, kwargs)

    def _perform_once(
        self, claim: Claim, request: Request, data: dict[str, Any], kwargs: dict[str, Any]
    ) -> Response:
        try:
            response = self._performed(claim, request, data, kwargs)
        except BaseException:
            release_idempotency_key(holder=claim.holder, began=True)
            raise
        _settle(claim.holder, response)
        return response

    def _performed(
        self, claim: Claim, request: Request, data: dict[str, Any], kwargs: dict[str, Any]
    ) -> Response:
        try:
            return self.perform(request, data, **kwargs)
        except Refusal as refusal:
            lost = self.recover(request, data, refusal) if claim.again else None
            return lost or self.handle_exception(refusal)
        except Exception as error:  # noqa: BLE001  (any failure must free the key, and becomes a problem)
            return self.handle_exception(error)


def business_key(request: Request) -> str:
    """A short name for what this request asks to be done: stored beside the row that it makes, for good."""
    return "api:" + hashlib.sha256(f"{_scope_of(request)} {_key_of(request)}".encode()).hexdigest()


def fingerprint(request: Request) -> dict[str, str]:
    """Field → keyed hash of its value, for the address and every field. No value can be read back."""
    fields = {"(request)": f"{request.method} {request.path}", **dict(_flattened("", request.data))}
    return {
        name: salted_hmac("payments.api.idempotency", value, algorithm="sha256").hexdigest()
        for name, value in fields.items()
    }


def _flattened(path: str, value: Any) -> Iterator[tuple[str, str]]:
    children: Mapping[Any, Any] = dict(enumerate(value)) if isinstance(value, list) else {}
    if isinstance(value, Mapping):
        children = value
    if not children:
        yield path or "(body)", json.dumps(value)
    for name, child in children.items():
        yield from _flattened(f"{path}.{name}" if path else str(name), child)


def _key_of(request: Request) -> str:
    key = request.headers.get(HEADER, "")
    if not key:
        raise IdempotencyKeyMissing(
            f"Send the header {HEADER} with a new random value (a UUID) for each thing you want done, "
            "and the same value when you send the same request again.",
            param=HEADER,
        )
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyMalformed(
            f"Use 1 to {MAX_LENGTH} printable ASCII characters without spaces; a UUID is best.", param=HEADER
        )
    return key


def _scope_of(request: Request) -> str:
    """Whose key it is. The guests' order token is a secret, so only its hash is written down."""
    if isinstance(request.auth, ApiKeyView):
        return request.auth.id
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    secret = request.headers.get("Order-Token") or request.session.session_key
    if secret:
        return (
            "guest:" + salted_hmac("payments.api.idempotency.scope", secret, algorithm="sha256").hexdigest()
        )
    return "guest"


def _replay(answer: StoredAnswer) -> HttpResponse:
    """Byte for byte what was answered the first time."""
    return HttpResponse(
        answer.body, status=answer.status, headers={**answer.headers, REPLAYED: "true"}, content_type=None
    )


def _settle(holder: UUID, response: Response) -> None:
    if response.status_code >= 500:
        release_idempotency_key(holder=holder, began=True)
    elif response.status_code in _NOTHING_DONE:
        release_idempotency_key(holder=holder, began=False)
    else:
        headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
        headers["Content-Type"] = response.content_type or "application/json"
        body = JSONRenderer().render(response.data).decode() if response.data is not None else ""
        settle_idempotency_key(holder=holder, answer=StoredAnswer(response.status_code, body, headers))
