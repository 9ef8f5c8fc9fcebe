"""The quota of one miner and one coin: a pure function of policies, lots, claims and what is said of them.

The rules are those of the project's reading of article 8(4), by these numbers:

1. Integers only; shares are fractions.
2. The obligation of a lot is its quantity times the share, rounded up: "not less than".
3. The share is that of the local date of distribution, not of the sale.
4. A lot without an active licence is reported and gives no credit.
5. Claims are sales settled on this ledger; both legs of each are final. What an exchange attests from elsewhere is
   another column, never added silently.
6. Obligation first, oldest first: a sale fills the unmet obligations of the lots it may cover, oldest first, then
   their rest, oldest first. What is left is unmatched.
7. Never more is counted than was produced.
8. A lot younger than a sale does not cover it.
9. The same inputs make the same statement, which names their hash; a changed one is restated as the next version.
10. A sale of an exchange that was suspended before it was final is held until a person decides.
11. What is undone of a sale is taken off in the period in which it was executed.
12. A self-trade is disqualified; a sale between related parties is treated as the policy says, held unless it says so.
13. A round trip of tenge or coins, or a price far off the reference, is found over the ledger's own flows; the flag
    holds the claim.
14. One payment, one lock of coins, one trade: one claim.
15. What the buyer received counts, not what the seller gave.
16. Of a sale settled in part, the final part counts.
17. A miner or subtype outside the policy has no obligation; its sales are recorded.
18. The shortfall is the sum over lots of the obligation that no sale filled; it stands beside each ratio.
19. After a repeal lots have no obligation; earlier shortfalls stay.
20. Every result names its policies, their legal status, and whether the computation basis is assumed.
"""

from settlement.quota.lots import obligation
from settlement.quota.restated import StatementVersion, WhatIf, restated, what_if
from settlement.quota.statement import ASSUMED_NOTE, CONFIRMED_NOTE, OTHER_BASIS_NOTE, quota_statement

__all__ = [
    "ASSUMED_NOTE",
    "CONFIRMED_NOTE",
    "OTHER_BASIS_NOTE",
    "StatementVersion",
    "WhatIf",
    "obligation",
    "quota_statement",
    "restated",
    "what_if",
]
