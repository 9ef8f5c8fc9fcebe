"""Offline verification of an export: of bulk entries, and of singly signed ones against the bare signature checks."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from ledger.log.export import write_export
from ledger.log.stores import open_reader
from ledger.log.verify import openers_for, verify_export
from settlement.rules import RULEBOOKS
from wallet_api.bench import books, signatures
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure, ratio
from wallet_api.bench.frames import write_frames
from wallet_api.bench.payments import UNIFORM, bulks, singles, split
from wallet_api.open_submissions import openers


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield entries verified a second, and how near singly signed ones come to bare checks; on all cores and on one."""
    scale, world = bench.scale, bench.world
    bench.say("making exports to verify")
    signed = singles(world, scale.verified_singles, UNIFORM, seed=bench.seed()).submissions
    many = list(bulks(world, split(scale.verified_lines, scale.bulk_lines), UNIFORM, seed=bench.seed()))
    bulk_export = _export(bench, "bulk", [bulk.submission for bulk in many], at_once=books.BULKS_AT_ONCE)
    single_export = _export(bench, "single", signed, at_once=scale.connections)
    checks = bench.folder / "signatures"
    write_frames(checks, signed)
    keys = tuple(key.public.x for key in world.bank.signatories.values())
    question = signatures.Question(submissions=str(checks), keys=keys)
    exports = {"entries": (bulk_export, scale.verified_lines), "singles": (single_export, len(signed))}
    verified: dict[tuple[str, bool], list[float]] = {}
    checked: dict[bool, list[float]] = {}
    openssl: list[float] = []
    for run in range(scale.runs):
        bench.say(f"verification, run {run + 1} of {scale.runs}")
        for on_one_core in (False, True):
            for name, (path, count) in exports.items():
                seconds = _verify_s(path, world.network_id, on_one_core=on_one_core)
                verified.setdefault((name, on_one_core), []).append(count / seconds)
            processes = 1 if on_one_core else signatures.cores()
            checked.setdefault(on_one_core, []).append(signatures.per_second(question, processes=processes))
        openssl.append(signatures.per_second(msgspec.structs.replace(question, is_openssl=True), processes=1))
    for on_one_core, suffix in ((False, ""), (True, "_one_core")):
        yield figure(f"verify_entries{suffix}_per_s", "1/s", verified["entries", on_one_core])
        yield figure(f"verify_singles{suffix}_per_s", "1/s", verified["singles", on_one_core])
        yield figure(f"signature_checks{suffix}_per_s", "1/s", checked[on_one_core])
        yield ratio(f"verify_single_vs_signature_speed{suffix}", verified["singles", on_one_core], checked[on_one_core])
    yield ratio("verify_single_vs_one_core_of_signatures", verified["singles", False], checked[True])
    yield figure("openssl_checks_one_core_per_s", "1/s", openssl)
    yield ratio("verify_single_vs_one_core_of_openssl", verified["singles", False], openssl)


def _export(bench: Bench, name: str, submissions: Sequence[bytes], *, at_once: int) -> Path:
    place = bench.new_place(f"verified-{name}")
    books.found(place, bench.world)
    with books.sequencing(place, bench.world.network) as sequencer:
        books.submit(sequencer, submissions, at_once=at_once)
    path = bench.folder / f"{name}.export"
    with closing(open_reader(place.settings.block_store_url)) as reader, path.open("wb") as out:
        write_export(reader, bench.world.network.document, out)
    return path


def _verify_s(path: Path, network: str, *, on_one_core: bool) -> float:
    """Seconds that a whole verification takes, founding included: a few blocks more than are counted.

    On all cores it goes as `tenge verify ledger` does it.
    """
    count = 0 if on_one_core else openers_for(path.stat().st_size)
    started = time.perf_counter()
    with path.open("rb") as stream:
        verify_export(stream, rulebooks=RULEBOOKS, network=network, openers=lambda each: openers(each, count))
    return time.perf_counter() - started
