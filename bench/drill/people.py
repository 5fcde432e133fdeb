"""The people of the shop and of the banks: they answer disputes, decide reviews and mend refunds that failed."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from bench.drill.caller import Caller, GaveUp, code_of

_FAILED = """SELECT ledger_public_id('ref', id), state, movement FROM payments_refund
    WHERE (state = 'FAILED' AND NOT closed) OR (state = 'PROCESSING' AND code = 'ABNORMAL')"""
_WAITING = "SELECT ledger_public_id('ref', id) FROM payments_refund WHERE state = 'AWAITING_APPROVAL'"
_REVIEWS = "SELECT \"case\", reference FROM payments_payment WHERE state = 'IN_REVIEW' AND \"case\" <> ''"
_DISPUTES = """SELECT channel_reference, ledger_public_id('dsp', dispute.id), dispute.state, payment.reference,
        (SELECT count(*) FROM payments_disputemovement WHERE dispute_id = dispute.id AND state <> 'FAILED')
    FROM payments_dispute dispute JOIN payments_payment payment ON payment.id = dispute.payment_id
    WHERE dispute.state IN ('WARNING', 'NEEDS_RESPONSE', 'UNDER_REVIEW')"""
_TEXTS = {"shipping_tracking": "SF1234567890", "other_text": "The parcel was handed to the customer."}
_TRIES = 4


@dataclass
class People:
    """`numbers` says whose order it is: what is decided about it comes from the seed."""

    callers: tuple[Caller, Caller]
    seed: int
    numbers: Mapping[str, int]
    done: Counter[str]
    _settled: set[str] = field(default_factory=set)
    _tries: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._console = httpx.Client(timeout=30, trust_env=False, follow_redirects=True)
        self._signed_in = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(300)

    def _work(self) -> None:
        while not self._stop.wait(2.0):
            self.look_around(calm=False)

    def look_around(self, *, calm: bool) -> None:
        """One round of the desk. With `calm` the banks decide, too: nothing is left open."""
        try:
            self._answer_disputes(calm)
            self._decide_reviews()
            self._mend_refunds(calm)
        except (httpx.HTTPError, GaveUp, KeyError) as trouble:
            self._signed_in = False
            self.done[f"people: {type(trouble).__name__}"] += 1

    def _dice(self, what: str, order: str) -> Random:
        return Random(f"{what} {self.seed}:{self.numbers.get(order, -1)}")

    def _answer_disputes(self, calm: bool) -> None:
        caller = self.callers[0]
        for theirs, ours, state, order, answers in caller.rows(_DISPUTES):
            dice = self._dice("dispute", order)
            way = dice.choice(("answer", "answer", "accept", "leave"))
            if state != "UNDER_REVIEW" and way != "leave" and not answers and ours not in self._settled:
                self._answer(ours, way)
            elif calm:
                verdict = dice.choice(("win", "lose")) if state == "UNDER_REVIEW" else "expire"
                judged = caller.control("POST", f"disputes/{theirs}/{verdict}")
                self.done[f"banks: {verdict if judged else 'refused'}"] += 1

    def _answer(self, dispute: str, way: str) -> None:
        caller = self.callers[0]
        if way == "accept":
            answer = caller.insist(f"disputes/{dispute}/accept", {"reason": "The parcel was lost."})
        else:
            caller.insist(f"disputes/{dispute}/evidence", {"texts": _TEXTS})
            answer = caller.insist(f"disputes/{dispute}/submit", {})
        self.done[f"disputes {way}: {code_of(answer) or 'sent'}"] += 1
        if code_of(answer) not in ("", "inquiry_not_acceptable"):
            return
        self._settled.add(dispute)

    def _decide_reviews(self) -> None:
        for case, order in self.callers[0].rows(_REVIEWS):
            verdict = "reject" if self._dice("review", order).random() < 0.2 else "approve"
            self._press(f"payments/review/{case}/", {"do": "claim"})
            self._press(f"payments/review/{case}/", {"do": verdict, "reason": "The customer was asked."})
            self.done[f"reviews: {verdict}"] += 1

    def _mend_refunds(self, calm: bool) -> None:
        caller = self.callers[0]
        for refund, state, movement in caller.rows(_FAILED):
            self._tries[refund] += 1
            way = "finish" if state == "PROCESSING" else "retry"
            if self._tries[refund] > _TRIES and calm and way == "retry":
                way = "close"
            self._press(f"payments/refunds/{refund}/", {"do": way, "reason": "The customer waits for it."})
            self.done[f"refunds: {way}, movement {movement}"] += 1
        for (refund,) in caller.rows(_WAITING) if calm else ():
            for second in self.callers:
                second.ask("POST", f"refunds/{refund}/approve", {"reason": "looked at"})

    def _press(self, page: str, fields: Mapping[str, str]) -> None:
        """A button of the console, in a browser that is signed in."""
        base = self.callers[0].stack.url
        if not self._signed_in:
            self._console.cookies.clear()
            self._console.get(f"{base}/sign-in/").raise_for_status()
            words = self.callers[0].stack.sign_in_words("manager")
            self._send(f"{base}/sign-in/", {"username": "manager", "password": words})
            self._signed_in = True
        self._send(f"{base}/console/{page}", fields)

    def _send(self, url: str, fields: Mapping[str, str]) -> None:
        token = self._console.cookies["csrftoken"]
        form: dict[str, Any] = {**fields, "csrfmiddlewaretoken": token}
        self._console.post(url, data=form, headers={"Referer": url}).raise_for_status()
