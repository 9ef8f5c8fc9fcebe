"""A ledger without a shell, for tests of rules: sign, open, decide, advance; no log, no disk.

``Book`` starts from a genesis with the operator ``operator``, the central bank ``central-bank`` (quorum 2 of 3) and
the tenge; :func:`pilot_book` adds banks with accounts and money.
"""

import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ledger.crypto import canonical, jws
from ledger.crypto.keys import PrivateKey
from ledger.genesis import (
    Genesis,
    GenesisAsset,
    GenesisParticipant,
    first_state,
    network_id,
)
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.outcome import Accepted, Duplicate, Inadmissible, Outcome, Refused
from ledger.model.participants import KeyUse, Participant, Policy, Role
from ledger.model.transactions import SignedTransaction, Transaction
from ledger.rules import accounts, admission, day_close, issuance, keys, transfers
from ledger.rules.core import CORE_MODULES
from ledger.rules.default_policies import CORE_POLICIES
from ledger.rules.invariants import check_block, check_conservation
from ledger.rules.opening import NotAdmissible, open_transaction
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ACCOUNTS, BALANCES, KEYS, UtcOffset, ledger_of
from ledger.state import Overlay, State
from ledger.units import (
    AccountId,
    AssetId,
    BusinessDate,
    Kid,
    ParticipantId,
    Reference,
    TimestampUs,
)

START_US = 1_735_000_000_000_000
"""2024-12-24T00:26:40Z."""

CORE_RULEBOOK = Rulebook(1, CORE_MODULES)

CONTRA_ACCOUNT = iban("125", "CONTRAKZT0000")


def key_of(name: str) -> PrivateKey:
    """The private key of a signatory, the same in every run: tests read better with stable ids."""
    return PrivateKey.from_seed(name.encode().ljust(32, b"."))


def genesis_document(
    *,
    rulebook: Rulebook = CORE_RULEBOOK,
    policies: dict[str, Policy] | None = None,
    cap_per_day: int = 10**15,
    utc_offsets: tuple[UtcOffset, ...] = (
        UtcOffset(from_us=TimestampUs(0), offset_minutes=360),
        UtcOffset(from_us=TimestampUs(1_709_229_600_000_000), offset_minutes=300),
    ),
    clock: str = "scripted",
    assets: tuple[GenesisAsset, ...] = (),
) -> bytes:
    """A genesis document with the operator, the central bank and the tenge."""
    genesis = Genesis(
        v=1,
        name="test",
        clock=clock,  # type: ignore[arg-type]
        time_us=TimestampUs(START_US),
        business_date=BusinessDate("2024-12-24"),
        rulebook=rulebook.version,
        recovery_delay_us=TimestampUs(3_600_000_000),
        log_key=key_of("log").public.x,
        assets=(
            GenesisAsset(
                asset=TENGE,
                scale=2,
                contra=CONTRA_ACCOUNT,
                issuer=ParticipantId("central-bank"),
                issuance_kinds=("issue", "redeem"),
                cap_per_day=cap_per_day,
            ),
            *assets,
        ),
        participants=(
            GenesisParticipant(
                participant=ParticipantId("operator"),
                description=Participant(name="Operator", role=Role.OPERATOR, code="100", quorum=2),
                keys=_keys("operator-1", "operator-2", "operator-3"),
            ),
            GenesisParticipant(
                participant=ParticipantId("central-bank"),
                description=Participant(name="Central bank", role=Role.ISSUER, code="125", quorum=2),
                keys=_keys("issuer-1", "issuer-2", "issuer-3"),
            ),
        ),
        policies={**CORE_POLICIES, **(policies or {})},
        utc_offsets=utc_offsets,
    )
    return canonical.encode(genesis)


def _keys(*signatories: str) -> tuple[admission.NewKey, ...]:
    return tuple(
        admission.NewKey(x=key_of(signatory).public.x, signatory=signatory, use=KeyUse.TRANSACTION)
        for signatory in signatories
    )


class Book:
    """A ledger in memory. Each submission is a block of its own, one second after the last."""

    def __init__(
        self, rulebook: Rulebook = CORE_RULEBOOK, *, document: bytes | None = None, cap_per_day: int = 10**15
    ) -> None:
        self.rulebook = rulebook
        self.document = document or genesis_document(rulebook=rulebook, cap_per_day=cap_per_day)
        self.network = network_id(self.document)
        self.state: State = first_state(self.document, rulebook)
        self.time_us = START_US
        self.height = 0
        self._references = itertools.count(1)

    def reference(self, time_us: int | None = None) -> Reference:
        """A fresh UUIDv7 at the ledger's time."""
        return reference_at(self.time_us if time_us is None else time_us, next(self._references))

    def transaction(self, kind: str, body: Any, *, by: str, **members: Any) -> Transaction[Any]:
        """An unsigned transaction."""
        members.setdefault("reference", self.reference())
        members.setdefault("network", self.network)
        return Transaction(participant=ParticipantId(by), kind=kind, body=body, **members)

    def sign(self, transaction: Transaction[Any], signers: Iterable[PrivateKey]) -> bytes:
        """A submission as it travels."""
        payload = canonical.encode(transaction)
        return jws.serialize(jws.sign(payload, list(signers), typ=jws.TYP_TRANSACTION))

    def open(self, raw: bytes, *, checks_signatures: bool = True) -> SignedTransaction:
        """Open a submission; raises NotAdmissible."""
        return open_transaction(
            raw,
            rulebook=self.rulebook,
            network=self.network,
            key_of=self.public_key,
            checks_signatures=checks_signatures,
        )

    def public_key(self, kid: Kid) -> str | None:
        """The admitted public key of a kid."""
        key = self.state.get(KEYS, kid)
        return None if key is None else key.x

    def decide(self, raw: bytes) -> Outcome:
        """Decide one submission and advance; conservation is checked after each."""
        signed = self.open(raw)
        self.time_us += 1_000_000
        self.height += 1
        overlay = Overlay(self.state)
        outcome = self.rulebook.decide(overlay, signed, TimestampUs(self.time_us), height=self.height, index=0)
        self._check_declared(signed, outcome)
        check_block(self.state, overlay)
        self.state.advance(overlay, TimestampUs(self.time_us))
        check_conservation(self.state)
        return outcome

    def _check_declared(self, signed: SignedTransaction, outcome: Outcome) -> None:
        declared = self.rulebook.refusals(self.rulebook.kinds[signed.transaction.kind])
        if isinstance(outcome, Refused):
            assert outcome.code in declared, f"{signed.transaction.kind} does not declare {outcome.code}"
        if isinstance(outcome, Accepted):
            assert set(outcome.refused_lines.values()) <= set(declared)
            assert outcome.entries or outcome.pairs or outcome.record is not None, "what is accepted leaves a leaf"

    def attempt(self, raw: bytes) -> str:
        """Open and decide one submission; the end it came to, see `end_of`."""
        try:
            return end_of(self.decide(raw))
        except NotAdmissible as error:
            return error.code

    def end(self, kind: str, body: Any, *, by: str, signers: Sequence[str] = (), **members: Any) -> str:
        """Sign, open and decide; the end it came to, see `end_of`."""
        return self.attempt(self.signed(kind, body, by=by, signers=signers, **members))

    def restart(self) -> None:
        """Go on with a state read back from its own dump."""
        before = self.state.digest()
        self.state = State.load(self.rulebook.tables, self.state.dump())
        assert self.state.digest() == before

    def submit(self, kind: str, body: Any, *, by: str, signers: Sequence[str] = (), **members: Any) -> Outcome:
        """Sign with the named signatories (default: the sender's first key) and decide."""
        return self.decide(self.signed(kind, body, by=by, signers=signers, **members))

    def signed(self, kind: str, body: Any, *, by: str, signers: Sequence[str] = (), **members: Any) -> bytes:
        """A submission signed by the named signatories; default: the sender's first key, or its quorum."""
        transaction = self.transaction(kind, body, by=by, **members)
        names = signers or {"operator": ("operator-1", "operator-2"), "central-bank": ("issuer-1", "issuer-2")}.get(
            by, (f"{by}-1",)
        )
        return self.sign(transaction, [key_of(name) for name in names])

    def balance(self, account: AccountId) -> int:
        """Balance of an account in the smallest unit of its asset."""
        assert self.state.get(ACCOUNTS, account) is not None, f"account {account} exists"
        return self.state.get(BALANCES, account) or 0

    def admit(self, participant: str, role: Role, code: str, *, quorum: int = 1, signatories: int = 2) -> Outcome:
        """Admit a participant with signatories ``<participant>-1``, ``-2`` ... and an authentication key."""
        names = [f"{participant}-{number}" for number in range(1, signatories + 1)]
        new_keys = (
            *_keys(*names),
            admission.NewKey(
                x=key_of(f"{participant}-api").public.x, signatory="api", use=KeyUse.CLIENT_AUTHENTICATION
            ),
        )
        body = admission.ParticipantAdmit(
            participant=ParticipantId(participant),
            name=participant.replace("-", " ").title(),
            role=role,
            code=code,
            quorum=quorum,
            keys=new_keys,
        )
        witnesses = ("issuer-1", "issuer-2") if role in admission.WITNESSED_ROLES else ()
        signers = ("operator-1", "operator-2", *witnesses, *names, f"{participant}-api")
        return self.submit("participant_admit", body, by="operator", signers=signers)

    def open_account(
        self,
        participant: str,
        account: AccountId,
        *,
        account_class: str = "wallet",
        asset: AssetId = TENGE,
        holder: str | None = None,
        holder_key: str | None = None,
    ) -> Outcome:
        """Open one account; ``holder_key`` names a signatory whose key binds it."""
        new = accounts.NewAccount(
            account=account,
            asset=asset,
            account_class=account_class,
            holder=holder,
            holder_key=None if holder_key is None else key_of(holder_key).public.x,
        )
        signers = (f"{participant}-1",) if holder_key is None else (f"{participant}-1", holder_key)
        return self.submit("account_open", accounts.AccountOpen(accounts=(new,)), by=participant, signers=signers)

    def issue(
        self, participant: str, account: AccountId, amount: int, *, reserve_payment: str | None = None
    ) -> Outcome:
        """Issue tenge to a bank's own account with two issuer signatures."""
        payment = reserve_payment or f"RTGS-{self.height}"
        body = issuance.Issue(account=account, amount=amount, reserve_payment=payment)
        return self.submit("issue", body, by=participant, signers=(f"{participant}-1", "issuer-1", "issuer-2"))

    def pay(self, participant: str, debit: AccountId, credit: AccountId, amount: int) -> str:
        """Pay tenge; the end it came to."""
        body = transfers.Transfer(debit=debit, credit=credit, asset=TENGE, amount=amount)
        return self.end("transfer", body, by=participant)

    def close_account(self, participant: str, account: AccountId, *signers: str) -> str:
        """Close an account; the end it came to."""
        return self.end("account_close", accounts.AccountClose(account=account), by=participant, signers=signers)

    def revoke(self, participant: str, key: str, *signers: str) -> Outcome:
        """Revoke a key of a participant; by default its first signatory signs."""
        body = keys.KeyRevoke(kid=Kid(key_of(key).public.kid), reason="order-17")
        return self.submit("key_revoke", body, by=participant, signers=signers)

    def close_day(self, opens: str) -> Outcome:
        """Close the business date and open another one."""
        body = day_close.DayClose(closes=ledger_of(self.state).business_date, opens=BusinessDate(opens))
        return self.submit("day_close", body, by="operator")


def reference_at(time_us: int, number: int) -> Reference:
    """A UUIDv7 with the given time and a counter in place of its random bits: tests are repeatable."""
    value = (time_us // 1_000) << 80 | 0x7 << 76 | 0b10 << 62 | number
    return Reference(str(uuid.UUID(int=value)))


def end_of(outcome: Outcome) -> str:
    """``accepted``, ``duplicate``, or the code of the refusal or problem."""
    match outcome:
        case Accepted():
            return "accepted"
        case Duplicate():
            return "duplicate"
        case Refused(code):
            return code.code
        case Inadmissible(problem):
            return problem


def refused_with(outcome: Outcome) -> str:
    """The code of a refusal; fails for any other end."""
    assert isinstance(outcome, Refused), f"expected a refusal, got {outcome}"
    return outcome.code.code


def pilot_book(
    rulebook: Rulebook = CORE_RULEBOOK, *, document: bytes | None = None, make: Callable[..., Book] = Book
) -> Book:
    """Two banks with an own account and two wallets each; bank-a holds 1,000,000.00 tenge."""
    book = make(rulebook, document=document)
    for bank, code in (("bank-a", "601"), ("bank-b", "602")):
        book.admit(bank, Role.INTERMEDIARY, code)
        book.open_account(bank, own_account(code), account_class="own")
        for number in (1, 2):
            book.open_account(bank, wallet(code, number), holder=f"holder-{number}")
    book.issue("bank-a", own_account("601"), 100_000_000)
    return book


def own_account(code: str) -> AccountId:
    """The own account of the participant with a code."""
    return iban(code, "OWN0000000000")


def wallet(code: str, number: int) -> AccountId:
    """A wallet of the participant with a code."""
    return iban(code, f"{number:013d}")
