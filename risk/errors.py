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


class CaseNeedsSenior(Refusal):
    """The case was escalated; the right to decide it is another."""

    code = "case_needs_senior"
    status = 403


class CaseIsOwn(Refusal):
    """Nobody gives the second look to what they decided themselves."""

    code = "case_is_own"
    status = 409


class CaseHoldsMoney(Refusal):
    """A payment waits for this case, so it is decided with the payment."""

    code = "case_holds_money"
    status = 409


class InvalidCaseNote(Refusal):
    """A note that says nothing."""

    code = "invalid_case_note"


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


class SecondPersonNeeded(Refusal):
    """Who drafted a policy can not switch it on; who proposed a change of the lists can not confirm it."""

    code = "second_person_needed"
    status = 403


class ReasonMissing(Refusal):
    """A change of what decides is kept with its reason."""

    code = "reason_missing"


class InvalidRollOut(Refusal):
    """The share or the budget of a roll-out makes no sense."""

    code = "invalid_roll_out"


class RollOutRunning(Refusal):
    """Another policy decides for a share of the traffic; one at a time."""

    code = "roll_out_running"
    status = 409


class RollOutNotRunning(Refusal):
    """There is no roll-out to end."""

    code = "roll_out_not_running"
    status = 409


class BackTestNotFound(Refusal):
    """There is no back-test with this identifier."""

    code = "back_test_not_found"
    status = 404


class InvalidPolicy(Refusal):
    """The policy's document can not be used; `param` names the rule or field."""

    code = "invalid_policy"


class InvalidRule(InvalidPolicy):
    """A rule's expression, weight, action or message is wrong; `param` is the rule's id."""

    code = "invalid_rule"


class InvalidListEntry(Refusal):
    """A list entry that could never match, or says nothing."""

    code = "invalid_list_entry"


class ExpectationNotFound(Refusal):
    """There is no such expectation, or it was ended before."""

    code = "expectation_not_found"
    status = 404


class InvalidExpectation(Refusal):
    """It names no decision or payment to judge, or nothing that could be expected of it."""

    code = "invalid_expectation"


class ExpectationsNotMet(Refusal):
    """The policy does not do what is expected of it, and nobody said why it may decide all the same."""

    code = "expectations_not_met"
    status = 409


class ListFileRefused(Refusal):
    """A file of list entries in which something is wrong; nothing of it was taken."""

    code = "list_file_refused"


class ListChangeNotFound(Refusal):
    """There is no such proposed change of the lists."""

    code = "list_change_not_found"
    status = 404


class ListChangeNotWaiting(Refusal):
    """Somebody decided about it, or about what it concerns, meanwhile."""

    code = "list_change_not_waiting"
    status = 409


class ListEntryNotFound(Refusal):
    """There is no such list entry, or it was ended before."""

    code = "list_entry_not_found"
    status = 404


class ModelNotFound(Refusal):
    """There is no model with this name and version."""

    code = "model_not_found"
    status = 404


class UnusableModel(Refusal):
    """The model was changed, is not signed by this installation, or does not fit the signals; `param` names what."""

    code = "unusable_model"
    status = 409


class TooFewOutcomes(Refusal):
    """There are too few payments, or too few frauds among them, to learn from."""

    code = "too_few_outcomes"
    status = 409


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


class DeviceNotFound(Refusal):
    """No such device, or not one that this customer was seen with."""

    code = "device_not_found"
    status = 404


class DeviceFrozen(Refusal):
    """The device may not pay. Nothing was held or charged."""

    code = "device_frozen"
    status = 403


class DeviceNotFrozen(Refusal):
    """Nothing to end: whoever asks has not frozen it."""

    code = "device_not_frozen"
    status = 409


class DeviceNotTrusted(Refusal):
    """The customer asks from a device that is not known well enough to thaw another."""

    code = "device_not_trusted"
    status = 403


class FreezeReasonMissing(Refusal):
    """Nobody says why."""

    code = "freeze_reason_missing"
