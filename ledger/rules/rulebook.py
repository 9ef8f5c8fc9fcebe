"""The registry of capabilities and ``decide``: one composition for node, replay and verification.

``decide`` looks at a transaction in this order: was its reference seen; is it admissible; what do the kind's own
rules say; what do the posting rules and the guards say of each proposed entry. Each step has its codes in order of
precedence, so equal states and equal transactions always give the same answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ledger.crypto import canonical
from ledger.model.outcome import Accepted, Duplicate, Inadmissible, Outcome, RefusalCode, Refused
from ledger.model.transactions import SignedTransaction, Transaction, reference_time_us
from ledger.rules.admissible import inadmissible, seen_key
from ledger.rules.module import AccountClass, Guard, Kind, Proposal, RuleModule, Submitted
from ledger.rules.pair_posting import post_pairs
from ledger.rules.posting import POSTING_REFUSALS, post, post_lines
from ledger.rules.tables import CORE_TABLES, ledger_of
from ledger.seen import Seen
from ledger.state import Overlay, State, Table
from ledger.units import TimestampUs


class Rulebook:
    """One version of the rules: an immutable composition of modules."""

    def __init__(self, version: int, modules: Iterable[RuleModule]) -> None:
        self.version: Final = version
        self.modules: Final = tuple(modules)
        self.kinds: Final[Mapping[str, Kind]] = {kind.name: kind for module in self.modules for kind in module.kinds}
        self.classes: Final[Mapping[str, AccountClass]] = {
            account_class.name: account_class for module in self.modules for account_class in module.classes
        }
        self.tables: Final[tuple[Table[Any], ...]] = (
            *CORE_TABLES,
            *(table for module in self.modules for table in module.tables),
        )
        self._guards: Final[tuple[Guard, ...]] = tuple(guard for module in self.modules for guard in module.guards)
        self.ordinary_classes: Final = frozenset(
            account_class.name
            for account_class in self.classes.values()
            if not account_class.is_client
            and not any(module.guards and module.guards_watch(account_class) for module in self.modules)
        )
        """Classes whose accounts only the posting rules ask about."""
        assert len(self.kinds) == sum(len(module.kinds) for module in self.modules), "each kind has its own name"
        for kind in self.kinds.values():
            canonical.prepare(Transaction[kind.body])  # type: ignore[name-defined]

    def empty_state(self) -> State:
        """Return a state with all tables of this rulebook and nothing in them."""
        return State(self.tables)

    def refusals(self, kind: Kind) -> tuple[RefusalCode, ...]:
        """All codes that may refuse a kind, in order of precedence."""
        guards = (code for module in self.modules for code in module.guard_refusals)
        return (*kind.refusals, *POSTING_REFUSALS, *guards)

    def refusal_codes(self) -> Mapping[str, RefusalCode]:
        """Every refusal code by name."""
        return {code.code: code for kind in self.kinds.values() for code in self.refusals(kind)}

    def decide(
        self, overlay: Overlay, signed: SignedTransaction, time_us: TimestampUs, *, height: int, index: int
    ) -> Outcome:
        """Decide one transaction and write what it changes into the overlay.

        Args:
            overlay: the state as of the transaction before; gains this one's changes.
            signed: a transaction whose signatures hold.
            time_us: time of the block.
            height: the block this decision becomes part of.
            index: its place among the block's submissions.
        """
        transaction = signed.transaction
        key = seen_key(transaction.participant, transaction.reference)
        made_us = reference_time_us(transaction.reference)
        seen = overlay.seen(key, made_us)
        if seen is not None:
            if seen.transaction_id == signed.transaction_id[:16]:
                return Duplicate(seen.height, seen.place)
            return Inadmissible(
                "reference_reused", f"reference {transaction.reference} was decided with another payload"
            )
        kind = self.kinds[transaction.kind]
        problem = inadmissible(overlay, kind, signed, made_us, time_us)
        if problem is not None:
            return problem
        overlay.mark_seen(key, made_us, Seen(signed.transaction_id[:16], height, index))
        submitted = Submitted(signed, time_us, ledger_of(overlay).business_date, self.classes)
        answer = kind.decide(overlay, submitted)
        if isinstance(answer, Refused):
            return answer
        return self._carry_out(overlay, submitted, answer)

    def _carry_out(self, overlay: Overlay, submitted: Submitted, proposal: Proposal) -> Accepted | Refused:
        """Post the proposed entries; if none was refused, or each stands alone, set the proposed rows."""
        if proposal.pairs is not None:
            lines = post_pairs(
                overlay, submitted, proposal.pairs, self._guards, self.ordinary_classes, is_atomic=proposal.is_atomic
            )
            if isinstance(lines, Refused):
                return lines
            refused_lines = lines
        elif len(proposal.entries) == 1 and proposal.is_atomic:
            refused = post(overlay, submitted, proposal.entries[0], self._guards, self.ordinary_classes)
            if refused is not None:
                return refused
            refused_lines = {}
        else:
            lines = post_lines(
                overlay,
                submitted,
                proposal.entries,
                self._guards,
                self.ordinary_classes,
                is_atomic=proposal.is_atomic,
            )
            if isinstance(lines, Refused):
                return lines
            refused_lines = lines
        for table, key, value in proposal.changes:
            overlay.put(table, key, value)
        return Accepted(proposal.entries, refused_lines, proposal.record, proposal.pairs)
