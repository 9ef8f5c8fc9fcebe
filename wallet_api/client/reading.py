"""What a participant asks a node: accounts, statements, supply, quotas. The node's word for it, unlike a receipt."""

import threading
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import httpx2
import msgspec

from settlement.model.statement import QuotaStatement
from wallet_api.client.connection import Connection, TokenSource, problem_of
from wallet_api.client.failures import UnexpectedAnswer
from wallet_api.routes.accounts import AccountAnswer, LineAnswer, StatementAnswer
from wallet_api.routes.participants import (
    AssetSupply,
    ParticipantAnswer,
    ParticipantsAnswer,
    ParticipantWithKeys,
    SupplyAnswer,
)
from wallet_api.routes.quotas import QuotaAnswer
from wallet_api.routes.settlement_registers import RegisterAnswer, RegisterEntry

Answer = TypeVar("Answer")

PAGE_LINES: Final = 500
"""Lines asked for at once when a statement is read through."""


class Reading:
    """The reading half of a client. Its shapes are those the door answers with; there is no second list of fields."""

    def __init__(self, connection: Connection, tokens: TokenSource | None) -> None:
        """Read over a connection, with tokens where there is a key to get them."""
        self._connection = connection
        self._tokens = tokens
        self._newest_lock = threading.Lock()
        self.newest_sequence: int | None = None
        """Newest leaf of this client's proven receipts; its reads include at least that."""

    def account(self, account: str) -> AccountAnswer:
        """Return an account with its balance as of now. Raises as `supply`."""
        return self._read(f"/v1/accounts/{account}", AccountAnswer)

    def statement(self, account: str, *, min_sequence: int | None = None) -> Iterator[LineAnswer]:
        """Yield an account's statement lines, newest first, page by page; at least as new as this client's receipts.

        Raises as `supply`.
        """
        cursor: int | None = None
        while True:
            page = self._read(
                f"/v1/accounts/{account}/statement",
                StatementAnswer,
                cursor=cursor,
                limit=PAGE_LINES,
                min_sequence=self._at_least(min_sequence),
            )
            yield from page.lines
            cursor = page.next_cursor
            if cursor is None:
                return

    def participants(self, *, min_sequence: int | None = None) -> tuple[ParticipantAnswer, ...]:
        """Return every admitted institution. Raises as `supply`."""
        answer = self._read("/v1/participants", ParticipantsAnswer, min_sequence=self._at_least(min_sequence))
        return answer.participants

    def participant_keys(self, participant: str, *, min_sequence: int | None = None) -> ParticipantWithKeys:
        """Return an institution with the history of its keys. Raises as `supply`."""
        return self._read(
            f"/v1/participants/{participant}", ParticipantWithKeys, min_sequence=self._at_least(min_sequence)
        )

    def supply(self, *, min_sequence: int | None = None) -> tuple[AssetSupply, ...]:
        """Return the sums of every asset. What reads answer is the node's word, unlike a receipt.

        Args:
            min_sequence: wait until the answer includes this leaf; the newest of this client's receipts, if not given.

        Raises:
            Problem: the node says why not.
            Unreachable: no answer.
            UnexpectedAnswer: the answer has another form than this client knows.
        """
        return self._read("/v1/supply", SupplyAnswer, min_sequence=self._at_least(min_sequence)).assets

    def quota(self, miner: str, coin: str, *, as_of: str | None = None) -> QuotaStatement:
        """Return the quota statement of a miner and a coin, as of now. Raises as `supply`."""
        return self._read(f"/v1/quota/{miner}", QuotaAnswer, coin=coin, as_of=as_of).statement

    def register(self, register: str) -> Iterator[RegisterEntry]:
        """Yield the subjects of a register as of now, page by page. Raises as `supply`."""
        cursor: str | None = None
        while True:
            page = self._read(f"/v1/registers/{register}", RegisterAnswer, cursor=cursor, limit=PAGE_LINES)
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    def document(self, path: str, **params: str | int | None) -> bytes:
        """Return a statement, tax pack or inspection as the node wrote it, in the form asked for. Raises as `supply`.

        Args:
            path: of its route.
            params: of its query; those that are None are left out.
        """
        answer = self._authorised("GET", path, params=_given(params))
        if answer.status_code != httpx2.codes.OK:
            raise problem_of(answer)
        return answer.content

    def _authorised(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send with a token where this client can get one; a token that died early is replaced once."""
        if self._tokens is None:
            return self._connection.send(method, path, content=content, params=params, headers=headers)
        for is_last in (False, True):
            token = self._tokens.token()
            answer = self._connection.send(
                method,
                path,
                content=content,
                params=params,
                headers={**(headers or {}), "authorization": f"Bearer {token}"},
            )
            if answer.status_code != httpx2.codes.UNAUTHORIZED or is_last:
                break
            self._tokens.forget(token)
        return answer

    def _read(self, path: str, kind: type[Answer], **params: str | int | None) -> Answer:
        answer = self._authorised("GET", path, params=_given(params))
        if answer.status_code != httpx2.codes.OK:
            raise problem_of(answer)
        return known(answer.content, kind)

    def _include(self, sequence: int) -> None:
        """From now on, reads include at least this leaf."""
        with self._newest_lock:
            self.newest_sequence = max(sequence, -1 if self.newest_sequence is None else self.newest_sequence)

    def _at_least(self, min_sequence: int | None) -> int | None:
        return self.newest_sequence if min_sequence is None else min_sequence


def _given(params: Mapping[str, str | int | None]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items() if value is not None}


def known(content: bytes, kind: type[Answer]) -> Answer:
    """Return an answer in the form this client knows.

    Raises:
        UnexpectedAnswer: it has another.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(f"expected a {kind.__name__}: {error}") from error
