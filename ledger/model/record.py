"""The base of every value that is signed, hashed or kept."""

from msgspec import Struct


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A frozen value with one canonical JSON form.

    Unknown members are refused by name; an optional member that is absent stays absent in the encoding.
    Records hold no cycles, so the garbage collector need not track them (``gc=False``): with a million open
    accounts this is the difference between a pause and none.
    """
