"""Our books against the provider's: what the sandbox knows to have moved is what we say has moved."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import httpx
from django.conf import settings

from ledger.invariants import Finding
from payments.channels.bank.references import references_in, transfer_reference
from payments.selectors import money_by_attempt

NAME = "money at the sandbox equals ours"
_PAGE = 5000
_BANK = "bank"


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

    Both sides are read in the order of the references, a page at a time. A bank knows a transfer by what the customer
    wrote, which has another order: those are compared by themselves.
    """
    if not settings.SANDBOX_URL:
        return
    looked_at = 0
    ours_by_bank, theirs_by_bank = list[Movement](), list[Movement]()

    def theirs() -> Iterator[Movement]:
        nonlocal looked_at
        for movement in _sandbox_movements(settings.SANDBOX_URL):
            looked_at += 1
            yield movement

    try:
        findings = list(
            compare(_but_transfers(_our_movements(), ours_by_bank), _but_transfers(theirs(), theirs_by_bank))
        )
        findings += compare(
            sorted(one._replace(reference=transfer_reference(one.reference)) for one in ours_by_bank),
            sorted(_recognised(theirs_by_bank)),
        )
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


def _but_transfers(movements: Iterable[Movement], transfers: list[Movement]) -> Iterator[Movement]:
    """The others; what came by the bank is laid aside."""
    for movement in movements:
        if movement.channel == _BANK:
            transfers.append(movement)
        else:
            yield movement


def _recognised(transfers: Iterable[Movement]) -> Iterator[Movement]:
    """One for each reference that a text quotes. What quotes none is nobody's: reconciliation asks a person."""
    sums: dict[tuple[str, str], Movement] = {}
    for one in transfers:
        for quoted in sorted(references_in([one.reference]))[:1]:
            known = sums.get(
                (quoted, one.currency), one._replace(reference=quoted, captured=0, refunded=0, disputed=0)
            )
            sums[quoted, one.currency] = known._replace(
                captured=known.captured + one.captured,
                refunded=known.refunded + one.refunded,
                disputed=known.disputed + one.disputed,
            )
    yield from sums.values()


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
