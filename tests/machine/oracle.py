"""How a submission must end, by the naive ledger."""

import json

from tests.machine.backend import End
from tests.machine.decisions import DECISIONS, is_well_formed, presented
from tests.machine.naive import DAY_US, Naive, No, Problem, kid_of


def expect(ledger: Naive, payload: bytes, signers: list[str], at_us: int) -> End:
    """Say how a submission must end, and let the naive ledger do it."""
    transaction = json.loads(payload)
    kind, body = transaction["kind"], transaction["body"]
    ledger.time_us = at_us
    if kind not in DECISIONS:
        return End("problem", "kind_unknown")
    if not is_well_formed(body):
        return End("problem", "payload_invalid")
    brought = {kid_of(x) for x in presented(kind, body)}
    if any(kid not in ledger.keys and kid not in brought for kid in signers):
        return End("problem", "key_unknown")
    if transaction["network"] != ledger.network:
        return End("problem", "wrong_network")
    place = (transaction["participant"], transaction["reference"])
    made_us = int(transaction["reference"].replace("-", "")[:12], 16) * 1_000
    # A day and a half later the ledger has forgotten the reference, and refuses it for its age.
    if place in ledger.references and at_us - made_us < 1.5 * DAY_US:
        is_same = ledger.references[place] == payload
        return End("duplicate") if is_same else End("problem", "reference_reused")
    try:
        ledger.check_age(transaction, made_us)
        ledger.check_authority(transaction, signers, brought)
    except Problem as problem:
        return End("problem", str(problem))
    ledger.references[place] = payload
    try:
        refused_lines = DECISIONS[kind](ledger, transaction["participant"], body)
    except No as no:
        return End("refused", no.code, no.line)
    return End("accepted", refused_lines=refused_lines or {})
