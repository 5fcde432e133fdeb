"""Risk's tables. Nobody outside this app opens them."""

from risk.models.cases import RiskCase
from risk.models.decisions import Decision
from risk.models.lists import LimitUse, ListEntry
from risk.models.notes import CaseNote
from risk.models.policies import Policy
from risk.models.ties import Tie

__all__ = ["CaseNote", "Decision", "LimitUse", "ListEntry", "Policy", "RiskCase", "Tie"]
