"""Our books against the provider's: what the sandbox knows to have moved is what we say has moved."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import httpx
from django.conf import settings

from ledger.invariants import Finding
from payments.selectors import money_by_attempt

NAME = "money at the sandbox equals ours"
_PAGE = 5000


class Movement(NamedTuple):
    """What moved under one reference, in minor units; `disputed` is what disputes keep from us, beside their fees."""

    reference: str
    channel: str
    currency: str
    captured: int
    refunded: int
    disputed: int
    dispute_fees: int


def check() -> Iterator[tuple[str, int, Iterable[Finding]]]:
    """Only where the sandbox plays the providers; live ones are compared by reconciliation.

    Both sides are read in the order of the references, a page at a time.
    """
    if not settings.SANDBOX_URL:
        return
    looked_at = 0

    def theirs() -> Iterator[Movement]:
        nonlocal looked_at
        for movement in _sandbox_movements(settings.SANDBOX_URL):
            looked_at += 1
            yield movement

    try:
        findings = list(compare(_our_movements(), theirs()))
    except (httpx.HTTPError, ValueError, KeyError):
        findings = [Finding(NAME, settings.SANDBOX_URL, "the sandbox does not answer: is it running?")]
    yield NAME, looked_at, findings


def compare(ours: Iterable[Movement], theirs: Iterable[Movement]) -> Iterator[Finding]:
    """One finding for each attempt on which the two disagree, or that only one of them knows.

    Both must come in the order of their references.
    """
    told = heapq.merge(
        ((movement.reference, "ours", movement) for movement in ours),
        ((movement.reference, "theirs", movement) for movement in theirs),
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
        f"{moved.channel} {moved.currency} captured {moved.captured} refunded {moved.refunded}"
        + (
            f" disputed {moved.disputed} fees {moved.dispute_fees}"
            if moved.disputed or moved.dispute_fees
            else ""
        )
        for moved in movements
    ]
    return " and ".join(told) or "nothing"


def _our_movements() -> Iterator[Movement]:
    """An attempt's reference sorts like its key, so the order of keys is the order of references."""
    for moved in money_by_attempt():
        if moved.captured or moved.refunded:
            yield Movement(
                *(moved.reference, moved.channel, moved.currency),
                *(moved.captured, moved.refunded, moved.disputed, moved.dispute_fees),
            )


def _sandbox_movements(url: str) -> Iterator[Movement]:
    """The ground truth page by page. Raises httpx.HTTPError, ValueError or KeyError when it can not be had."""
    after = ""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        while True:
            answer = client.get("/control/ground-truth", params={"limit": _PAGE, "after": after})
            answer.raise_for_status()
            page = answer.json()
            for moved in page["movements"]:
                yield Movement(
                    *(moved["reference"], moved["channel"], moved["currency"], moved["captured"]),
                    *(moved["refunded"], moved["disputed"] - moved["reinstated"], moved["dispute_fees"]),
                )
            after = page["next"]
            if not after:
                return
