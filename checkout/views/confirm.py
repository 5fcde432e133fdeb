"""The customer confirms a payment that we doubt: a code, a passkey, or work for the browser."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from checkout import selectors
from checkout.services.resend_code import resend_code
from checkout.views.posts import post_or_go_to
from checkout.views.refusals import words
from checkout.views.session import client_of, viewer_of
from checkout.views.situation import Situation, Stage, situation_of
from ledger.errors import Refusal
from payments.services.answer_challenge import answer_challenge
from risk import challenges
from risk.errors import ChallengeAnswerWrong
from risk.states import BY_CODE

_SESSION_KIND = "confirm_by"
_AT_FIELD = "answer"  # a message that is not shown above the page


@post_or_go_to("checkout:pay")
def confirm(request: HttpRequest, order_id: str) -> HttpResponse:
    """An answer; a new code, or one sent another way; or another way that needs no code."""
    viewer, client = viewer_of(request), client_of(request)
    situation = situation_of(selectors.order(order_id, viewer), timezone.now())
    if situation.payment is None or situation.stage != Stage.CONFIRM:
        return redirect("checkout:pay", order_id)
    payment, kind = situation.payment, request.POST.get("kind", "")
    try:
        if request.POST.get("do") == "way":
            if _takes_way(request, payment.challenge, kind):
                resend_code(payment=payment.id, viewer=viewer, client=client, kind=kind)
                messages.success(request, _("A new code is on its way. Only the newest one counts."))
        else:
            answer = request.POST.get("answer", "")[:20_000]
            answer_challenge(
                payment=payment.id, owner=client.session, kind=kind, answer=answer, actor=viewer.actor
            )
    except ChallengeAnswerWrong as refusal:
        # A code's field says it itself.
        messages.error(request, words(refusal), extra_tags=_AT_FIELD if kind in BY_CODE else "")
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("checkout:pay", order_id)


def _takes_way(request: HttpRequest, challenge: str, kind: str) -> bool:
    """Keep the way that was chosen; whether it needs a new code, which it does not when the last one was sent."""
    if kind not in BY_CODE:
        request.session[_SESSION_KIND] = [challenge, kind]
        return False
    request.session.pop(_SESSION_KIND, None)
    now = challenges.challenge(challenge)
    return now.codes_left > 0 or now.kind != kind


def _at_field(message: Message) -> bool:
    return message.extra_tags == _AT_FIELD


def asked(request: HttpRequest, situation: Situation) -> dict[str, Any]:
    """What the page says of the challenge, and what the browser works on."""
    if situation.stage != Stage.CONFIRM or situation.payment is None:
        return {}
    challenge = challenges.challenge(situation.payment.challenge)
    preferred = request.session.get(_SESSION_KIND, ["", ""])
    kind = preferred[1] if preferred[0] == challenge.id else challenge.kind
    kind = kind if kind in challenge.kinds else challenge.kind
    open_ways = [way for way in challenge.kinds if way not in BY_CODE or challenge.codes_left]
    if not challenge.codes_left and challenge.by_code:
        open_ways.insert(0, challenge.kind)  # the newest code still counts
    return {
        "challenge": challenge,
        "confirm_by": kind,
        "other_ways": [way for way in open_ways if way != kind],
        "wrong_answer": next((str(one) for one in messages.get_messages(request) if _at_field(one)), ""),
        "task": json.dumps(challenges.task_of(challenge.id, kind=kind)),
    }
