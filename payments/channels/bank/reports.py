"""Entries of an account as ISO 20022 writes them: camt.052 during the day, camt.053 for a whole day. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import InvalidOperation
from xml.etree.ElementTree import Element

from ledger.money import Money
from payments.channels.bank.xml import parse


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `money` is negative for what left the account; `texts` is all that its sender wrote."""

    name: str  # the bank's own, unique in the account
    money: Money
    booked: bool
    texts: tuple[str, ...]
    booked_at: datetime | None = None
    debtor: str = ""
    debtor_account: str = ""
    undoes: bool = False  # takes an earlier line back


@dataclass(frozen=True, slots=True)
class Report:
    account: str
    entries: tuple[Entry, ...]
    is_last: bool


def read_report(content: bytes) -> Report:
    """Raises `ValueError`."""
    root = parse(content)
    report = root.find("*/Rpt") if root.find("*/Rpt") is not None else root.find("*/Stmt")
    if report is None:
        raise ValueError("neither a report nor a statement")
    account = _text(report, "Acct/Id/IBAN") or _text(report, "Acct/Id/Othr/Id")
    last = _text(root, "*/GrpHdr/MsgPgntn/LastPgInd") or "true"
    return Report(account, tuple(_entry(entry) for entry in report.iterfind("Ntry")), last == "true")


def _entry(entry: Element) -> Entry:
    name, sign = _text(entry, "AcctSvcrRef"), {"CRDT": 1, "DBIT": -1}.get(_text(entry, "CdtDbtInd"))
    amount = entry.find("Amt")
    if not name or sign is None or amount is None:
        raise ValueError("an entry without a reference, a direction or an amount")
    try:
        money = Money.from_major((amount.text or "").strip(), amount.get("Ccy", ""))
    except InvalidOperation as problem:
        raise ValueError("an amount that is none") from problem
    details = entry.find("NtryDtls/TxDtls")
    return Entry(
        name=name,
        money=money if sign > 0 else -money,
        booked="BOOK" in (_text(entry, "Sts"), _text(entry, "Sts/Cd")),
        texts=_texts(entry),
        booked_at=read_time(_text(entry, "BookgDt/DtTm")),
        debtor=_text(details, "RltdPties/Dbtr/Pty/Nm") or _text(details, "RltdPties/Dbtr/Nm"),
        debtor_account=_text(details, "RltdPties/DbtrAcct/Id/IBAN")
        or _text(details, "RltdPties/DbtrAcct/Id/Othr/Id"),
        undoes=_text(entry, "RvslInd") == "true",
    )


def read_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _texts(entry: Element) -> tuple[str, ...]:
    """A long text comes in pieces, which may cut a reference in two."""
    pieces = "".join((piece.text or "") for piece in entry.iterfind("NtryDtls/TxDtls/RmtInf/Ustrd"))
    named = [
        *entry.iterfind("NtryDtls/TxDtls/RmtInf/Strd/CdtrRefInf/Ref"),
        *entry.iterfind("NtryDtls/TxDtls/Refs/EndToEndId"),
    ]
    return pieces, *((piece.text or "") for piece in named)


def _text(inside: Element | None, path: str) -> str:
    return (inside.findtext(path) or "").strip() if inside is not None else ""
