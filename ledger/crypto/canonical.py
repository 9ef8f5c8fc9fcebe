r"""Canonical JSON: RFC 8785, restricted until no two readers can disagree about a byte.

What is signed and hashed is bytes. This module says which bytes stand for a value, and refuses all others:

- keys are ASCII and sorted, each key once, no white space;
- numbers are integers from 0 to 2^53-1; there are no floats and no nulls;
- text holds only characters that are the same in every Unicode version (`check_text`);
- the only escapes are `\"` and `\\`.

Bytes are carried in text as base64url without padding (RFC 4648, section 5), which has one spelling too.
"""

import binascii
import re
from functools import lru_cache
from types import UnionType
from typing import Any, Final, Generic, TypeVar, overload

import msgspec
from msgspec import inspect

T = TypeVar("T")

INTEGER_MAX: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8785, appendix D)."""

MESSAGE_CHARACTERS_MAX: Final = 300
"""Characters of an error message; a longer one would repeat the sender's text back at length."""

_PLAIN: Final = r" -\[\]-~" "\u00a0-\u00ac\u00ae-\u017f\u0400-\u0482\u048a-\u052f–—‘’“”…№₸"
"""The permitted characters without the backslash, which begins an escape in a document; for use in a pattern.

Latin, Cyrillic with Kazakh letters, common typography, the numero sign and the tenge sign.

Left out on purpose: controls, the soft hyphen U+00AD, and the combining signs U+0483 to U+0489. What is left
has no combining character, so every text is in Unicode normalisation form C, whatever the Unicode version.
"""

_FORBIDDEN_CHARACTER: Final = re.compile(rf"[^\\{_PLAIN}]")
_DOCUMENT: Final = re.compile(rf'(?:[{_PLAIN}]++|\\["\\])*+')

_PLAIN_ASCII: Final = bytes(code for code in range(0x20, 0x7F) if code != ord("\\"))
"""The permitted characters of one byte, without the backslash."""

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_TREE_DECODER: Final = msgspec.json.Decoder()

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_PADDING: Final = (b"", b"===", b"==", b"=")
"""By the characters beyond whole groups of four."""
_LAST_CHARACTERS: Final = ("", "", "AQgw", "AEIMQUYcgkosw048")
"""Those that leave the unused bits zero: four of them where two characters are over, two where three are."""
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/\0\0\0")


class NotCanonical(ValueError):
    """The bytes are not the canonical form of the expected type; says where, what was expected and got."""

    def __init__(self, message: str) -> None:
        """Keep `message`, cut to `MESSAGE_CHARACTERS_MAX`."""
        super().__init__(message[:MESSAGE_CHARACTERS_MAX])


def encode(value: object) -> bytes:
    """Return the canonical bytes of a trusted value: msgspec structs, dicts, lists, text, integers, booleans.

    Nothing is checked here; what comes from outside goes through `decode`, which refuses other spellings.
    """
    return _ENCODER.encode(value)


@overload
def decode(data: bytes, type: type[T]) -> T: ...
@overload
def decode(data: bytes, type: UnionType) -> Any: ...  # noqa: ANN401
def decode(data: bytes, type: Any) -> Any:
    """Return the value of the given type that `data` is the canonical form of.

    Three steps: the characters, the fields and their bounds, and at last the comparison with the value's own
    re-encoding. That refuses white space, unsorted and duplicate keys, `1.0` and written-out defaults.

    Raises:
        NotCanonical: one of the three failed; the message has the field path (`$.body.amount`) or the byte.
    """
    return reader_of(type).decode(data)


class Reader(Generic[T]):
    """Reads the canonical form of one type; made once where many values of it are read."""

    __slots__ = ("_decoder", "_is_closed")

    def __init__(self, type: object) -> None:
        """Describe the type; not in several threads at once (see `prepare`)."""
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(type)
        self._is_closed = _is_closed(inspect.type_info(type), set())

    def decode_again(self, data: bytes) -> T:
        """Return the value of bytes that `decode` has taken before, be it in another process."""
        return self._decoder.decode(data)

    def decode(self, data: bytes) -> T:
        """Return the value that `data` is the canonical form of. Raises as the function `decode`."""
        _check_document(data)
        try:
            value = self._decoder.decode(data)
            encoded = _ENCODER.encode(value)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise NotCanonical(_with_place(str(error))) from error
        if encoded != data:
            raise NotCanonical(_first_difference(expected=encoded, got=data))
        if not self._is_closed or b"null" in data:
            _check_tree(data)
        return value


@lru_cache(maxsize=1024)
def reader_of(type: object) -> Reader[Any]:
    """Return the reader of a type, for those who read many values of it: to find it costs more than to use it."""
    return Reader(type)


def prepare(type: object) -> None:
    """Make the reader of a type now, for `decode` to find.

    To be called while the program is loaded, for each type that several threads decode: `msgspec` describes a
    struct type when it is first needed, and a second thread that meets the description half made ends the process
    with a segmentation fault.
    """
    reader_of(type)


def check_text(text: str) -> None:
    """Check that `text` holds permitted characters only.

    Raises:
        NotCanonical: names the first character that is not permitted and its position.
    """
    found = _FORBIDDEN_CHARACTER.search(text)
    if found is not None:
        raise NotCanonical(_forbidden(text, found.start()))


def b64url(data: bytes) -> str:
    """Return `data` as base64url text without padding."""
    return b64url_bytes(data).decode("ascii")


def b64url_bytes(data: bytes) -> bytes:
    """Return `data` as the ASCII bytes of its base64url text without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def b64url_each(data: bytes, length: int) -> list[str]:
    """Return the base64url text of each `length` bytes of `data` in turn: one pass for thousands of salts."""
    padded_length = length + -length % 3
    padded = bytearray(len(data) // length * padded_length)
    for place in range(length):
        padded[place::padded_length] = data[place::length]
    text = binascii.b2a_base64(padded, newline=False).translate(_TO_URL).decode("ascii")
    width, characters = padded_length // 3 * 4, -(-length * 4 // 3)
    return [text[start : start + characters] for start in range(0, len(text), width)]


def b64url_decode(text: str, *, length: int | None = None) -> bytes:
    """Return the bytes that base64url `text` stands for, exactly `length` bytes where a length is given.

    Only the one spelling that `b64url` writes is accepted: no padding, no white space, no stray last bits.

    Raises:
        NotCanonical: the text is not that spelling, or has another length.
    """
    remainder = len(text) % 4
    try:
        ascii_text = text.encode("ascii").translate(_FROM_URL)
        data = binascii.a2b_base64(ascii_text + _PADDING[remainder], strict_mode=True)
    except ValueError as error:
        raise NotCanonical("expected base64url text without padding") from error
    # Only the last, incomplete group can hold bits that stand for nothing, so only it can have two spellings.
    if remainder and text[-1] not in _LAST_CHARACTERS[remainder]:
        raise NotCanonical("expected base64url text whose unused last bits are zero")
    if length is not None and len(data) != length:
        raise NotCanonical(f"expected base64url text of {length} bytes, got {len(data)} bytes")
    return data


def _check_document(data: bytes) -> None:
    """Refuse bytes that are not UTF-8, characters that are not permitted, and escapes nobody needs."""
    if not data.translate(None, _PLAIN_ASCII):
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotCanonical(f"expected UTF-8 text, got another byte at byte {error.start}") from error
    permitted = _DOCUMENT.match(text)
    assert permitted is not None, "the pattern matches the empty text, so it matches every text"
    if permitted.end() != len(text):
        raise NotCanonical(_forbidden(text, permitted.end()))


def _forbidden(text: str, position: int) -> str:
    """Say which character is not permitted, by its number: it may not be fit to print."""
    if text[position] == "\\":
        return f'expected only the escapes \\" and \\\\, got another one at character {position}'
    return f"expected a permitted character, got U+{ord(text[position]):04X} at character {position}"


def _is_closed(info: inspect.Type, seen: set[type]) -> bool:
    """Tell whether decoding alone keeps out floats, integers out of bounds and keys that are not ASCII.

    Then the generic tree need not be read a second time. Null is not looked at here: a field that may be
    absent is typed as null or a value, and `decode` searches for the word.
    """
    match info:
        case inspect.StrType() | inspect.BoolType() | inspect.NoneType():
            return True
        case inspect.IntType(ge=low, le=high):
            return low is not None and low >= 0 and high is not None and high <= INTEGER_MAX
        case inspect.LiteralType(values=values):
            return all(isinstance(value, str) for value in values)
        case inspect.EnumType(cls=cls):
            return all(isinstance(member.value, str) for member in cls)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _is_closed(item, seen)
        case inspect.UnionType(types=members) | inspect.TupleType(item_types=members):
            return all(_is_closed(member, seen) for member in members)
        case inspect.StructType(cls=cls) if cls in seen:
            return True
        case inspect.StructType(cls=cls, fields=fields):
            seen.add(cls)
            return all(field.encode_name.isascii() and _is_closed(field.type, seen) for field in fields)
        case _:
            return False


def _check_tree(data: bytes) -> None:
    """Check every value of the generic tree: what `dict`, `Any`, `Raw` and open integers let through."""
    try:
        tree = _TREE_DECODER.decode(data)
        encoded = _ENCODER.encode(tree)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise NotCanonical(_with_place(str(error))) from error
    if encoded != data:
        raise NotCanonical(_first_difference(expected=encoded, got=data))
    waiting: list[tuple[str, object]] = [("$", tree)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            for key, member in value.items():
                if not key.isascii():
                    raise NotCanonical(f"expected ASCII keys, got `{key}` - at `{place}`")
                waiting.append((f"{place}.{key}", member))
        elif isinstance(value, list):
            waiting.extend((f"{place}[{index}]", member) for index, member in enumerate(value))
        elif isinstance(value, int):
            if not 0 <= value <= INTEGER_MAX:
                raise NotCanonical(f"expected an integer from 0 to 2^53-1, got another one - at `{place}`")
        elif not isinstance(value, str):
            name = "null" if value is None else "a number with a fraction or exponent"
            raise NotCanonical(f"expected text, an integer, a boolean, a list or an object, got {name} - at `{place}`")


def _with_place(message: str) -> str:
    """Add the root's path to a message of the decoder that names no place."""
    return message if "`$" in message or "(byte " in message else f"{message} - at `$`"


def _first_difference(*, expected: bytes, got: bytes) -> str:
    """Say where bytes leave their canonical form."""
    pairs = enumerate(zip(expected, got, strict=False))
    start = next((index for index, (left, right) in pairs if left != right), min(len(expected), len(got)))
    near = slice(start, start + 20)
    return f"expected the canonical form, {expected[near]!r} at byte {start}, got {got[near]!r}"
