"""A ledger as one would write it on an afternoon: dicts, names, no structure; it knows nothing of `ledger.rules`.

It reads the same transactions as JSON. `decisions` has the rules kind by kind, `oracle` says how each must end.
"""

import base64
import hashlib
import json
from typing import Any

DAY_US = 86_400_000_000
FIVE_MINUTES_US = 300_000_000

Json = dict[str, Any]


class No(Exception):
    """A rule says no."""

    def __init__(self, code: str, line: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.line = line


class Problem(Exception):
    """It is not even decided."""


def kid_of(x: str) -> str:
    """RFC 7638, by hand."""
    text = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class Naive:
    """Everything in plain dicts."""

    def __init__(self, document: bytes, network: str) -> None:
        genesis = json.loads(document)
        self.network = network
        self.signers: list[str] = []
        self.time_us: int = genesis["time_us"]
        self.date: str = genesis["business_date"]
        self.delay_us: int = genesis["recovery_delay_us"]
        self.rulebook: int = genesis["rulebook"]
        self.next_rulebook: tuple[str, int] | None = None
        self.participants: dict[str, Json] = {}
        self.keys: dict[str, Json] = {}
        self.accounts: dict[str, Json] = {}
        self.balances: dict[str, int] = {}
        self.policies: dict[str, list[tuple[str, Json]]] = {}
        self.payments: set[str] = set()
        self.moved: dict[tuple[str, str], int] = {}
        self.references: dict[tuple[str, str], bytes] = {}
        for participant in genesis["participants"]:
            self.participants[participant["participant"]] = dict(participant["description"], suspended=False)
            for key in participant["keys"]:
                self.add_key(key["x"], participant["participant"], key["signatory"], key["use"])
        self.log_kid = self.add_key(genesis["log_key"], "operator", "log", "log")
        tenge = genesis["assets"][0]
        self.contra: str = tenge["contra"]
        self.caps: list[tuple[str, int]] = [("", tenge["cap_per_day"])]
        self.accounts[self.contra] = {"class": "contra", "owner": tenge["issuer"], "status": "open", "holder": None}
        for kind, policy in genesis["policies"].items():
            self.policies[kind] = [("", policy)]

    def add_key(
        self, x: str, participant: str, signatory: str, use: str, *, from_us: int = 0, from_date: str = ""
    ) -> str:
        """Admit a key."""
        kid = kid_of(x)
        self.keys[kid] = {
            "participant": participant,
            "signatory": signatory,
            "use": use,
            "from_us": from_us,
            "from_date": from_date,
            "revoked": False,
        }
        return kid

    def in_force(self, dated: list[tuple[str, Any]]) -> Any:
        """The newest of several dated values that is in force today."""
        return [value for date, value in dated if date <= self.date][-1]

    def check_age(self, transaction: Json, made_us: int) -> None:
        """A day back, five minutes ahead, and the sender's own limit."""
        if self.time_us - made_us > DAY_US:
            raise Problem("reference_expired")
        if made_us - self.time_us > FIVE_MINUTES_US:
            raise Problem("reference_too_new")
        if "expires" in transaction and self.time_us >= transaction["expires"]:
            raise Problem("transaction_expired")

    def check_authority(self, transaction: Json, signers: list[str], brought: set[str]) -> None:
        """Who sends, and who signed."""
        name, kind, body = transaction["participant"], transaction["kind"], transaction["body"]
        self.signers = signers
        if name not in self.participants:
            raise Problem("participant_unknown")
        if kind == "key_revoke" and signers == [body["kid"]]:
            self.check_self_revocation(name, body["kid"])
            return
        sender = self.participants[name]
        if sender["suspended"]:
            raise Problem("participant_suspended")
        policy = dict(self.in_force(self.policies[kind])) if kind in self.policies else {"roles": []}
        if sender["role"] not in policy["roles"]:
            raise Problem("kind_not_permitted")
        policy["cosigners"] = [*policy.get("cosigners", []), *self.witnesses(kind, body)]
        self.check_signatures(name, policy, signers, self.needed(name, kind, body) | brought)

    def witnesses(self, kind: str, body: Json) -> list[Json]:
        """The central bank signs, too, what gives keys to those who watch over others."""
        role = None
        if kind == "participant_admit":
            role = body["role"]
        if kind == "key_recover":
            role = self.participants.get(body["participant"], {"role": None})["role"]
        return [{"role": "issuer", "threshold": 2}] if role in ("supervisor", "auditor") else []

    def check_signatures(self, name: str, policy: Json, signers: list[str], needed: set[str]) -> None:
        """Each was asked for, and together they are enough."""
        cosigners = policy.get("cosigners", [])
        own: set[str] = set()
        others: list[set[str]] = [set() for _ in cosigners]
        for kid in signers:
            key = self.keys.get(kid)
            if key is not None:
                self.check_key(key)
            if kid in needed:
                continue
            assert key is not None, "an unknown key was found before"
            if key["use"] != "transaction":
                raise Problem("key_use_wrong")
            is_asked = key["participant"] == name
            if is_asked:
                own.add(key["signatory"])
            holder = self.participants[key["participant"]]
            for cosigner, found in zip(cosigners, others, strict=True):
                wanted = cosigner.get("participant", key["participant"]) == key["participant"]
                wanted = wanted and cosigner.get("role", holder["role"]) == holder["role"]
                if wanted and not holder["suspended"]:
                    found.add(f"{key['participant']}/{key['signatory']}")
                    is_asked = True
            if not is_asked:
                raise Problem("signature_unasked")
        enough = [len(own) >= (policy["own"] or self.participants[name]["quorum"])]
        enough += [len(found) >= cosigner["threshold"] for cosigner, found in zip(cosigners, others, strict=True)]
        if not all(enough) or not needed <= set(signers):
            raise Problem("signatures_insufficient")

    def check_self_revocation(self, name: str, kid: str) -> None:
        """Any key may give itself up."""
        if kid not in self.keys or self.keys[kid]["participant"] != name:
            raise Problem("key_unknown")
        if self.keys[kid]["revoked"]:
            raise Problem("key_revoked")

    def check_key(self, key: Json) -> None:
        """Good today?"""
        if key["revoked"]:
            raise Problem("key_revoked")
        if key["from_us"] > self.time_us or key["from_date"] > self.date:
            raise Problem("key_not_active")

    def needed(self, name: str, kind: str, body: Json) -> set[str]:
        """Keys that must sign besides those the body brings."""
        if kind == "log_key_rotate":
            return {self.log_kid}
        if kind == "transfer":
            account = self.accounts.get(body["debit"], {"owner": None})
            if account["owner"] == name and account["holder"] is not None:
                return {account["holder"]}
        return set()
