"""Disputes: looked at, prepared, answered once. For programs with the scope and for the console's people."""

from collections.abc import Mapping
from typing import IO, Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from checkout.api.examples import DISPUTE, DISPUTES
from checkout.api.pagination import cursor_for, cursor_of, limit_of
from checkout.api.refusals import CursorInvalid
from checkout.api.schema import PAGE_PARAMETERS, operation
from checkout.api.serializers.disputes import AcceptRequest, DisputeAnswer, DisputesAnswer, EvidenceRequest
from checkout.api.serializers.requests import NothingRequest
from checkout.api.views.base import ApiView
from ledger.errors import Refusal
from payments import disputes
from payments.api.idempotency import IdempotentMixin
from payments.api.permissions import Scope
from payments.errors import (
    DisputeAlreadyAnswered,
    DisputeNotAnswerableHere,
    DisputeNotFound,
    DisputeNotOpen,
    DisputePastDue,
    EvidenceEmpty,
    EvidenceFileNotFound,
    EvidenceInvalid,
    InquiryNotAcceptable,
)
from payments.evidence import LONGEST_FILE
from payments.services.accept_dispute import accept_dispute
from payments.services.add_evidence_file import add_evidence_file
from payments.services.draft_evidence import draft_evidence
from payments.services.recognise_api_key import ApiKeyView
from payments.services.remove_evidence_file import remove_evidence_file
from payments.services.submit_evidence import submit_evidence
from payments.states import DisputeMovementKind

VIEW, DRAFT, SETTLE = "payments.view_dispute", "payments.draft_dispute", "payments.settle_dispute"
_TOO_LATE = (DisputeNotFound, DisputeNotOpen, DisputePastDue, DisputeAlreadyAnswered)
_FINAL = (*_TOO_LATE, DisputeNotAnswerableHere)


class BytesParser(BaseParser):
    """The body as it is. One byte more than is allowed is read, so that too much shows."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream.read(LONGEST_FILE + 1)


class PdfParser(BytesParser):
    media_type = "application/pdf"


class PngParser(BytesParser):
    media_type = "image/png"


class JpegParser(BytesParser):
    media_type = "image/jpeg"


class _ForPeopleOfTheShop(ApiView):
    """Customers see no disputes. `rights` is what a person needs, by method; a key needs its scope."""

    rights: ClassVar[Mapping[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        right = self.rights.get(str(request.method), VIEW)
        if not isinstance(request.auth, ApiKeyView) and not request.user.has_perm(right):
            raise DisputeNotFound("There is no dispute that you may see.", param="dispute")

    def actor(self) -> str:
        auth = self.request.auth
        return auth.id if isinstance(auth, ApiKeyView) else f"user:{self.request.user.pk}"


class DisputesView(_ForPeopleOfTheShop):
    scopes = {"GET": Scope.DISPUTES_READ}

    @operation(
        "listDisputes",
        tag="disputes",
        summary="List disputes, newest first",
        answer=DisputesAnswer,
        parameters=PAGE_PARAMETERS,
        refusals=(DisputeNotFound,),
        token=False,
        examples={"answer": DISPUTES},
    )
    def get(self, request: Request) -> Response:
        limit = limit_of(request)
        try:
            found = disputes.newest(limit=limit + 1, before=cursor_of(request))
        except DisputeNotFound as gone:
            raise CursorInvalid("Pass `next_cursor` of the page before, unchanged.", param="cursor") from gone
        page = found[:limit]
        next_cursor = cursor_for(page[-1].id) if len(found) > limit else None
        return self.answer(DisputesAnswer, {"data": page, "next_cursor": next_cursor})


class DisputeView(_ForPeopleOfTheShop):
    scopes = {"GET": Scope.DISPUTES_READ}

    @operation(
        "getDispute",
        tag="disputes",
        summary="Look at a dispute",
        answer=DisputeAnswer,
        refusals=(DisputeNotFound,),
        token=False,
        examples={"answer": DISPUTE},
    )
    def get(self, request: Request, dispute: str) -> Response:
        return self.answer(DisputeAnswer, disputes.dispute(dispute))


class DisputeEvidenceView(IdempotentMixin, _ForPeopleOfTheShop):
    scopes = {"POST": Scope.DISPUTES_WRITE}
    rights = {"POST": DRAFT}
    input_serializer = EvidenceRequest

    @operation(
        "draftEvidence",
        tag="disputes",
        summary="Keep texts for the answer",
        description="Nothing is sent yet.",
        request=EvidenceRequest,
        answer=DisputeAnswer,
        moves=True,
        refusals=(*_TOO_LATE, EvidenceInvalid),
        token=False,
        examples={"request": {"texts": {"shipping_tracking": "SF1234567890"}}, "answer": DISPUTE},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        view = draft_evidence(dispute=kwargs["dispute"], texts=data["texts"], actor=self.actor())
        return self.answer(DisputeAnswer, view)


class DisputeFileView(_ForPeopleOfTheShop):
    scopes = {"PUT": Scope.DISPUTES_WRITE, "DELETE": Scope.DISPUTES_WRITE}
    rights = {"PUT": DRAFT, "DELETE": DRAFT}

    def get_parsers(self) -> list[BaseParser]:
        return [PdfParser(), PngParser(), JpegParser()]

    @operation(
        "putEvidenceFile",
        tag="disputes",
        summary="Keep a file for the answer",
        description="The body is the file: PDF, PNG or JPEG, at most 5 MB. It replaces one of the same kind.",
        request=dict.fromkeys(("application/pdf", "image/png", "image/jpeg"), OpenApiTypes.BINARY),
        answer=DisputeAnswer,
        refusals=(*_TOO_LATE, EvidenceInvalid),
        token=False,
        examples={"answer": DISPUTE},
    )
    def put(self, request: Request, dispute: str, kind: str) -> Response:
        body: Any = request.data
        # Without a body the framework hands over an empty form.
        content = body if isinstance(body, bytes) else b""
        add_evidence_file(dispute=dispute, kind=kind, name=kind, content=content, actor=self.actor())
        return self.answer(DisputeAnswer, disputes.dispute(dispute))

    @operation(
        "deleteEvidenceFile",
        tag="disputes",
        summary="Take a file out of the answer",
        answer=DisputeAnswer,
        refusals=(*_TOO_LATE, EvidenceFileNotFound),
        token=False,
        examples={"answer": DISPUTE},
    )
    def delete(self, request: Request, dispute: str, kind: str) -> Response:
        remove_evidence_file(dispute=dispute, kind=kind, actor=self.actor())
        return self.answer(DisputeAnswer, disputes.dispute(dispute))


class _Answering(IdempotentMixin, _ForPeopleOfTheShop):
    scopes = {"POST": Scope.DISPUTES_WRITE}
    rights = {"POST": SETTLE}
    kind: ClassVar[DisputeMovementKind]

    def recover(self, request: Request, data: dict[str, Any], refusal: Refusal) -> Response | None:
        """Our own answer stands in the way: it is the one that was asked for."""
        if not isinstance(refusal, DisputeAlreadyAnswered | DisputeNotOpen):
            return None
        view = disputes.dispute(request.parser_context["kwargs"]["dispute"])
        ours = view.answer is not None and view.answer.kind == self.kind
        return self.answer(DisputeAnswer, view) if ours else None


class DisputeSubmitView(_Answering):
    kind = DisputeMovementKind.SUBMIT
    input_serializer = NothingRequest

    @operation(
        "submitEvidence",
        tag="disputes",
        summary="Send the answer to the bank, once",
        description="Final: nothing can be added or changed afterwards.",
        request=NothingRequest,
        answer=DisputeAnswer,
        moves=True,
        refusals=(*_FINAL, EvidenceEmpty),
        token=False,
        examples={"request": {}, "answer": {**DISPUTE, "state": "UNDER_REVIEW", "can_answer": False}},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        return self.answer(DisputeAnswer, submit_evidence(dispute=kwargs["dispute"], actor=self.actor()))


class DisputeAcceptView(_Answering):
    kind = DisputeMovementKind.ACCEPT
    input_serializer = AcceptRequest

    @operation(
        "acceptDispute",
        tag="disputes",
        summary="Give the money up",
        description="Final. The order is not changed.",
        request=AcceptRequest,
        answer=DisputeAnswer,
        moves=True,
        refusals=(*_FINAL, InquiryNotAcceptable),
        token=False,
        examples={
            "request": {"reason": "The parcel was lost."},
            "answer": {**DISPUTE, "state": "ACCEPTED", "can_answer": False},
        },
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        view = accept_dispute(dispute=kwargs["dispute"], actor=self.actor(), reason=data["reason"])
        return self.answer(DisputeAnswer, view)
