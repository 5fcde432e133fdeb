"""Our books against the provider's: what the sandbox knows to have moved is what we say has moved."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby

import httpx
from django.conf import settings

from ledger.invariants import Finding
from payments.selectors import money_by_attempt

NAME = "money at the sandbox equals ours"

# reference, channel, currency, captured, refunded, kept by disputes, fees of disputes
Movement = tuple[str, str, str, int, int, int, int]


def check() -> Iterator[tuple[str, int, Iterable[Finding]]]:
    """Only where the sandbox plays the providers; live ones are compared by reconciliation."""
    if not settings.SANDBOX_URL:
        return
    theirs = _sandbox_movements(settings.SANDBOX_URL)
    if theirs is None:
        yield NAME, 0, [Finding(NAME, settings.SANDBOX_URL, "the sandbox does not answer: is it running?")]
        return
    ours: list[Movement] = [
        (
            moved.reference,
            moved.channel,
            moved.currency,
            moved.captured,
            moved.refunded,
            moved.disputed,
            moved.dispute_fees,
        )
        for moved in money_by_attempt()
        if moved.captured or moved.refunded
    ]
    yield NAME, len(theirs), list(compare(ours, theirs))


def compare(ours: Iterable[Movement], theirs: Iterable[Movement]) -> Iterator[Finding]:
    """One finding for each attempt on which the two disagree, or that only one of them knows."""
    told = heapq.merge(
        ((movement[0], "ours", movement) for movement in sorted(ours)),
        ((movement[0], "theirs", movement) for movement in sorted(theirs)),
        key=lambda entry: entry[0],
    )
    for reference, entries in groupby(told, key=lambda entry: entry[0]):
        sides: dict[str, list[Movement]] = {"ours": [], "theirs": []}
        for _, side, movement in entries:
            sides[side].append(movement)
        if sorted(sides["ours"]) != sorted(sides["theirs"]):
            words = f"here {_words(sides['ours'])}; at the provider {_words(sides['theirs'])}"
            yield Finding(NAME, reference, words)


def _words(movements: list[Movement]) -> str:
    told = [
        f"{channel} {currency} captured {captured} refunded {refunded} disputed {disputed} fees {fees}"
        for _, channel, currency, captured, refunded, disputed, fees in movements
    ]
    return " and ".join(told) or "nothing"


def _sandbox_movements(url: str) -> list[Movement] | None:
    try:
        answer = httpx.get(f"{url}/control/ground-truth", timeout=30, trust_env=False)
        answer.raise_for_status()
        movements = answer.json()["movements"]
    except (httpx.HTTPError, ValueError, KeyError):
        return None
    return [
        (
            moved["reference"],
            moved["channel"],
            moved["currency"],
            moved["captured"],
            moved["refunded"],
            moved["disputed"] - moved["reinstated"],
            moved["dispute_fees"],
        )
        for moved in movements
    ]
