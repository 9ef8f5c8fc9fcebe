"""The Python client: signs, sends, retries the same bytes, and verifies every receipt it gets."""

from wallet_api.client.checkpoints import CheckpointStore, FileStore, MemoryStore
from wallet_api.client.connection import Retry
from wallet_api.client.failures import (
    ConsistencyOutstanding,
    ForkedLog,
    LedgerFailure,
    Problem,
    Refused,
    UnexpectedAnswer,
    UnprovenReceipt,
    Unreachable,
)
from wallet_api.client.key_files import UnusableKeyFile, read_key, write_key
from wallet_api.client.node_clock import node_clock, node_time_us
from wallet_api.client.proof import TrustedLog
from wallet_api.client.references import new_reference
from wallet_api.client.signing import add_signatures, new_nonce, prepare, sign, sign_mandate
from wallet_api.client.tenge_client import TengeClient
from wallet_api.commitments import Opening, commitment

__all__ = [
    "TengeClient",
    "TrustedLog",
    "Retry",
    "CheckpointStore",
    "FileStore",
    "MemoryStore",
    "LedgerFailure",
    "Refused",
    "Problem",
    "Unreachable",
    "UnprovenReceipt",
    "ForkedLog",
    "ConsistencyOutstanding",
    "UnexpectedAnswer",
    "prepare",
    "sign",
    "add_signatures",
    "sign_mandate",
    "new_nonce",
    "commitment",
    "Opening",
    "new_reference",
    "node_clock",
    "node_time_us",
    "read_key",
    "write_key",
    "UnusableKeyFile",
]
