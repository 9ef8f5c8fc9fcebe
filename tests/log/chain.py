"""Blocks that follow one another, with contents that mean nothing."""

from ledger.log.block import LEAF_HASH_BYTES, Block
from ledger.log.block_store import BlockStore, Head


def next_block(head: Head, *, leaves: int = 3, body: bytes = b"body", mark: str = "") -> Block:
    """Return a block that continues ``head``; ``mark`` tells one continuation from another."""
    height = head.height + 1
    size = head.size + leaves
    return Block(
        height=height,
        epoch=head.epoch,
        time_us=1_700_000_000_000_000 + height,
        first_sequence=head.size,
        before=b"range before %d" % height,
        body=body,
        leaf_hashes=b"".join(index.to_bytes(LEAF_HASH_BYTES, "big") for index in range(head.size, size)),
        checkpoint=f"test.example/log\n{size}\n{mark}root\n\n\u2014 test.example c2ln\n",
    )


def head_after(block: Block) -> Head:
    """Return the head that a store shows once ``block`` is its newest."""
    return Head(
        epoch=block.epoch,
        height=block.height,
        digest=block.digest(),
        size=block.size,
        checkpoint=block.checkpoint,
    )


def extend(store: BlockStore, head: Head, count: int) -> list[Block]:
    """Append ``count`` blocks after ``head`` and return them."""
    blocks: list[Block] = []
    for _ in range(count):
        block = next_block(head, leaves=1 + len(blocks) % 4)
        store.append(block)
        blocks.append(block)
        head = head_after(block)
    return blocks
