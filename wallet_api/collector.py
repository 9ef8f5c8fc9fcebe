"""The garbage collector of a long-lived process with millions of records."""

import gc
from typing import Final

YOUNG_OBJECTS_MAX: Final = 100_000
"""Objects made between two collections of the youngest generation. A bulk makes tens of thousands at once, none of them
in a cycle, and the interpreter's own threshold of 700 has the collector look at them again and again."""

OLD_COLLECTIONS: Final = 50
"""Collections of one generation before the next older one is looked at."""


def settle_collector() -> None:
    """Leave what has been loaded so far to the process for good, and collect the rest seldom.

    To be called once the state is in memory: from then on no collection walks it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, OLD_COLLECTIONS, OLD_COLLECTIONS)
