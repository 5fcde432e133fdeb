"""Risk's tables. Nobody outside this app opens them."""

from risk.models.cases import RiskCase
from risk.models.challenges import Challenge, ChallengeCode, Passkey
from risk.models.decisions import Decision
from risk.models.lists import LimitUse, ListEntry
from risk.models.policies import Policy

__all__ = [
    "Challenge",
    "ChallengeCode",
    "Decision",
    "LimitUse",
    "ListEntry",
    "Passkey",
    "Policy",
    "RiskCase",
]
