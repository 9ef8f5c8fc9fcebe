"""A pilot network behind the door: two banks with accounts and money, a supervisor, and ways to ask."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.testclient import TestClient

from ledger.config import Settings
from ledger.crypto import canonical, jws
from ledger.model.assets import TENGE
from ledger.model.outcome import Outcome
from ledger.model.participants import Role
from ledger.rules.transfers import Transfer
from ledger.units import AccountId
from settlement.rules import RULEBOOK
from tests.book import START_US, Book, genesis_document, key_of, own_account, reference_at, wallet
from tests.wallet_api.following import FollowerThread
from wallet_api.app import create_app_from, running_node
from wallet_api.auth import ASSERTION_TYPE
from wallet_api.parts import Parts

JOSE = {"content-type": "application/jose+json"}

BANK_A, BANK_B = own_account("601"), own_account("602")
WALLET_A, WALLET_B = wallet("601", 1), wallet("602", 1)

_references = itertools.count(1_000_000)


class Counter(Book):
    """A book whose submissions also go through the door: it signs, and knows what should come of it."""

    def __init__(self, client: TestClient, document: bytes) -> None:
        super().__init__(RULEBOOK, document=document)
        self.client = client

    def decide(self, raw: bytes) -> Outcome:
        answer = self.client.post("/v1/transactions", content=raw, headers=JOSE)
        assert answer.status_code == 201, answer.text
        return super().decide(raw)


class Door:
    """A running node and its counter."""

    def __init__(self, parts: Parts, client: TestClient) -> None:
        self.parts = parts
        self.client = client
        self.book = Counter(client, parts.document)
        self._jti = itertools.count(1)
        self._tokens: dict[str, str] = {}

    @property
    def network(self) -> str:
        return self.parts.sequencer.network

    @property
    def size(self) -> int:
        """Leaves in the log: what is recorded moves it."""
        return self.parts.sequencer.position.range.size

    def populate(self) -> None:
        for bank, code in (("bank-a", "601"), ("bank-b", "602")):
            self.book.admit(bank, Role.INTERMEDIARY, code)
            self.book.open_account(bank, own_account(code), account_class="own")
            for number in (1, 2):
                self.book.open_account(bank, wallet(code, number), holder=f"holder-{number}")
        self.book.admit("supervisor", Role.SUPERVISOR, "700")
        self.book.issue("bank-a", BANK_A, 100_000_000)

    def signed(self, kind: str, body: Any, *, by: str, signers: tuple[str, ...] = (), **members: Any) -> bytes:
        """A submission with a reference of the ledger's own time."""
        members.setdefault("reference", reference_at(START_US, next(_references)))
        transaction = self.book.transaction(kind, body, by=by, **members)
        return self.book.sign(transaction, [key_of(name) for name in signers or (f"{by}-1",)])

    def transfer(
        self, amount: int = 1, *, debit: AccountId = BANK_A, credit: AccountId = BANK_B, by: str = "bank-a", **more: Any
    ) -> bytes:
        return self.signed("transfer", Transfer(debit=debit, credit=credit, asset=TENGE, amount=amount), by=by, **more)

    def post(self, raw: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
        return self.client.post("/v1/transactions", content=raw, headers=headers or JOSE)

    def assertion(self, participant: str = "bank-a", *, key: str = "", **changes: Any) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": participant,
            "sub": participant,
            "aud": self.network,
            "iat": now,
            "exp": now + 60,
            "jti": f"assertion-{next(self._jti):010d}",
        }
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return self.compact(canonical.encode(claims), key=key or f"{participant}-api")

    def compact(self, payload: bytes, *, key: str = "bank-a-api", typ: str = jws.TYP_CLIENT) -> str:
        return jws.serialize_compact(jws.sign(payload, [key_of(key)], typ=typ))

    def ask_token(self, assertion: str, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return self.client.post("/v1/token", data=form | changes)

    def token(self, participant: str) -> str:
        if participant not in self._tokens:
            self._tokens[participant] = self.ask_token(self.assertion(participant)).json()["access_token"]
        return self._tokens[participant]

    def bearer(self, participant: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(participant)}"}

    def get(self, path: str, *, by: str | None = None, **params: Any) -> httpx2.Response:
        return self.client.get(path, params=params, headers={} if by is None else self.bearer(by))


def code_of(answer: httpx2.Response) -> str:
    """The code of a problem document; fails for anything else."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"].startswith("urn:uuid:")
    assert isinstance(problem["is_transient"], bool)
    code: str = problem["code"]
    return code


def make_folder(folder: Path, document: bytes) -> None:
    """Write what a node needs to start."""
    keys = folder / "keys" / "log"
    keys.mkdir(parents=True)
    (folder / "genesis.json").write_bytes(document)
    (keys / "log.jwk").write_text(json.dumps(key_of("log").to_jwk()))


@contextmanager
def open_door(folder: Path, *, clock: str = "scripted", **settings: Any) -> Iterator[Door]:
    """A node in a folder, with its projections followed in a thread."""
    if not (folder / "genesis.json").exists():
        make_folder(folder, genesis_document(rulebook=RULEBOOK, clock=clock))
    own = Settings.model_validate({"node": folder, "failures_burst": 1_000_000, "openers": 0} | settings)
    with ExitStack() as stack:
        following = FollowerThread(own)
        parts = stack.enter_context(running_node(own, following=following))
        stack.enter_context(following)
        client = stack.enter_context(TestClient(create_app_from(parts), raise_server_exceptions=False))
        yield Door(parts, client)
