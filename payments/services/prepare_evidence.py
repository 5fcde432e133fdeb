from payments import disputes
from payments.disputes import DisputeView
from payments.services.add_evidence_file import add_evidence_file
from payments.services.draft_evidence import draft_evidence
from payments.services.gather_evidence import gather_evidence


def prepare_evidence(*, dispute: str, actor: str) -> DisputeView:
    """This will fill what is empty in the draft with what our own records say; what a person wrote stays.

    Opens its own transactions. Raises what `draft_evidence` does.
    """
    before = disputes.dispute(dispute)
    pack = gather_evidence(dispute=dispute)
    missing = {name: text for name, text in pack.texts.items() if name not in before.texts}
    draft_evidence(dispute=dispute, texts=missing, actor=actor)
    there = {file.kind for file in before.files}
    for kind, paper in pack.files.items():
        if kind not in there:
            add_evidence_file(dispute=dispute, kind=kind, name=paper.name, content=paper.content, actor=actor)
    return disputes.dispute(dispute)
