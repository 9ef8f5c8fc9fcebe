"""Offline verification of an export: of bulk entries, and of singly signed ones against the bare signature checks."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ledger.crypto import jws
from ledger.log.export import write_export
from ledger.log.stores import open_reader
from ledger.log.verify import verify_export
from settlement.rules import RULEBOOKS
from wallet_api.bench import books
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure, ratio
from wallet_api.bench.world import bulks, singles


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield entries verified a second, and how near singly signed ones come to the machine's signature speed."""
    scale, world = bench.scale, bench.world
    bench.say("making exports to verify")
    signed = singles(world, scale.verified_singles, is_hot=False, seed=bench.seed())
    count = -(-scale.verified_lines // scale.bulk_lines)
    many = bulks(world, count, scale.bulk_lines, is_hot=False, seed=bench.seed())
    bulk_export = _export(bench, "bulk", many, at_once=books.BULKS_AT_ONCE)
    single_export = _export(bench, "single", signed, at_once=scale.connections)
    of_bulks: list[float] = []
    of_singles: list[float] = []
    signatures: list[float] = []
    for run in range(scale.runs):
        bench.say(f"verification, run {run + 1} of {scale.runs}")
        of_bulks.append(count * scale.bulk_lines / _verify_s(bulk_export, world.network.id))
        of_singles.append(len(signed) / _verify_s(single_export, world.network.id))
        signatures.append(len(signed) / _signatures_s(bench, signed))
    yield figure("verify_entries_per_s", "1/s", of_bulks)
    yield figure("verify_singles_per_s", "1/s", of_singles)
    yield figure("signature_checks_per_s", "1/s", signatures)
    yield ratio("verify_single_vs_signature_speed", of_singles, signatures)


def _export(bench: Bench, name: str, submissions: list[bytes], *, at_once: int) -> Path:
    folder = bench.folder / f"verified-{name}"
    books.found(folder, bench.world)
    with books.sequencing(folder, bench.world.network) as sequencer:
        books.submit(sequencer, submissions, at_once=at_once)
    path = bench.folder / f"{name}.export"
    with closing(open_reader(books.settings_of(folder).block_store_url)) as reader, path.open("wb") as out:
        write_export(reader, bench.world.network.document, out)
    return path


def _verify_s(path: Path, network: str) -> float:
    """Seconds that a whole verification takes, founding included: a few blocks more than are counted."""
    started = time.perf_counter()
    with path.open("rb") as stream:
        verify_export(stream, rulebooks=RULEBOOKS, network=network)
    return time.perf_counter() - started


def _signatures_s(bench: Bench, submissions: list[bytes]) -> float:
    """Seconds that the bare signature checks of these submissions take on one core, everything else left out."""
    keys = {key.public.kid: key.public for key in bench.world.bank.signatories.values()}
    opened = [jws.parse(submission, typ=jws.TYP_TRANSACTION) for submission in submissions]
    started = time.perf_counter()
    for envelope in opened:
        for signature in envelope.signatures:
            jws.verify_signature(envelope, signature, keys[signature.kid])
    return time.perf_counter() - started
