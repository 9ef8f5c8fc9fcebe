"""What can go wrong between a client and the ledger, one exception for each kind of end."""

from typing import Any

from ledger.log.receipts import Receipt


class LedgerFailure(Exception):
    """The base of everything a client raises about the ledger and its answers."""


class Refused(LedgerFailure):
    """The ledger decided and said no. Final; the receipt proves it."""

    def __init__(self, code: str, detail: str, receipt: Receipt) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        """The refusal code."""
        self.detail = detail
        """What was expected and what came; not part of what the receipt proves."""
        self.receipt = receipt


class Problem(LedgerFailure):
    """The request was not decided (RFC 9457): nothing is on record, and the cause can be mended."""

    def __init__(
        self, code: str, detail: str, *, status: int, is_transient: bool = False, members: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.status = status
        """HTTP status."""
        self.is_transient = is_transient
        """Whether the same bytes may be taken later."""
        self.members = members or {}
        """The whole problem document."""


class Unreachable(LedgerFailure):
    """No answer, for as long as the client was willing to try.

    What was sent may have been decided. Send the same bytes again: they can never count twice (design D5).
    """

    def __init__(self, detail: str, submission: bytes | None) -> None:
        super().__init__(detail)
        self.submission = submission
        """The signed bytes, if the request was a transaction."""


class UnprovenReceipt(LedgerFailure):
    """The answer does not prove what it says. Keep it: it is evidence."""

    def __init__(self, detail: str, answer: bytes) -> None:
        super().__init__(detail)
        self.answer = answer
        """The answer as it came."""


class ConsistencyOutstanding(LedgerFailure):
    """The ledger's decision is proven, but the node gave no proof that its log goes with the one seen before.

    It waits for its proof: `check_consistency` asks again. A node that never gives one is not to be trusted.
    """

    def __init__(self, detail: str, receipt: Receipt) -> None:
        super().__init__(detail)
        self.receipt = receipt
        """The proven receipt, of an acceptance or of a refusal."""


class ForkedLog(LedgerFailure):
    """Two checkpoints signed by the log that no single log can have signed. Keep both: they are evidence."""

    def __init__(self, detail: str, first: str, second: str) -> None:
        super().__init__(detail)
        self.first = first
        """The signed checkpoint seen before."""
        self.second = second
        """The signed checkpoint that does not go with it."""


class UnexpectedAnswer(LedgerFailure):
    """The answer is not in the form this client knows: another version, or not the ledger at all."""
