"""Exit codes of the command line, stable: scripts may rely on them."""

from typing import Final

DONE: Final = 0
"""What was asked is done, and what was checked holds."""

NO: Final = 1
"""The answer is no: refused, not proven, not as expected."""

USAGE: Final = 2
"""The command cannot be carried out as given: an unknown option, a file that is missing or not what it should be."""

UNAVAILABLE: Final = 3
"""It could not be found out: the node does not answer, or cannot start. Trying again later may help."""
