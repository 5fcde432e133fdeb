"""Risk's tables. Nobody outside this app opens them."""

from risk.models.cases import RiskCase
from risk.models.decisions import Decision
from risk.models.learned import Outcome, RiskModel
from risk.models.lists import LimitUse, ListEntry
from risk.models.policies import Policy

__all__ = ["Decision", "LimitUse", "ListEntry", "Outcome", "Policy", "RiskCase", "RiskModel"]
