"""Claims on the quota that are doubted: flags put on record, and decisions by persons with authority.

A flag holds the claim, or does what the policy in force says. A decision restores or disqualifies it and says how many
flags it has dealt with; later flags stand open. Nothing is taken out: a decision is superseded by a later one.
"""

from ledger.crypto.canonical import b64url
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import Table, View
from ledger.units import OrderField
from settlement.model.claims import (
    DECISIONS_PER_CLAIM_MAX,
    FLAGS_PER_CLAIM_MAX,
    ClaimDecision,
    ClaimField,
    ClaimFlag,
    CountedField,
    EvidenceField,
    Reason,
    Verdict,
)
from settlement.rules.sales import claim_behind
from settlement.rules.tables import (
    ASSET_LOCKS,
    ATTESTED_LEGS,
    ATTESTED_SALES,
    CASH_LEGS,
    CLAIM_DECISIONS,
    CLAIMS,
    QUOTA_FLAGS,
)


class ClaimFlagging(Record, frozen=True, kw_only=True):
    """Put on record what speaks against a claim, with the transactions that show it."""

    claim: ClaimField
    reason: Reason
    evidence: EvidenceField


class ClaimDecide(Record, frozen=True, kw_only=True):
    """Restore or disqualify a claim."""

    claim: ClaimField
    verdict: Verdict
    reason: Reason
    order: OrderField
    """Number of the decision in the authority's own files."""
    decisions: CountedField
    """How many decisions on the claim there were: this one supersedes the last of them."""
    flags: CountedField
    """How many flags of the claim there were, all dealt with here."""


CLAIM_UNKNOWN = RefusalCode("claim_unknown", "No sale of this exchange and number counts for a quota.")
CLAIM_FLAGGED = RefusalCode("claim_flagged", "A flag of this reason stands open on the claim.")
FLAGS_TOO_MANY = RefusalCode("flags_too_many", "The claim has no room for another flag.")
DECISION_OUT_OF_DATE = RefusalCode(
    "decision_out_of_date", "Flags or decisions were added to the claim since the decision was prepared."
)
DECISIONS_TOO_MANY = RefusalCode("decisions_too_many", "The claim has no room for another decision.")
CLAIM_LEG_TAKEN = RefusalCode(
    "claim_leg_taken", "The payment or the lock of the claim stands behind another one that was not disqualified."
)


def _flag(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ClaimFlagging = submitted.signed.body
    if refused := _refuse_unknown(view, body.claim):
        return refused
    flags = view.get(QUOTA_FLAGS, body.claim) or ()
    decisions = view.get(CLAIM_DECISIONS, body.claim) or ()
    settled = decisions[-1].flags if decisions else 0
    if any(flag.reason is body.reason for flag in flags[settled:]):
        return Refused(CLAIM_FLAGGED, detail=f"claim {body.claim}, reason {body.reason}")
    if len(flags) == FLAGS_PER_CLAIM_MAX:
        return Refused(FLAGS_TOO_MANY, detail=f"claim {body.claim} has {len(flags)} flags")
    flag = ClaimFlag(
        reason=body.reason,
        evidence=body.evidence,
        by=submitted.signed.transaction.participant,
        flagged_us=submitted.time_us,
    )
    return Proposal(changes=((QUOTA_FLAGS, body.claim, (*flags, flag)),), record={"flag": len(flags) + 1})


def _decide(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ClaimDecide = submitted.signed.body
    if refused := _refuse_unknown(view, body.claim):
        return refused
    decisions = view.get(CLAIM_DECISIONS, body.claim) or ()
    flags = view.get(QUOTA_FLAGS, body.claim) or ()
    if (body.decisions, body.flags) != (len(decisions), len(flags)):
        expected = f"{len(decisions)} decisions and {len(flags)} flags"
        return Refused(DECISION_OUT_OF_DATE, detail=f"expected {expected}, got {body.decisions} and {body.flags}")
    if len(decisions) == DECISIONS_PER_CLAIM_MAX:
        return Refused(DECISIONS_TOO_MANY, detail=f"claim {body.claim} has {len(decisions)} decisions")
    legs = _legs(view, body.claim) if body.verdict is Verdict.RESTORE else ()
    for table, name, _ in legs:
        if (other := claim_behind(view, table, name)) not in (None, body.claim):
            return Refused(CLAIM_LEG_TAKEN, detail=f"{name} stands behind {other}")
    decision = ClaimDecision(
        verdict=body.verdict,
        reason=body.reason,
        order=body.order,
        flags=body.flags,
        by=submitted.signed.transaction.participant,
        decided_us=submitted.time_us,
        transaction=b64url(submitted.signed.transaction_id),
    )
    return Proposal(
        changes=((CLAIM_DECISIONS, body.claim, (*decisions, decision)), *legs), record={"decision": len(decisions) + 1}
    )


def _refuse_unknown(view: View, claim: str) -> Refused | None:
    if view.get(CLAIMS, claim) is None and view.get(ATTESTED_SALES, claim) is None:
        return Refused(CLAIM_UNKNOWN, detail=f"claim {claim}")
    return None


def _legs(view: View, claim: str) -> tuple[tuple[Table[str], str, str], ...]:
    """Payment and lock of an attested sale, to stand behind it; of a settled one none, for it keeps them."""
    named = view.get(ATTESTED_LEGS, claim)
    return () if named is None else ((CASH_LEGS, named[0], claim), (ASSET_LOCKS, named[1], claim))


MODULE = RuleModule(
    name="claims",
    meaning="Flags and decisions on claims on the quota.",
    tables=(QUOTA_FLAGS, CLAIM_DECISIONS),
    kinds=(
        Kind(
            name="claim_flag",
            body=ClaimFlagging,
            meaning="Put on record what speaks against a claim; it is held until it is decided.",
            refusals=(CLAIM_UNKNOWN, CLAIM_FLAGGED, FLAGS_TOO_MANY),
            decide=_flag,
        ),
        Kind(
            name="claim_decide",
            body=ClaimDecide,
            meaning="Restore or disqualify a claim.",
            refusals=(CLAIM_UNKNOWN, DECISION_OUT_OF_DATE, DECISIONS_TOO_MANY, CLAIM_LEG_TAKEN),
            decide=_decide,
        ),
    ),
)
