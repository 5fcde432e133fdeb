"""The account's lines as camt.052 (during the day) and camt.053 (of a whole day, between its balances)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5
from xml.etree.ElementTree import Element, SubElement, tostring

from sandbox.bank import ledger
from sandbox.bank.ledger import Account, Line
from sandbox.provider import World

_NAMES = {"camt.052": ("BkToCstmrAcctRpt", "Rpt"), "camt.053": ("BkToCstmrStmt", "Stmt")}
_LONGEST_PIECE = 140


def report(world: World, account: Account, lines: Sequence[Line], *, is_last: bool) -> bytes:
    """camt.052: lines without balances."""
    root, inner = _begun("camt.052", world.new_id("M")[:35], world.now(), is_last=is_last)
    _add_account(inner, account)
    for line in lines:
        _add_line(inner, line)
    return _written(root)


def statement(
    account: Account, day: date, lines: Sequence[Line], balances: Sequence[tuple[str, int, int]]
) -> bytes:
    """camt.053: `balances` are currency, opening and closing."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    name = f"{day:%Y%m%d}{account.account}"[:35]
    root, inner = _begun("camt.053", name, start + 86_400, is_last=True)
    _add(inner, "Id", name)
    _add(inner, "CreDtTm", ledger.written_time(start + 86_400))
    span = SubElement(inner, "FrToDt")
    _add(span, "FrDtTm", ledger.written_time(start))
    _add(span, "ToDtTm", ledger.written_time(start + 86_400))
    _add_account(inner, account)
    for currency, opening, closing in balances:
        _add_balance(inner, "OPBD", opening, currency, day)
        _add_balance(inner, "CLBD", closing, currency, day)
    _add_summary(inner, lines)
    for line in lines:
        _add_line(inner, line)
    return _written(root)


def _begun(kind: str, name: str, made_at: float, *, is_last: bool) -> tuple[Element, Element]:
    root = Element("Document", xmlns=f"urn:iso:std:iso:20022:tech:xsd:{kind}.001.08")
    outer, inner = _NAMES[kind]
    message = SubElement(root, outer)
    head = SubElement(message, "GrpHdr")
    _add(head, "MsgId", name)
    _add(head, "CreDtTm", ledger.written_time(made_at))
    pages = SubElement(head, "MsgPgntn")
    _add(pages, "PgNb", "1")
    _add(pages, "LastPgInd", "true" if is_last else "false")
    return root, SubElement(message, inner)


def _written(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add_account(inner: Element, account: Account) -> None:
    _add(SubElement(SubElement(inner, "Acct"), "Id"), "IBAN", account.account)


def _add_balance(inner: Element, code: str, minor: int, currency: str, day: date) -> None:
    balance = SubElement(inner, "Bal")
    _add(SubElement(SubElement(balance, "Tp"), "CdOrPrtry"), "Cd", code)
    _add_amount(balance, minor, currency)
    _add(SubElement(balance, "Dt"), "Dt", (day - timedelta(days=code == "OPBD")).isoformat())


def _add_summary(inner: Element, lines: Sequence[Line]) -> None:
    """Counts only: sums would add up different currencies."""
    summary = SubElement(inner, "TxsSummry")
    for name, found in (
        ("TtlNtries", lines),
        ("TtlCdtNtries", [line for line in lines if line.amount > 0]),
        ("TtlDbtNtries", [line for line in lines if line.amount <= 0]),
    ):
        _add(SubElement(summary, name), "NbOfNtries", str(len(found)))


def _add_line(inner: Element, line: Line) -> None:
    entry = SubElement(inner, "Ntry")
    _add_amount(entry, line.amount, line.currency)
    if line.undoes:
        _add(entry, "RvslInd", "true")
    _add(SubElement(entry, "Sts"), "Cd", "BOOK")
    _add(SubElement(entry, "BookgDt"), "DtTm", ledger.written_time(line.booked_at))
    _add(SubElement(entry, "ValDt"), "DtTm", ledger.written_time(line.booked_at))
    _add(entry, "AcctSvcrRef", line.name)
    details = SubElement(SubElement(entry, "NtryDtls"), "TxDtls")
    references = SubElement(details, "Refs")
    _add(references, "EndToEndId", line.end_to_end_id or "NOTPROVIDED")
    _add(references, "UETR", str(uuid5(NAMESPACE_OID, line.name)))
    if line.debtor:
        parties = SubElement(details, "RltdPties")
        _add(SubElement(SubElement(parties, "Dbtr"), "Pty"), "Nm", line.debtor)
        if line.debtor_account:
            _add(SubElement(SubElement(parties, "DbtrAcct"), "Id"), "IBAN", line.debtor_account)
    text = SubElement(details, "RmtInf")
    for start in range(0, len(line.text), _LONGEST_PIECE):
        _add(text, "Ustrd", line.text[start : start + _LONGEST_PIECE])


def _add_amount(inside: Element, minor: int, currency: str) -> None:
    _add(inside, "Amt", ledger.written_amount(minor, currency)).set("Ccy", currency)
    _add(inside, "CdtDbtInd", "CRDT" if minor >= 0 else "DBIT")


def _add(inside: Element, name: str, text: str) -> Element:
    made = SubElement(inside, name)
    made.text = text
    return made
