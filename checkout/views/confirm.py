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
from checkout.selectors.contacts import sendable_kinds
from checkout.services.resend_code import resend_code
from checkout.views.posts import post_or_go_to
from checkout.views.refusals import words
from checkout.views.session import client_of, viewer_of
from checkout.views.situation import Situation, Stage, situation_of
from ledger.errors import Refusal
from payments.selectors import PaymentView
from payments.services.answer_challenge import answer_challenge
from risk import challenges
from risk.errors import ChallengeAnswerWrong, ChallengeFailed, CodeLimitReached
from risk.states import BY_CODE, CodeState

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
            _take_way(request, payment, kind)
        else:
            answer = request.POST.get("answer", "")[:20_000]
            answer_challenge(
                payment=payment.id, owner=client.session, kind=kind, answer=answer, actor=viewer.actor
            )
    except ChallengeAnswerWrong as refusal:
        # A code's field says it itself.
        messages.error(request, words(refusal), extra_tags=_AT_FIELD if kind in BY_CODE else "")
    except (ChallengeFailed, CodeLimitReached):
        pass  # the page that follows says it itself
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("checkout:pay", order_id)


def _take_way(request: HttpRequest, payment: PaymentView, kind: str) -> None:
    """Keep the way that was chosen, and send the code that it needs; none where the last one was sent."""
    if kind not in BY_CODE:
        request.session[_SESSION_KIND] = [payment.challenge, kind]
        return
    request.session.pop(_SESSION_KIND, None)
    viewer = viewer_of(request)
    if kind == challenges.challenge(payment.challenge).kind and kind not in sendable_kinds(
        payment.reference, viewer, challenge=payment.challenge
    ):
        return
    resend_code(payment=payment.id, viewer=viewer, client=client_of(request), kind=kind)
    if challenges.challenge(payment.challenge).code == CodeState.TAKEN:
        messages.success(request, _("A new code is on its way. Only the newest one counts."))


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
    sendable = sendable_kinds(situation.payment.reference, viewer_of(request), challenge=challenge.id)
    open_ways = [way for way in challenge.kinds if way not in BY_CODE or way in sendable]
    if challenge.code_sent and challenge.kind not in open_ways:
        open_ways.insert(0, challenge.kind)  # the newest code still counts
    return {
        "challenge": challenge,
        "confirm_by": kind,
        "sendable": sendable,
        "other_ways": [way for way in open_ways if way != kind],
        "wrong_answer": next((str(one) for one in messages.get_messages(request) if _at_field(one)), ""),
        "task": json.dumps(challenges.task_of(challenge.id, kind=kind)),
    }
