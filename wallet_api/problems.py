"""Every way a request can fail, in one table, and the RFC 9457 document that says so (design D27).

The codes of the rulebook join the table: a refusal is a problem whose document carries the receipt. Each code has a
stable type, ``/problems/<code>``, which the node itself explains.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from ledger.log.receipts import Receipt
from ledger.rules.core import CORE_MODULES
from ledger.rules.posting import POSTING_REFUSALS
from ledger.rules.rulebook import Rulebook
from settlement.rules import RULEBOOKS

REFUSED: Final = 422
"""Status of every refusal, and of nothing else: it comes with a receipt and is final."""

DETAIL_CHARACTERS_MAX: Final = 500
"""Characters of a detail; a longer one would send the sender's own text back at length."""

MEDIA_TYPE: Final = "application/problem+json"
"""Media type of a problem document (RFC 9457, section 3)."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One way to fail, as the documentation and the problem document tell it."""

    code: str
    status: int
    title: str
    is_transient: bool = False
    """Whether the very same request may succeed later; for a refusal: the same business, signed anew."""
    iso: str | None = None
    """ISO 20022 external status reason code, where one fits."""


class Problem(Exception):
    """A request that ends here. Routes raise it; the handlers and the submission route turn it into a document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after_s: int | None = None,
        receipt: Receipt | None = None,
        members: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what is wrong.

        Args:
            code: a key of ``PROBLEMS``.
            detail: what was expected and what came.
            retry_after_s: when to try again, in seconds.
            receipt: of a refusal.
            members: further members of the document.
            headers: further headers of the answer.
        """
        super().__init__(f"{code}: {detail}")
        self.type = PROBLEMS[code]
        self.instance = new_instance()
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.receipt = receipt
        self.members = members or {}
        self.headers = headers or {}


def new_instance() -> str:
    """Return a name for one occurrence of a problem."""
    return f"urn:uuid:{uuid.uuid4()}"


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    """Address of the explanation, relative to the node; stable, one for each code."""
    title: str
    """What went wrong, the same for each code."""
    status: int
    """HTTP status code."""
    detail: str
    """What was expected and what came, this time."""
    instance: str
    """Names this very occurrence; the node's own log knows it where the fault is the node's."""
    code: str
    """Stable name of the problem."""
    is_transient: bool
    """Whether the very same request may succeed later; for a refusal: the same business, signed anew."""
    reason_code: str | None = None
    """ISO 20022 external status reason code, where one fits."""
    receipt: Receipt | None = None
    """The receipt of a refusal: the refusal stands in the log, for ever."""


def _door() -> Iterable[ProblemType]:
    """The problems that no rule decides, in the order of a request's way through the door."""
    p = ProblemType
    return (
        # The request itself.
        p("route_unknown", 404, "There is nothing at this address."),
        p("method_not_allowed", 405, "The address does not take this method."),
        p("request_invalid", 400, "A parameter, header or field of the request is not as described."),
        p("content_encoding_refused", 415, "A request body must travel without Content-Encoding."),
        p("content_type_unsupported", 415, "The request body has another media type than expected."),
        p("body_too_large", 413, "The request body is too long."),
        p("body_timeout", 408, "The request body did not arrive in time.", True),
        p("failures_too_many", 429, "Too many failed requests from this address.", True),
        p("internal_error", 500, "The node made a mistake; it is written in its log.", True),
        # Who asks.
        p("token_missing", 401, "Reading needs a bearer token."),
        p("token_invalid", 401, "The bearer token is unknown, expired, or its key was revoked.", iso="DS0H"),
        p("client_authentication_invalid", 401, "The client assertion does not prove who the client is."),
        p("grant_type_unsupported", 400, "The only grant is client_credentials with a signed assertion."),
        p("tokens_too_many", 429, "The key has asked for too many tokens.", True),
        p("not_found", 404, "There is nothing of this name that the participant may read."),
        # Reading.
        p("leaf_unknown", 404, "The log has no leaf of this number."),
        p("views_behind", 503, "The projections have not reached the sequence number asked for.", True),
        p("views_unavailable", 503, "The projections cannot be read now.", True),
        p("clock_too_far", 409, "A sandbox's clock is set at most ten years ahead."),
        p("origin_foreign", 403, "A page of another site may not set a sandbox's clock."),
        p("clock_backwards", 409, "A sandbox's clock is only set ahead."),
        p("query_log_unavailable", 503, "The query cannot be put on record now, and so is not answered.", True),
        # The annex.
        p("opening_unfit", 400, "An opening is of no commitment in the transaction."),
        p("annex_unavailable", 503, "The annex cannot be read or written now.", True),
        # The signed bytes.
        p("jws_malformed", 400, "The body is not a JWS in general JSON serialization."),
        p("jws_header_invalid", 400, "A protected header is not exactly alg, kid and typ."),
        p("jws_algorithm_invalid", 400, "A signature is not by Ed25519."),
        p("jws_type_invalid", 400, "The bytes were signed for another purpose."),
        p("jws_signature_count", 400, "There are no signatures, or too many."),
        p("jws_duplicate_key", 400, "A key signed more than once."),
        p("payload_invalid", 400, "The payload is not the canonical form of a transaction of its kind."),
        p("kind_unknown", 400, "The rulebook has no kind of this name."),
        p("wrong_network", 400, "The transaction is for another network."),
        p("public_key_invalid", 400, "A public key in the body is not admitted: wrong encoding or order."),
        p("mandate_invalid", 400, "A mandate in the body does not hold.", iso="MD01"),
        p("signature_invalid", 403, "A signature does not hold.", iso="DS02"),
        # Whose signatures, and when.
        p("reference_reused", 409, "The reference was used with another payload.", iso="AM05"),
        p("reference_expired", 409, "The time in the reference is too old, and it was never decided.", iso="DT04"),
        p("reference_too_new", 409, "The time in the reference is ahead of the ledger.", True, "DT04"),
        p("transaction_expired", 409, "The transaction expired before it was decided.", iso="TM01"),
        p("participant_unknown", 403, "The sender is not a participant."),
        p("participant_suspended", 403, "The sender is suspended.", True),
        p("kind_not_permitted", 403, "The sender's role may not send this kind.", iso="AG01"),
        p("key_unknown", 403, "A key is not admitted, or not here.", iso="DS0H"),
        p("key_revoked", 403, "A key was revoked.", iso="DS0H"),
        p("key_not_active", 403, "A key is not valid yet.", True),
        p("key_use_wrong", 403, "A key serves another use."),
        p("signature_unasked", 403, "Nobody asked for one of the signatures."),
        p("signatures_insufficient", 403, "Signatures are missing; the same transaction may be sent with more."),
        # The node.
        p("undecidable", 500, "The rules failed on the transaction; nothing was recorded. The node's log says why."),
        p("queue_full", 429, "Too much is waiting; send the same bytes again.", True),
        p("outcome_unknown", 503, "The outcome is in doubt; send the same bytes again.", True),
        p("store_unavailable", 503, "The block store does not answer.", True),
        p("clock_jumped", 503, "The node's clock cannot be trusted; it accepts nothing.", True),
        p("node_deposed", 503, "Another node has taken over.", True),
        p("node_stopping", 503, "The node is stopping; send the same bytes again.", True),
        p("node_broken", 503, "The node has failed and accepts nothing.", True),
    )


def _table(rulebooks: Iterable[Rulebook]) -> Mapping[str, ProblemType]:
    """Join the door's problems and every refusal of every rulebook."""
    table = {problem.code: problem for problem in _door()}
    for rulebook in rulebooks:
        for refusal in rulebook.refusal_codes().values():
            joined = ProblemType(refusal.code, REFUSED, refusal.meaning, refusal.is_transient, refusal.iso)
            if table.setdefault(refusal.code, joined).status != REFUSED:
                raise ValueError(f"expected another name than that of a problem, got the refusal {refusal.code}")
    return MappingProxyType(table)


def _public_details() -> frozenset[str]:
    """The refusals of the core kinds' own rules, but for those that a posting rule or another module may give too."""
    own = {code.code for module in CORE_MODULES for kind in module.kinds for code in kind.refusals}
    others = [code for book in RULEBOOKS.values() for module in book.modules for code in module.guard_refusals]
    return frozenset(own - {code.code for code in (*POSTING_REFUSALS, *others)})


PUBLIC_DETAILS: Final = _public_details()
"""Refusals whose detail is told whoever brings the transaction. Any other may tell of a balance, a limit used up, or
another participant's fact, and goes only to a bearer of a token of the sender."""

PROBLEMS: Final = _table(RULEBOOKS.values())
"""Every problem by code."""


def document(problem: Problem) -> bytes:
    """Return the problem document as JSON."""
    kind = problem.type
    content = ProblemDocument(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=printable(problem.detail),
        instance=problem.instance,
        code=kind.code,
        is_transient=kind.is_transient,
        reason_code=kind.iso,
        receipt=problem.receipt,
    )
    if not problem.members:
        return msgspec.json.encode(content)
    return msgspec.json.encode({**msgspec.to_builtins(content), **problem.members})


def headers(problem: Problem) -> dict[str, str]:
    """Return the headers that go with the document, besides its type and length."""
    own = dict(problem.headers)
    if problem.retry_after_s is not None:
        own["retry-after"] = str(problem.retry_after_s)
    if problem.type.status == 401:
        own["www-authenticate"] = 'Bearer realm="digital-tenge"'
    return own


def printable(text: str) -> str:
    """Return text that any encoder takes and any terminal shows: bad input is never echoed as it came."""
    text = text[:DETAIL_CHARACTERS_MAX]
    return text if text.isprintable() else ascii(text)[1:-1]
