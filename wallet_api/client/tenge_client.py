"""The client a participant's program holds: it signs, sends the same bytes until there is an answer, and proves it."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Literal, Self, TypeVar

import httpx2
import msgspec

from ledger.crypto.canonical import NotCanonical, b64url_decode
from ledger.crypto.keys import PrivateKey
from ledger.crypto.merkle import HASH_BYTES
from ledger.crypto.note import Checkpoint
from ledger.log.receipts import InvalidReceipt, Receipt
from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.issuance import Issue, Redeem
from ledger.rules.rulebook import Rulebook
from ledger.rules.transfers import Transfer
from ledger.units import AccountId, AssetId, Reference, TimestampUs
from settlement.rules import RULEBOOK
from wallet_api.client.checkpoints import CheckpointMemory, CheckpointStore, MemoryStore
from wallet_api.client.connection import Connection, Retry, TokenSource, problem_of
from wallet_api.client.failures import (
    ConsistencyOutstanding,
    Problem,
    Refused,
    UnexpectedAnswer,
    UnprovenReceipt,
    Unreachable,
)
from wallet_api.client.proof import TrustedLog, checkpoint_of, prove
from wallet_api.client.reading import Reading, known
from wallet_api.client.references import TimeUs, system_time_us
from wallet_api.client.signing import prepare, sign
from wallet_api.routes.log import ConsistencyAnswer
from wallet_api.routes.transactions import TransactionAnswer

_Answer = TypeVar("_Answer")

Checks = Literal["each", "lazily"]
"""When consistency is demanded: with each receipt, or by `TengeClient.check_consistency`."""

SUBMISSION_TYPE: Final = "application/jose+json"
"""Media type of a JWS in JSON serialization (RFC 7515, section 9.2.1)."""

ANONYMOUS_BYTES_MAX: Final = 64 * 1024
"""Longest submission a node takes without a token, in bytes."""


class TengeClient(Reading):
    """One participant's access to one node. Safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        *,
        trusted: TrustedLog,
        participant: str,
        signers: Sequence[PrivateKey] = (),
        authentication_key: PrivateKey | None = None,
        audience: str | None = None,
        checkpoints: CheckpointStore | None = None,
        checks: Checks = "each",
        retry: Retry | None = None,
        time_us: TimeUs = system_time_us,
        rulebook: Rulebook = RULEBOOK,
        http: httpx2.Client | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            base_url: address of the node.
            trusted: network id and keys of the log, from a source other than the node.
            participant: who sends.
            signers: transaction keys that sign what this client sends.
            authentication_key: key of use ``client_authentication``; only reading needs it.
            audience: what the node expects to be named in a proof of who asks; its network id, if not given.
            checkpoints: where the newest checkpoint is kept between runs; in memory, if not given.
            checks: when consistency with the newest checkpoint is demanded.
            retry: how long to go on trying.
            time_us: the time that references carry.
            rulebook: tells how the leaves of a bulk follow from it.
            http: an HTTP client with settings of its own.

        Raises:
            InvalidNote: the kept checkpoint is not one of this log.
        """
        self.trusted = trusted
        self.participant = participant
        self._signers = tuple(signers)
        self._checks = checks
        self._time_us = time_us
        self._rulebook = rulebook
        connection = Connection(base_url, retry=retry or Retry(), http=http)
        tokens = None
        if authentication_key is not None:
            tokens = TokenSource(
                connection, audience=audience or trusted.network, participant=participant, key=authentication_key
            )
        super().__init__(connection, tokens)
        self._memory = CheckpointMemory(
            origin=trusted.origin,
            keys=trusted.keys,
            store=checkpoints or MemoryStore(),
            fetch_proof=self._consistency_proof,
        )

    def __enter__(self) -> Self:
        """Use it as a context: connections are closed at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    # --- writing -----------------------------------------------------------------------------------------------

    def prepare(
        self, kind: str, body: object, *, reference: Reference | None = None, expires_us: TimestampUs | None = None
    ) -> bytes:
        """Return the payload of a transaction of this participant, to be signed here or elsewhere."""
        return prepare(
            kind,
            body,
            network=self.trusted.network,
            participant=self.participant,
            reference=reference,
            expires_us=expires_us,
            time_us=self._time_us,
        )

    def sign(self, payload: bytes, cosigners: Sequence[PrivateKey] = ()) -> bytes:
        """Return the payload signed by this client's signers and by the cosigners, ready to be sent."""
        return sign(payload, (*self._signers, *cosigners))

    def submit(
        self,
        kind: str,
        body: object,
        *,
        reference: Reference | None = None,
        expires_us: TimestampUs | None = None,
        cosigners: Sequence[PrivateKey] = (),
    ) -> Receipt:
        """Sign a transaction and have it decided.

        Args:
            kind: name of the transaction kind.
            body: its body, as its record or as plain data.
            reference: the sender's own id; a fresh one if none is given.
            expires_us: not decided at or after this ledger time.
            cosigners: keys of others that must sign too, in sandboxes where one program holds them.

        Raises:
            as `submit_signed`.
        """
        payload = self.prepare(kind, body, reference=reference, expires_us=expires_us)
        return self.submit_signed(self.sign(payload, cosigners))

    def submit_signed(self, submission: bytes) -> Receipt:
        """Have a signed transaction decided and return its proven receipt; sends the same bytes until there is one.

        Raises:
            Refused: a rule said no; final, with its proven receipt.
            Problem: it was not decided; mend what it says and send again.
            Unreachable: no answer; it may have been decided. Send the same bytes again.
            UnprovenReceipt: the answer does not prove what it says.
            ForkedLog: the answer is of another history than answers before.
            ConsistencyOutstanding: the receipt is proven, but not yet that its log goes with the one seen before.
        """
        headers = {"content-type": SUBMISSION_TYPE}
        if len(submission) > ANONYMOUS_BYTES_MAX and self._tokens is not None:
            answer = self._authorised("POST", "/v1/transactions", content=submission, headers=headers)
        else:
            answer = self._connection.send("POST", "/v1/transactions", content=submission, headers=headers)
        return self._proven(answer, submission)

    def transfer(
        self, debit: str, credit: str, amount: int, *, asset: str = TENGE, reference: Reference | None = None
    ) -> Receipt:
        """Pay from one account to another; the amount is in the asset's smallest unit. Raises as `submit_signed`."""
        body = Transfer(debit=AccountId(debit), credit=AccountId(credit), asset=AssetId(asset), amount=amount)
        return self.submit("transfer", body, reference=reference)

    def bulk_transfer(
        self,
        lines: Sequence[Line],
        *,
        asset: str = TENGE,
        is_atomic: bool = True,
        reference: Reference | None = None,
    ) -> Receipt:
        """Pay many times under one signature. Raises as `submit_signed`."""
        body = BulkTransfer(asset=AssetId(asset), is_atomic=is_atomic, lines=tuple(lines))
        return self.submit("bulk_transfer", body, reference=reference)

    def open_accounts(self, accounts: Sequence[NewAccount], *, holders: Sequence[PrivateKey] = ()) -> Receipt:
        """Open one account or many; each holder key signs too. Raises as `submit_signed`."""
        return self.submit("account_open", AccountOpen(accounts=tuple(accounts)), cosigners=holders)

    def issue(self, account: str, amount: int, reserve_payment: str, *, issuers: Sequence[PrivateKey]) -> Receipt:
        """Issue tenge to an own account against a reserve payment. Raises as `submit_signed`."""
        body = Issue(account=AccountId(account), amount=amount, reserve_payment=reserve_payment)
        return self.submit("issue", body, cosigners=issuers)

    def redeem(self, account: str, amount: int, reserve_payment: str, *, issuers: Sequence[PrivateKey]) -> Receipt:
        """Redeem tenge from an own account against a reserve payment. Raises as `submit_signed`."""
        body = Redeem(account=AccountId(account), amount=amount, reserve_payment=reserve_payment)
        return self.submit("redeem", body, cosigners=issuers)

    # --- reading -----------------------------------------------------------------------------------------------

    def outcome(
        self,
        reference: str | None = None,
        *,
        transaction_id: str | None = None,
        submission: bytes | None = None,
        min_sequence: int | None = None,
    ) -> TransactionAnswer:
        """Return what became of a transaction, by the sender's own reference or by transaction id.

        Its receipt is proven: against the submission if it is given, else by itself. That of a bulk cannot be proven
        without its submission, and is returned as the node says.

        Raises:
            UnprovenReceipt: the receipt does not prove what it says.
            And as `supply` and `submit_signed` raise.
        """
        if (reference is None) == (transaction_id is None):
            raise ValueError("expected a reference or a transaction id, one of the two")
        path = "/v1/transactions" if transaction_id is None else f"/v1/transactions/{transaction_id}"
        answer = self._read(path, TransactionAnswer, reference=reference, min_sequence=self._at_least(min_sequence))
        receipt = answer.receipt
        if (reference or transaction_id) not in (receipt.reference, receipt.transaction_id):
            raise UnprovenReceipt(f"asked for {reference or transaction_id}, got another", msgspec.json.encode(answer))
        if submission is not None or receipt.bulk is None:
            self._prove(receipt, submission, msgspec.json.encode(answer))
        return answer

    def checkpoint(self) -> Checkpoint:
        """Fetch the newest checkpoint, prove that it goes with those seen before, and keep it.

        Raises:
            InvalidNote: the log did not sign it.
            ForkedLog: it does not go with one seen before.
        """
        answer = self._connection.send("GET", "/v1/log/checkpoint")
        if answer.status_code != httpx2.codes.OK:
            raise problem_of(answer)
        self._memory.note(answer.text, checks_now=True)
        return self._memory.verify(answer.text)

    def set_clock(self, time_us: TimestampUs) -> None:
        """Set the clock of a sandbox ahead; other nodes have no such route.

        Raises:
            Problem: the node is no sandbox, or the time lies in its past.
        """
        answer = self._connection.send(
            "POST",
            "/sandbox/v1/clock",
            content=msgspec.json.encode({"set_us": time_us}),
            headers={"content-type": "application/json"},
        )
        if answer.status_code != httpx2.codes.OK:
            raise problem_of(answer)

    def check_consistency(self) -> None:
        """Demand that all checkpoints seen since the last check come from one log.

        Raises:
            ForkedLog: they do not; the exception holds the two that contradict each other.
            Problem, Unreachable, UnexpectedAnswer: the node gives no proof; what waits for one goes on waiting.
        """
        self._memory.check()

    @property
    def newest_checkpoint(self) -> str | None:
        """The newest signed checkpoint that is proven consistent with all before it."""
        return self._memory.newest

    # --- within ------------------------------------------------------------------------------------------------

    def _proven(self, answer: httpx2.Response, submission: bytes) -> Receipt:
        """Turn an answer into its proven receipt, or into what it says instead."""
        if answer.status_code in (httpx2.codes.OK, httpx2.codes.CREATED):
            receipt = _decode(answer.content, Receipt)
            self._prove(receipt, submission, answer.content)
            if receipt.outcome != "accepted":
                raise UnprovenReceipt(f"expected an acceptance, got {receipt.outcome}", answer.content)
            return receipt
        if answer.status_code != httpx2.codes.UNPROCESSABLE_CONTENT:
            raise problem_of(answer)
        refusal = _decode(answer.content, _RefusalDocument)
        self._prove(refusal.receipt, submission, answer.content)
        if refusal.receipt.outcome != "refused" or refusal.receipt.code != refusal.code:
            raise UnprovenReceipt(f"expected the refusal {refusal.code}, got {refusal.receipt.code}", answer.content)
        raise Refused(refusal.code, refusal.detail, refusal.receipt)

    def _prove(self, receipt: Receipt, submission: bytes | None, answer: bytes) -> None:
        try:
            prove(receipt, submission, self.trusted, self._rulebook)
        except InvalidReceipt as error:
            raise UnprovenReceipt(str(error), answer) from error
        self._include(receipt.sequence + receipt.leaf_count - 1)
        try:
            self._memory.note(checkpoint_of(receipt), checks_now=self._checks == "each")
        except (Problem, Unreachable, UnexpectedAnswer) as error:
            raise ConsistencyOutstanding(str(error), receipt) from error

    def _consistency_proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """Fetch the proof between two sizes; what is not in the form of one proves nothing."""
        params = {"from": str(first), "to": str(second)}
        answer = self._connection.send("GET", "/v1/log/consistency", params=params)
        if answer.status_code != httpx2.codes.OK:
            raise problem_of(answer)
        proof = known(answer.content, ConsistencyAnswer)
        try:
            return tuple(b64url_decode(node, length=HASH_BYTES) for node in proof.path)
        except NotCanonical as error:
            raise UnexpectedAnswer(f"expected a consistency proof: {error}") from error


class _RefusalDocument(msgspec.Struct):
    """What a client reads of a refusal's problem document."""

    code: str
    receipt: Receipt
    detail: str = ""


def _decode(content: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnprovenReceipt(f"expected a {kind.__name__.strip('_')}: {error}", content) from error
