"""The customer confirms a payment that we doubt: a code, a passkey, or work for the browser."""

import json
from typing import Any

from django.contrib import messages
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
from risk.states import BY_CODE

_SESSION_KIND = "confirm_by"


@post_or_go_to("checkout:pay")
def confirm(request: HttpRequest, order_id: str) -> HttpResponse:
    """An answer; a new code, or one sent another way; or another way that needs no code."""
    viewer, client = viewer_of(request), client_of(request)
    situation = situation_of(selectors.order(order_id, viewer), timezone.now())
    if situation.payment is None or situation.stage != Stage.CONFIRM:
        return redirect("checkout:pay", order_id)
    payment, kind = situation.payment, request.POST.get("kind", "")
    try:
        if request.POST.get("do") == "way" and kind not in BY_CODE:
            request.session[_SESSION_KIND] = [payment.challenge, kind]
        elif request.POST.get("do") == "way":
            request.session.pop(_SESSION_KIND, None)
            resend_code(payment=payment.id, viewer=viewer, client=client, kind=kind)
            messages.success(request, _("A new code is on its way. Only the newest one counts."))
        else:
            answer = request.POST.get("answer", "")[:20_000]
            answer_challenge(
                payment=payment.id, owner=client.session, kind=kind, answer=answer, actor=viewer.actor
            )
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("checkout:pay", order_id)


def asked(request: HttpRequest, situation: Situation) -> dict[str, Any]:
    """What the page says of the challenge, and what the browser works on."""
    if situation.stage != Stage.CONFIRM or situation.payment is None:
        return {}
    challenge = challenges.challenge(situation.payment.challenge)
    preferred = request.session.get(_SESSION_KIND, ["", ""])
    kind = preferred[1] if preferred[0] == challenge.id else challenge.kind
    kind = kind if kind in challenge.kinds else challenge.kind
    return {
        "challenge": challenge,
        "confirm_by": kind,
        "other_ways": [other for other in challenge.kinds if other != kind],
        "task": json.dumps(challenges.task_of(challenge.id, kind=kind)),
    }
