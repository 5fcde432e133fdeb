"""`/v1/files`: evidence for disputes, as multipart forms. What a file is, its first bytes say."""

from sandbox.stripe.errors import StripeError
from sandbox.stripe.gateway import Call
from sandbox.stripe.store import Object, add, load

_LARGEST = 5 * 1024 * 1024


def create(call: Call) -> Object:
    """`POST /v1/files`."""
    purpose = call.params.required("purpose")
    paper = call.params.table("file")
    name, kind = paper.text("name"), paper.text("type")
    size = paper.integer("size", 0)
    paper.text("digest")
    paper.finish()
    call.params.finish()
    if purpose != "dispute_evidence":
        raise StripeError("This sandbox keeps dispute evidence only.", param="purpose")
    if not 1 <= size <= _LARGEST:
        message = f"A file of dispute evidence has at most {_LARGEST} bytes, and is not empty."
        raise StripeError(message, code="file_size_invalid", param="file")
    if not kind:
        message = "Files of dispute evidence are PDF, JPEG or PNG."
        raise StripeError(message, code="invalid_file_type", param="file")
    key = call.world.new_id("file_")
    file: Object = {
        "id": key,
        "object": "file",
        "created": int(call.world.now()),
        "expires_at": None,
        "filename": name,
        "links": {"object": "list", "data": [], "has_more": False, "url": f"/v1/file_links?file={key}"},
        "purpose": purpose,
        "size": size,
        "title": None,
        "type": kind,
        "url": f"{call.world.public_url}/stripe/v1/files/{key}/contents",
    }
    return add(call.world, call.account.merchant, file)


def evidence(call: Call, key: str, param: str) -> Object:
    """The file that a dispute's evidence names. Raises StripeError."""
    return load(call.world, call.account.merchant, "file", key, param)


def retrieve(call: Call) -> Object:
    call.params.finish()
    return load(call.world, call.account.merchant, "file", call.path["id"], "file")
