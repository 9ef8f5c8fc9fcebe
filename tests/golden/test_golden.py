"""What was decided stays decided: the golden log replays unchanged (design D25)."""

import io
import json
from pathlib import Path
from typing import Final

import pytest

from ledger.log.export import read_blocks, read_head, stored
from ledger.log.replay import Replay, Replayed
from ledger.log.verify import VerificationFault, verify_export
from settlement.rules import RULEBOOKS

HERE: Final = Path(__file__).parent
LOG: Final = (HERE / "log.jsonl").read_bytes()
OUTCOME: Final = json.loads((HERE / "outcome.json").read_text(encoding="utf-8"))


def replayed() -> tuple[Replay, list[Replayed]]:
    stream = io.BytesIO(LOG)
    replay = Replay(read_head(stream), RULEBOOKS)
    return replay, [replay.apply(stored(exported, replay.position.range)) for *_, exported in read_blocks(stream)]


def test_the_golden_log_verifies_under_its_own_network_and_checkpoint() -> None:
    report = verify_export(
        io.BytesIO(LOG), rulebooks=RULEBOOKS, network=OUTCOME["network"], at_least=OUTCOME["checkpoint"]
    )
    assert report.is_network_pinned
    assert report.checkpoint == OUTCOME["checkpoint"]


def test_the_golden_log_comes_to_the_same_state() -> None:
    replay, _ = replayed()
    assert replay.state.digest().hex() == OUTCOME["state"]


def test_the_golden_log_has_every_kind_of_its_time_accepted_and_many_refused() -> None:
    _, blocks = replayed()
    recorded = [each for block in blocks for each in block.recorded]
    accepted = {each.kind.name for each in recorded if not each.kept.refusal}
    assert accepted == set(OUTCOME["kinds"]) <= set(RULEBOOKS[1].kinds)
    assert len({each.kept.refusal for each in recorded}) > 5
    assert any(each.kept.refused_lines for each in recorded)
    assert max(len(block.recorded) for block in blocks) > 1


def test_a_golden_log_that_was_changed_is_no_longer_golden() -> None:
    changed = LOG.replace(b'"height":7', b'"height":8', 1)
    with pytest.raises(VerificationFault, match="expected block 7, got block 8"):
        verify_export(io.BytesIO(changed), rulebooks=RULEBOOKS)
