"""What banks write: ISO 20022, SWIFT, and CSV with a saved mapping. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciliation.parsers import bank_csv, camt, mt940
from reconciliation.parsers.contract import Format

CHANNEL: Final = "bank"


def _is_statement(name: str, text: str) -> bool:
    return "camt.053" in text or "<BkToCstmrStmt" in text


def _is_report(name: str, text: str) -> bool:
    return "camt.052" in text or "<BkToCstmrAcctRpt" in text


def _is_mt940(name: str, text: str) -> bool:
    return ":20:" in text and ":25:" in text and ":60" in text


def _is_csv(name: str, text: str) -> bool:
    """Nobody can tell whose columns these are: the console asks."""
    return False


_ALL: Final = (
    Format(CHANNEL, "camt.053", "Bank statement (camt.053)", camt.read, _is_statement),
    Format(CHANNEL, "camt.052", "Bank report of the day (camt.052)", camt.read, _is_report),
    Format(CHANNEL, "mt940", "Bank statement (MT940)", mt940.read, _is_mt940),
    Format(CHANNEL, "csv", "Bank statement (CSV with a saved mapping)", bank_csv.read, _is_csv),
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({one.kind: one for one in _ALL})
