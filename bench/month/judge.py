"""What was planted beside what was found: each mistake found as what it is, and nothing else."""

from dataclasses import dataclass, field
from typing import Any

from bench.month.world import Month

_FOUND = """SELECT ledger_public_id('dis', d.id), d.channel, d.kind, d.state, d.subject, d.their_reference, d.closed_by,
        f.day_on::text, f.state, coalesce(d.ours::text, '') || coalesce(d.theirs::text, ''), d.reference
    FROM reconciliation_discrepancy d LEFT JOIN reconciliation_statementfile f ON f.id = d.file_id
    ORDER BY d.id"""
_FILES = "SELECT channel, kind, day_on::text, state FROM reconciliation_statementfile"
_RUNS = "SELECT channel, kind, day_on::text, attempts FROM reconciliation_statementrun WHERE state = 'DONE'"
# What the bank told of late, where an earlier statement of its came later still: nobody had missed it.
_ARRIVED = "SELECT their_reference FROM reconciliation_bankline WHERE state = 'EXPLAINED'"
_NAMES = "id channel kind state subject theirs closed_by day file_state told reference"
_BANK_FILE = "camt.053"
# A line of the bank's that is not what we booked of the transfer that it names.
_TRANSFERS = {("bank", "amount"), ("bank", "duplicate")}


@dataclass(slots=True)
class Verdict:
    """`table`: kind of mistake by channel → what it was found as. `missed` and `beyond` in words.

    `passing`: what was reported while a file was missing, and closed by itself when it came. `liars`: by discrepancy,
    whose statement is wrong.
    """

    table: list[tuple[str, str, str, str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    passing: int = 0
    liars: dict[str, str] = field(default_factory=dict)


def judge(month: Month, faults: list[dict[str, Any]]) -> Verdict:
    rows = [dict(zip(_NAMES.split(), row, strict=True)) for row in month.rows(_FOUND)]
    files = {tuple(row) for row in month.rows(_FILES)}
    runs = {tuple(row[:3]): row[3] for row in month.rows(_RUNS)}
    arrived = set(month.rows(_ARRIVED))
    verdict = Verdict()
    claimed: set[str] = set()
    days = {one["id"]: (one["channel"], one["day"].replace("-", "")) for one in month.truth("payouts")}
    for fault in faults:
        fault["arrived"] = "explained" if (fault.get("key"),) in arrived else ""
        fault["payout"] = days.get(fault.get("reference", ""), ())
        found = _of_file(fault, files, runs, rows) or _of_row(fault, rows, claimed)
        claimed |= {row["id"] for row in found[1]}
        verdict.liars |= {row["id"]: fault["channel"] for row in found[1]}
        verdict.table.append((fault["channel"], fault["kind"], fault["expected"] or "nothing", found[0]))
        if not fault["planted"] or not found[0]:
            verdict.missed.append(f"{fault} is found as {found[0] or 'nothing'}")
    others = [row for row in rows if row["id"] not in claimed]
    passed = [row for row in others if (row["state"], row["closed_by"]) == ("RESOLVED", "system")]
    verdict.passing, verdict.beyond = len(passed), [str(row) for row in others if row not in passed]
    return verdict


def _of_file(
    fault: dict[str, Any], files: set[Any], runs: dict[Any, int], rows: list[dict[str, Any]]
) -> tuple[str, list[dict[str, Any]]] | None:
    kind = _BANK_FILE if fault["channel"] == "bank" else fault["file"]
    place = (fault["channel"], kind, fault["day"])
    if fault["expected"] == "retried":
        return ("retried" if runs.get(place, 0) > 1 else "", [])
    if fault["expected"] == "refused":
        # What a hash gives away is refused before it is kept.
        refused = (*place, "REFUSED") in files or runs.get(place, 0) > 1
        return ("refused" if refused else "", [])
    if fault["expected"] != "superseded":
        return None
    wrong = [
        row
        for row in rows
        if (row["channel"], row["day"]) == (fault["channel"], fault["day"])
        and row["closed_by"] == "system"
        and (row["state"], row["file_state"]) == ("RESOLVED", "SUPERSEDED")
    ]
    return ("superseded" if (*place, "SUPERSEDED") in files else "", wrong)


def _of_row(
    fault: dict[str, Any], rows: list[dict[str, Any]], claimed: set[str]
) -> tuple[str, list[dict[str, Any]]]:
    free = [row for row in rows if row["id"] not in claimed]
    if fault["kind"] in ("foreign", "unexplained"):
        mine = [row for row in free if row["day"] == fault["day"]]
    else:
        key = fault.get("key", "")
        if fault["channel"] == "unionpay":
            key = key[8:20]  # of the query number, what the file says
        names = {fault.get("reference"), key, key.split(":")[-1]} - {"", None}
        mine = [row for row in free if any(_names(row, name) for name in names) or _is_payout(row, fault)]
    lasting = [row for row in mine if (row["state"], row["closed_by"]) != ("RESOLVED", "system")]
    if not fault["expected"]:
        return ("nothing" if not lasting else "", [])
    if (fault["channel"], fault["kind"]) in _TRANSFERS:
        hits = [row for row in lasting if row["kind"] == "bank_unexplained"]
        return ("bank_unexplained" if hits else "", hits)
    if fault["kind"] == "late":
        if late := [row for row in lasting if row["kind"] == "late"]:
            return ("late", late)
        # Missing on either side: in the file of its own day, or, when that one came last, in ours.
        hits = [row for row in mine if row["kind"].startswith("missing_") and row not in lasting]
        return ("missing, then explained" if hits else fault["arrived"], hits)
    hits = [row for row in lasting if row["kind"] == fault["expected"]]
    hits.sort(
        key=lambda row: row["subject"] != fault.get("reference")
    )  # a refund's row names its payment, too
    return (fault["expected"] if hits else "", hits[:1])


def _is_payout(row: dict[str, Any], fault: dict[str, Any]) -> bool:
    """Of a channel that names its payouts by their day only."""
    return bool((row["channel"], row["reference"]) == fault["payout"])


def _names(row: dict[str, Any], name: str) -> bool:
    return name in (row["subject"], row["theirs"], row["reference"]) or name in row["told"]
