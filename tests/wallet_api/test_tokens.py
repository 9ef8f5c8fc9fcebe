"""Tokens: who gets one, for how long, and what ends it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.crypto import canonical, jws
from ledger.crypto.keys import PrivateKey
from ledger.model.participants import KeyUse
from ledger.rules.admission import ParticipantSuspend
from ledger.rules.keys import KeyAdd, KeyRevoke
from ledger.units import Kid
from tests.book import key_of
from tests.wallet_api.door import BANK_A, Door, code_of, open_door
from wallet_api import auth
from wallet_api.problems import Problem


def read(door: Door, token: str) -> int:
    answer = door.client.get(f"/v1/accounts/{BANK_A}", headers={"authorization": f"Bearer {token}"})
    return int(answer.status_code)


def test_a_signed_assertion_buys_a_token(door: Door) -> None:
    answer = door.ask_token(door.assertion())
    assert answer.status_code == 200
    granted = answer.json()
    assert granted.keys() == {"access_token", "token_type", "expires_in"}
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 300)
    assert len(granted["access_token"]) == 43
    assert read(door, granted["access_token"]) == 200


def test_two_tokens_differ_and_both_hold(door: Door) -> None:
    tokens = {door.ask_token(door.assertion()).json()["access_token"] for _ in range(2)}
    assert len(tokens) == 2
    assert [read(door, token) for token in tokens] == [200, 200]


def test_an_assertion_is_used_once(door: Door) -> None:
    assertion = door.assertion()
    assert door.ask_token(assertion).status_code == 200
    answer = door.ask_token(assertion)
    assert (answer.status_code, code_of(answer)) == (401, "client_authentication_invalid")
    assert answer.json()["error"] == "invalid_client"
    assert "used before" in answer.json()["detail"]


ASSERTIONS: dict[str, tuple[Callable[[Door], str], str]] = {
    "no JWT": (lambda _: "hello", "the assertion does not hold"),
    "not ASCII inside": (lambda _: "a.b.%ff", "the assertion does not hold"),
    "signed as a transaction": (
        lambda door: door.compact(b"{}", typ=jws.TYP_TRANSACTION),
        "expected typ client-authentication+jwt",
    ),
    "an unknown key": (
        lambda door: jws.serialize_compact(jws.sign(b"{}", [PrivateKey.generate()], typ=jws.TYP_CLIENT)),
        "is not admitted",
    ),
    "a false signature": (lambda door: door.assertion()[:-8] + "AAAAAAAA", "the assertion does not hold"),
    "a transaction key": (lambda door: door.assertion(key="bank-a-1"), "serves transaction"),
    "another participant": (lambda door: door.assertion("bank-b", key="bank-a-api"), "iss and sub"),
    "another subject": (lambda door: door.assertion(sub="bank-b"), "iss and sub"),
    "another audience": (lambda door: door.assertion(aud="https://elsewhere"), "aud: expected"),
    "a list of audiences": (lambda door: door.assertion(aud=[door.network]), "aud"),
    "no audience": (lambda door: door.assertion(aud=None), "aud"),
    "too long a life": (lambda door: door.assertion(exp=int(time.time()) + 120), "at most 60 seconds"),
    "no life": (lambda door: door.assertion(exp=int(time.time()) - 10, iat=int(time.time()) - 5), "after iat"),
    "expired": (lambda door: door.assertion(exp=int(time.time()) - 1, iat=int(time.time()) - 30), "has expired"),
    "made tomorrow": (
        lambda door: door.assertion(exp=int(time.time()) + 86_460, iat=int(time.time()) + 86_400),
        "a time that has come",
    ),
    "good tomorrow": (lambda door: door.assertion(nbf=int(time.time()) + 86_400), "a time that has come"),
    "no jti": (lambda door: door.assertion(jti=None), "jti"),
    "a short jti": (lambda door: door.assertion(jti="1"), "jti"),
    "a further claim": (lambda door: door.assertion(admin=True), "admin"),
    "claims that are no JSON": (lambda door: door.compact(b"{"), "the claims do not hold"),
    "a claim twice": (lambda door: door.compact(b'{"iss":"a","iss":"b"}'), "each claim once"),
    "a time with a fraction": (lambda door: door.compact(b'{"iat":1.5}'), "expected integers"),
    "a time that is no number": (lambda door: door.compact(b'{"iat":NaN}'), "expected integers"),
    "deep nesting": (lambda door: door.compact(b"[" * 2_000), "the claims do not hold"),
}


@pytest.mark.parametrize(("make", "says"), ASSERTIONS.values(), ids=ASSERTIONS.keys())
def test_an_assertion_that_does_not_hold_buys_nothing(door: Door, make: Callable[[Door], str], says: str) -> None:
    answer = door.ask_token(make(door))
    assert (answer.status_code, code_of(answer)) == (401, "client_authentication_invalid")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"grant_type": "password"}, "grant_type_unsupported"),
        ({"grant_type": ""}, "grant_type_unsupported"),
        ({"client_assertion_type": "jwt"}, "request_invalid"),
        ({"client_assertion": ""}, "request_invalid"),
        ({"client_assertion": "a" * 5_000}, "request_invalid"),
        ({"scope": "everything"}, "request_invalid"),
        ({"client_assertion": "a" * 10_000}, "body_too_large"),
    ],
)
def test_a_token_request_of_another_form_is_told_so(door: Door, changes: dict[str, str], code: str) -> None:
    assert code_of(door.ask_token(door.assertion(), **changes)) == code


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"", {}, "content_type_unsupported"),
        (b"{}", {"content-type": "application/json"}, "content_type_unsupported"),
        (b"", {"content-type": "application/x-www-form-urlencoded"}, "request_invalid"),
        (b"a=1&a=2", {"content-type": "application/x-www-form-urlencoded"}, "request_invalid"),
        (b"\xff=1", {"content-type": "application/x-www-form-urlencoded"}, "request_invalid"),
        (b"&" * 100, {"content-type": "application/x-www-form-urlencoded"}, "request_invalid"),
        (
            b"a=1",
            {"content-type": "application/x-www-form-urlencoded", "content-encoding": "gzip"},
            "content_encoding_refused",
        ),
    ],
)
def test_a_token_request_that_is_no_form_is_told_so(
    door: Door, content: bytes, headers: dict[str, str], code: str
) -> None:
    assert code_of(door.client.post("/v1/token", content=content, headers=headers)) == code


def test_a_client_may_repeat_its_name_as_rfc_7521_allows(door: Door) -> None:
    assert door.ask_token(door.assertion(), client_id="bank-a").status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer", "Basic abc", "Token abc", "Bearer a b", "\xff"])
def test_a_header_that_holds_no_token_is_told_so(door: Door, header: str) -> None:
    answer = door.client.get(f"/v1/accounts/{BANK_A}", headers={b"authorization": header.encode("latin-1")})
    assert (answer.status_code, code_of(answer)) == (401, "token_invalid")


def test_a_token_dies_with_its_key(door: Door) -> None:
    name = "bank-b-second-api"
    added = door.signed(
        "key_add",
        KeyAdd(x=key_of(name).public.x, signatory="api", use=KeyUse.CLIENT_AUTHENTICATION),
        by="bank-b",
        signers=("bank-b-1", name),
    )
    assert door.post(added).status_code == 201
    token = door.ask_token(door.assertion("bank-b", key=name)).json()["access_token"]
    path = "/v1/supply"
    assert door.client.get(path, headers={"authorization": f"Bearer {token}"}).status_code == 200
    revoked = door.signed(
        "key_revoke", KeyRevoke(kid=Kid(key_of(name).public.kid), reason="order-17"), by="bank-b", signers=(name,)
    )
    assert door.post(revoked).status_code == 201
    answer = door.client.get(path, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, code_of(answer)) == (401, "token_invalid")
    assert "revoked" in answer.json()["detail"]
    assert "revoked" in door.ask_token(door.assertion("bank-b", key=name)).json()["detail"]


@pytest.fixture
def own_door(tmp_path: Any) -> Iterator[Door]:
    with open_door(tmp_path / "node") as opened:
        opened.populate()
        yield opened


def test_a_suspended_participant_still_reads(own_door: Door) -> None:
    suspend = own_door.signed(
        "participant_suspend",
        ParticipantSuspend(participant="bank-a", reason="order-17"),  # type: ignore[arg-type]
        by="operator",
        signers=("operator-1", "operator-2"),
    )
    assert own_door.post(suspend).status_code == 201
    assert code_of(own_door.post(own_door.transfer())) == "participant_suspended"
    assert read(own_door, own_door.token("bank-a")) == 200


def test_the_oldest_token_of_a_key_makes_room_for_the_newest(own_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "TOKENS_PER_KEY_MAX", 2)
    tokens = [own_door.ask_token(own_door.assertion()).json()["access_token"] for _ in range(3)]
    assert [read(own_door, token) for token in tokens] == [401, 200, 200]


def test_a_key_asks_for_a_limited_number_of_tokens(own_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "ASSERTIONS_PER_KEY_MAX", 2)
    assert [own_door.ask_token(own_door.assertion()).status_code for _ in range(2)] == [200, 200]
    answer = own_door.ask_token(own_door.assertion())
    assert (answer.status_code, code_of(answer)) == (429, "tokens_too_many")
    assert answer.headers["retry-after"] == "60"
    assert own_door.ask_token(own_door.assertion("bank-b")).status_code == 200


def test_a_token_and_the_memory_of_its_assertion_expire(own_door: Door) -> None:
    now_s = [1_000_000.0]
    tokens = auth.Tokens(
        view=lambda: own_door.parts.sequencer.state,
        ledger_time_us=own_door.parts.now_us,
        audience="here",
        lifetime_s=300,
        now_s=lambda: now_s[0],
    )

    def ask(jti: str) -> str:
        claims = {"aud": "here", "exp": int(now_s[0]) + 60, "iat": int(now_s[0]), "jti": jti}
        assertion = own_door.compact(canonical.encode(claims | {"iss": "bank-a", "sub": "bank-a"}))
        form = f"grant_type=client_credentials&client_assertion_type={auth.ASSERTION_TYPE}&client_assertion={assertion}"
        return tokens.issue(form.encode()).access_token

    first = ask("a" * 16)
    assert tokens.grant(f"Bearer {first}").participant == "bank-a"
    now_s[0] += 300
    with pytest.raises(Problem, match="token_invalid"):
        tokens.grant(f"Bearer {first}")
    second = ask("a" * 16)
    assert tokens.grant(f"Bearer {second}").participant == "bank-a"
    assert len(tokens._grants) == 1
