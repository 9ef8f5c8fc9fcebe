"""Messages between processes: whole or not at all."""

import io

from ledger.log.messages import read_message, write_message


def test_messages_are_read_as_written_and_a_cut_one_is_an_end() -> None:
    stream = io.BytesIO()
    for message in (b"", b"one", bytes(70_000)):
        write_message(stream, message)
    whole = stream.getvalue()
    stream.seek(0)
    assert [read_message(stream) for _ in range(4)] == [b"", b"one", bytes(70_000), None]
    for length in (1, 3, 4, 6, len(whole) - 1):
        cut = io.BytesIO(whole[:length])
        while (part := read_message(cut)) is not None:
            assert part in (b"", b"one")
