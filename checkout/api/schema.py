"""How an operation is described in the OpenAPI document: one decorator that leaves no refusal out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from checkout.api.callers import ORDER_TOKEN_HEADER
from checkout.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from checkout.api.refusals import (
    BodyMalformed,
    BodyTooLarge,
    CardNumberRefused,
    CursorInvalid,
    LimitInvalid,
    RateLimited,
)
from checkout.api.serializers.answers import Problem
from ledger.errors import Refusal
from payments.api import schema as _api_keys  # noqa: F401  (registers itself)
from payments.api.idempotency import HEADER, IdempotencyKeyMalformed, IdempotencyKeyMissing
from payments.services.claim_idempotency_key import (
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    IdempotentAnswerLost,
)

PROBLEM_TYPE = "application/problem+json"
Refusals = Iterable[type[Refusal]]

# What the framework refuses: (status, code, when)
_ALWAYS = (
    (401, "api_key_invalid", "The key is unknown or revoked."),
    (401, "api_key_malformed", "Not `Bearer sk_…`."),
    (403, "scope_missing", "The key lacks the scope."),
    (406, "not_acceptable", "Only JSON is answered."),
    (503, "unavailable", "A part of ours is down. Send the same request, with the same key, a little later."),
)
_OF_BODIES = (
    (400, "invalid", "A field is missing or malformed; `param` names it."),
    (400, "unknown_field", "There is no such field; `param` names it."),
    (403, "csrf_failed", "A browser's session needs the CSRF token."),
    (415, "unsupported_media_type", "Send application/json."),
)
_BODY_REFUSALS: Refusals = (BodyMalformed, BodyTooLarge, CardNumberRefused)
_PAGE_REFUSALS: Refusals = (CursorInvalid, LimitInvalid)
_KEY_REFUSALS: Refusals = (
    IdempotencyKeyMissing,
    IdempotencyKeyMalformed,
    IdempotencyKeyReused,
    IdempotencyKeyInFlight,
    IdempotentAnswerLost,
)
_KEY_PARAMETER = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    required=True,
    pattern=r"^[\x21-\x7e]{1,255}$",
    description="A new random value for each thing to be done; the same when the same request is sent again.",
    examples=[OpenApiExample("a UUID", value="5f0f9a8e-6c1f-4a58-9d0e-0c6f5b7d2a11")],
)
_TOKEN_PARAMETER = OpenApiParameter(
    ORDER_TOKEN_HEADER,
    str,
    OpenApiParameter.HEADER,
    description="For guests: the `order_token` that placing the order answered. Several with commas.",
)
PAGE_PARAMETERS = (
    OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        description="How many at most.",
    ),
)


def operation(
    name: str,
    *,
    summary: str,
    answer: Any,
    tag: str,
    status: int = 200,
    request: Any = None,
    refusals: Refusals = (),
    moves: bool = False,
    token: bool = True,
    parameters: Sequence[OpenApiParameter] = (),
    description: str = "",
    examples: Mapping[str, Any] | None = None,
) -> Callable[[Any], Any]:
    """Describe one method of one view. `moves` takes an Idempotency-Key; `examples` has "request", "answer"."""
    told = [*parameters, *([_KEY_PARAMETER] if moves else []), *([_TOKEN_PARAMETER] if token else [])]
    of_body = _BODY_REFUSALS if request else ()
    of_key = _KEY_REFUSALS if moves else ()
    of_page = _PAGE_REFUSALS if parameters == PAGE_PARAMETERS else ()
    everything = [*refusals, *of_body, *of_key, *of_page, RateLimited]
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=description,
        tags=[tag],
        request=request,
        parameters=told,
        responses={status: answer, **_problems(everything, [*_ALWAYS, *(_OF_BODIES if request else ())])},
        examples=_examples(examples or {}, status),
    )


def _examples(examples: Mapping[str, Any], status: int) -> list[OpenApiExample]:
    found = []
    if "request" in examples:
        found.append(OpenApiExample("Request", value=examples["request"], request_only=True))
    if "answer" in examples:
        answer = OpenApiExample(
            "Answer", value=examples["answer"], response_only=True, status_codes=[str(status)]
        )
        found.append(answer)
    return found


def _problems(
    refusals: Refusals, others: Iterable[tuple[int, str, str]]
) -> dict[tuple[int, str], OpenApiResponse]:
    by_status: dict[int, dict[str, str]] = defaultdict(dict)
    for status, code, when in others:
        by_status[status][code] = when
    for refusal in refusals:
        by_status[refusal.status][refusal.code] = _first_sentence(refusal)
    return {
        (status, PROBLEM_TYPE): OpenApiResponse(
            Problem,
            description="\n".join(
                f"* `{code}`: {when}" if when else f"* `{code}`" for code, when in codes.items()
            ),
            examples=[_problem_example(status, code, when) for code, when in codes.items()],
        )
        for status, codes in sorted(by_status.items())
    }


def _first_sentence(refusal: type[Refusal]) -> str:
    documented = refusal.__dict__.get("__doc__") or ""
    return " ".join(documented.split("\n\n")[0].split())


def _problem_example(status: int, code: str, when: str) -> OpenApiExample:
    return OpenApiExample(
        code,
        value={
            "type": f"https://shop.example/docs/errors#{code}",
            "title": code.replace("_", " ").capitalize(),
            "status": status,
            "detail": when or code.replace("_", " ").capitalize() + ".",
            "code": code,
            "param": None,
        },
        response_only=True,
        status_codes=[str(status)],
        media_type=PROBLEM_TYPE,
    )
