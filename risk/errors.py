"""What risk refuses, by name."""

from ledger.errors import Refusal


class CaseNotFound(Refusal):
    """There is no case with this identifier."""

    code = "case_not_found"
    status = 404


class CaseAlreadyDecided(Refusal):
    """Somebody approved or rejected this case before."""

    code = "case_already_decided"
    status = 409


class CaseClaimedByAnother(Refusal):
    """A colleague took this case."""

    code = "case_claimed_by_another"
    status = 409


class CaseExpired(Refusal):
    """Nobody decided in time; the payment was given up."""

    code = "case_expired"
    status = 409


class DecisionNotFound(Refusal):
    """There is no decision with this identifier."""

    code = "decision_not_found"
    status = 404


class PolicyNotFound(Refusal):
    """There is no policy with this name and version."""

    code = "policy_not_found"
    status = 404


class PolicyNotSwitchable(Refusal):
    """A policy in this state can not take this step."""

    code = "policy_not_switchable"
    status = 409


class InvalidPolicy(Refusal):
    """The policy's document can not be used; `param` names the rule or field."""

    code = "invalid_policy"


class InvalidRule(InvalidPolicy):
    """A rule's expression, weight, action or message is wrong; `param` is the rule's id."""

    code = "invalid_rule"


class InvalidListEntry(Refusal):
    """A list entry that could never match, or says nothing."""

    code = "invalid_list_entry"


class ListEntryNotFound(Refusal):
    """There is no such list entry, or it was ended before."""

    code = "list_entry_not_found"
    status = 404


class ChallengeNotFound(Refusal):
    """There is no such challenge."""

    code = "challenge_not_found"
    status = 404


class ChallengeOver(Refusal):
    """Answered, failed or given up before."""

    code = "challenge_over"
    status = 409


class ChallengeNotYours(Refusal):
    """Another session of the customer's, or another customer, was asked."""

    code = "challenge_not_yours"
    status = 403


class ChallengeAnswerWrong(Refusal):
    """The answer is not right; there are tries left."""

    code = "challenge_answer_wrong"
    status = 409


class ChallengeFailed(Refusal):
    """Too many wrong answers: the payment was given up."""

    code = "challenge_failed"
    status = 409


class ChallengeKindUnavailable(Refusal):
    """This way to confirm is not offered for this payment."""

    code = "challenge_kind_unavailable"


class CodeLimitReached(Refusal):
    """So many codes were sent for this payment, or within the hour to this address or for this customer."""

    code = "code_limit_reached"
    status = 429


class PasskeyRefused(Refusal):
    """The browser's credential could not be checked, or belongs to somebody already."""

    code = "passkey_refused"
