"""The account's lines as camt.052 (during the day) and camt.053 (of a whole day)."""

from xml.etree.ElementTree import Element, SubElement, tostring

from sandbox.bank import ledger
from sandbox.bank.ledger import Account, Line
from sandbox.provider import World

_NAMES = {"camt.052": ("BkToCstmrAcctRpt", "Rpt"), "camt.053": ("BkToCstmrStmt", "Stmt")}
_LONGEST_PIECE = 140


def written(world: World, account: Account, lines: list[Line], *, kind: str, is_last: bool = True) -> bytes:
    root = Element("Document", xmlns=f"urn:iso:std:iso:20022:tech:xsd:{kind}.001.08")
    outer, inner = _NAMES[kind]
    message = SubElement(root, outer)
    head = SubElement(message, "GrpHdr")
    _add(head, "MsgId", world.new_id("M")[:35])
    _add(head, "CreDtTm", ledger.written_time(world.now()))
    _add(SubElement(head, "MsgPgntn"), "LastPgInd", "true" if is_last else "false")
    report = SubElement(message, inner)
    _add(SubElement(SubElement(report, "Acct"), "Id"), "IBAN", account.account)
    for line in lines:
        _add_line(world, report, line)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add_line(world: World, report: Element, line: Line) -> None:
    entry = SubElement(report, "Ntry")
    amount = _add(entry, "Amt", ledger.written_amount(line.amount, line.currency))
    amount.set("Ccy", line.currency)
    _add(entry, "CdtDbtInd", "CRDT" if line.amount > 0 else "DBIT")
    if line.undoes:
        _add(entry, "RvslInd", "true")
    _add(SubElement(entry, "Sts"), "Cd", "BOOK")
    _add(SubElement(entry, "BookgDt"), "DtTm", ledger.written_time(line.booked_at))
    _add(entry, "AcctSvcrRef", line.name)
    details = SubElement(SubElement(entry, "NtryDtls"), "TxDtls")
    if line.end_to_end_id:
        _add(SubElement(details, "Refs"), "EndToEndId", line.end_to_end_id)
    if line.amount > 0 and not line.undoes:
        sent = ledger.transfer_of(world, line.payment)
        parties = SubElement(details, "RltdPties")
        _add(SubElement(SubElement(parties, "Dbtr"), "Pty"), "Nm", sent.debtor)
        _add(SubElement(SubElement(parties, "DbtrAcct"), "Id"), "IBAN", sent.debtor_account)
    text = SubElement(details, "RmtInf")
    for start in range(0, len(line.text), _LONGEST_PIECE):
        _add(text, "Ustrd", line.text[start : start + _LONGEST_PIECE])


def _add(inside: Element, name: str, text: str) -> Element:
    made = SubElement(inside, name)
    made.text = text
    return made
