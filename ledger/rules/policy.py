"""Policy: which role may send which kind, with whose signatures; changed by the issuer's quorum (design D9).

A change takes effect on the next business day, so that everyone can read it before it binds.
"""

from typing import Annotated, Final

from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import QUORUM_MAX, Cosigner, DatedPolicy, Policy, Role
from ledger.model.record import Record
from ledger.rules.keys import next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import POLICIES
from ledger.state import View
from ledger.units import KindField

GOVERNING_KINDS: Final = frozenset({"policy_set", "cap_set", "rulebook_set"})
"""Kinds whose policy stands in genesis for ever: a mistake in them could not be mended by anyone."""


class PolicySet(Record, frozen=True, kw_only=True):
    """Set the policy of a kind from the next business day."""

    kind: KindField
    roles: Annotated[tuple[Role, ...], Meta(max_length=len(Role))]
    """Roles that may send the kind; none switches it off."""
    own: Annotated[int, Meta(ge=0, le=QUORUM_MAX)]
    """Signatories of the sender that must sign; 0 means the sender's own quorum."""
    cosigners: Annotated[tuple[Cosigner, ...], Meta(max_length=4)] = ()


POLICY_KIND_UNKNOWN = RefusalCode("policy_kind_unknown", "No policy of this kind stands in the ledger.")
POLICY_FIXED = RefusalCode("policy_fixed", "The policy of the governing kinds stands in genesis for ever.")
POLICY_COSIGNER_UNCLEAR = RefusalCode(
    "policy_cosigner_unclear", "A cosigner is a role or a participant, one of the two."
)


def _set(view: View, submitted: Submitted) -> Proposal | Refused:
    body: PolicySet = submitted.signed.body
    dated = view.get(POLICIES, body.kind)
    if dated is None:
        return Refused(POLICY_KIND_UNKNOWN, detail=f"kind {body.kind}")
    if body.kind in GOVERNING_KINDS:
        return Refused(POLICY_FIXED, detail=f"kind {body.kind}")
    if not all(cosigner.is_clear for cosigner in body.cosigners):
        return Refused(POLICY_COSIGNER_UNCLEAR, detail="each cosigner names a role or a participant")
    changed = DatedPolicy(
        kind=body.kind,
        current=dated.on(submitted.business_date),
        following=Policy(roles=body.roles, own=body.own, cosigners=body.cosigners),
        following_from=next_day(submitted.business_date),
    )
    return Proposal(changes=((POLICIES, body.kind, changed),), record={"from": str(changed.following_from)})


MODULE = RuleModule(
    name="policy",
    meaning="Who may send what, with whose signatures.",
    kinds=(
        Kind(
            name="policy_set",
            body=PolicySet,
            meaning="Set the policy of a kind from the next business day.",
            refusals=(POLICY_KIND_UNKNOWN, POLICY_FIXED, POLICY_COSIGNER_UNCLEAR),
            decide=_set,
        ),
    ),
)
