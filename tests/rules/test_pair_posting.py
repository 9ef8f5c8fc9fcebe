"""The fast path of a bulk agrees with the plain one: on outcomes, refusals with their details, balances and leaves."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.outcomes import authorship, keep, leaves
from ledger.model.accounts import Account, AccountStatus
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Pairs, Side
from ledger.model.outcome import Accepted, RefusalCode, Refused
from ledger.model.participants import Role
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.core import CORE_MODULES
from ledger.rules.module import AccountClass, RuleModule, Submitted
from ledger.rules.pair_posting import post_pairs
from ledger.rules.posting import post_lines
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ACCOUNTS, BALANCES, ledger_of
from ledger.state import Overlay, State, View
from ledger.units import BALANCE_MAX, AccountId, AssetId, Kid, ParticipantId, TimestampUs
from tests.book import CONTRA_ACCOUNT, key_of, own_account, pilot_book, wallet

WATCHED: Final = "watched"
UNLUCKY: Final = RefusalCode("unlucky_number", "A watched account moves 13.")


def _guard(view: View, _submitted: Submitted, entry: Entry) -> Refused | None:
    for posting in entry.postings:
        account = view.get(ACCOUNTS, posting.account)
        if account is not None and account.account_class == WATCHED and posting.amount == 13:
            return Refused(UNLUCKY, detail=f"{posting.side} {posting.account}")
    return None


def _is_watched(account_class: AccountClass) -> bool:
    return account_class.name == WATCHED


GUARDED: Final = RuleModule(
    name="guarded",
    meaning="A class that a guard watches, and one of clients.",
    classes=(
        AccountClass(WATCHED, frozenset({Role.INTERMEDIARY}), "Watched."),
        AccountClass("client", frozenset({Role.INTERMEDIARY}), "Money of clients.", is_client=True),
    ),
    guards=(_guard,),
    guards_watch=_is_watched,
    guard_refusals=(UNLUCKY,),
)
RULEBOOK: Final = Rulebook(1, (*CORE_MODULES, GUARDED))
GUARDS: Final = GUARDED.guards

FIRST: Final = 10
"""Number of the first wallet below."""

SORTS: Final[dict[str, Account]] = {
    sort: Account(asset=AssetId(asset), owner=ParticipantId(owner), account_class=account_class, **more)
    for sort, asset, owner, account_class, more in (
        ("plain", TENGE, "bank-a", "wallet", {}),
        ("plain too", TENGE, "bank-a", "wallet", {}),
        ("own", TENGE, "bank-a", "own", {}),
        ("frozen", TENGE, "bank-a", "wallet", {"status": AccountStatus.FROZEN}),
        ("closed", TENGE, "bank-a", "wallet", {"status": AccountStatus.CLOSED}),
        ("bound to a key that signs", TENGE, "bank-a", "wallet", {"holder_key": Kid(key_of("bank-a-1").public.kid)}),
        ("bound to another key", TENGE, "bank-a", "wallet", {"holder_key": Kid(key_of("holder").public.kid)}),
        ("of another bank", TENGE, "bank-b", "wallet", {}),
        ("of another asset", "BTC:aix-one", "bank-a", "wallet", {}),
        ("watched", TENGE, "bank-a", WATCHED, {}),
        ("client", TENGE, "bank-a", "client", {}),
        ("of a class nobody knows", TENGE, "bank-a", "relic", {}),
    )
}
ACCOUNT_IDS: Final = {sort: wallet("601", FIRST + number) for number, sort in enumerate(SORTS)}
MISSING: Final = wallet("601", 99)
EVERYONE: Final = (*ACCOUNT_IDS.values(), MISSING, CONTRA_ACCOUNT)

amounts = st.one_of(st.integers(1, 30), st.sampled_from([13, 100, 10**15]))
lines = st.lists(
    st.tuples(st.sampled_from(EVERYONE), st.sampled_from(EVERYONE), amounts).filter(lambda line: line[0] != line[1]),
    min_size=1,
    max_size=30,
)
ordinary_lines = st.lists(
    st.tuples(
        st.sampled_from([*ACCOUNT_IDS.values()][:3]), st.sampled_from([*ACCOUNT_IDS.values()][:3]), amounts
    ).filter(lambda line: line[0] != line[1]),
    min_size=1,
    max_size=30,
)
balances = st.fixed_dictionaries(
    {}, optional={account: st.sampled_from([0, 1, 13, 50, BALANCE_MAX - 20, BALANCE_MAX]) for account in EVERYONE[:-2]}
)


@pytest.fixture(scope="module")
def state() -> State:
    book = pilot_book(RULEBOOK)
    overlay = Overlay(book.state)
    for sort, account in SORTS.items():
        overlay.put(ACCOUNTS, ACCOUNT_IDS[sort], account)
    book.state.advance(overlay, TimestampUs(book.time_us))
    return book.state


BOOK: Final = pilot_book(RULEBOOK)


def submitted(state: State, moves: list[tuple[AccountId, AccountId, int]], *, is_atomic: bool) -> Submitted:
    """A bulk of those lines, signed by bank-a's first key."""
    body = BulkTransfer(
        asset=TENGE,
        is_atomic=is_atomic,
        lines=tuple(
            Line(debit=debit, credit=credit, amount=amount, label=f"line-{number}")
            for number, (debit, credit, amount) in enumerate(moves)
        ),
    )
    signed = BOOK.open(BOOK.signed("bulk_transfer", body, by="bank-a"))
    return Submitted(signed, TimestampUs(BOOK.time_us), ledger_of(state).business_date, RULEBOOK.classes)


def post_both_ways(
    state: State, start: dict[str, int], moves: list[tuple[AccountId, AccountId, int]], *, is_atomic: bool
) -> None:
    """Post on two equal overlays and compare everything."""
    bulk = submitted(state, moves, is_atomic=is_atomic)
    pairs = Pairs(TENGE, *(list(column) for column in zip(*moves, strict=True)))
    plain, fast = Overlay(state), Overlay(state)
    for overlay in (plain, fast):
        overlay.put_many(BALANCES, start)
    expected = post_lines(plain, bulk, pairs.entries(), GUARDS, is_atomic=is_atomic)
    got = post_pairs(fast, bulk, pairs, GUARDS, RULEBOOK.ordinary_classes, is_atomic=is_atomic)
    assert got == expected
    assert fast.written(BALANCES) == plain.written(BALANCES)
    kind = RULEBOOK.kinds["bulk_transfer"]
    outcome = expected if isinstance(expected, Refused) else Accepted((), expected, None, pairs)
    kept = keep(outcome, kind)
    salts = bytes(number % 251 for number in range(16 * len(pairs)))
    author = authorship(bulk.signed)
    postings = () if isinstance(outcome, Refused) else tuple(entry.postings for entry in pairs.entries())
    assert leaves(kept, () if isinstance(outcome, Refused) else pairs, author, 77, salts) == leaves(
        kept, postings, author, 77, salts
    )


@given(start=balances, moves=lines, is_atomic=st.booleans())
def test_both_paths_agree_on_everything(
    state: State, start: dict[str, int], moves: list[tuple[AccountId, AccountId, int]], is_atomic: bool
) -> None:
    post_both_ways(state, start, moves, is_atomic=is_atomic)


@given(start=balances, moves=ordinary_lines, is_atomic=st.booleans())
def test_both_paths_agree_between_ordinary_accounts(
    state: State, start: dict[str, int], moves: list[tuple[AccountId, AccountId, int]], is_atomic: bool
) -> None:
    post_both_ways(state, start, moves, is_atomic=is_atomic)


def test_only_lines_between_ordinary_accounts_take_the_short_way(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Entry] = []

    def counted(_overlay: Overlay, _submitted: Submitted, entry: Entry, _guards: object) -> None:
        taken.append(entry)

    monkeypatch.setattr("ledger.rules.pair_posting.post", counted)
    plain, too, own = list(ACCOUNT_IDS.values())[:3]
    for sort, account in ACCOUNT_IDS.items():
        for move in ((account, plain), (plain, account)):
            if move[0] == move[1]:
                continue
            taken.clear()
            bulk = submitted(state, [(*move, 1)], is_atomic=False)
            overlay = Overlay(state)
            overlay.put_many(BALANCES, {plain: 5, too: 5, own: 5, account: 5})
            pairs = Pairs(TENGE, [move[0]], [move[1]], [1])
            assert post_pairs(overlay, bulk, pairs, GUARDS, RULEBOOK.ordinary_classes, is_atomic=False) == {}
            credits_only = {"frozen", "bound to a key that signs", "bound to another key", "of another bank"}
            is_short = sort in {"plain too", "own"} or (sort in credits_only and move[0] == plain)
            assert bool(taken) is not is_short, (sort, move)


def test_a_class_is_ordinary_if_no_guard_watches_it_and_it_is_not_of_clients() -> None:
    assert RULEBOOK.ordinary_classes == {"wallet", "own", "service"} & set(RULEBOOK.classes)
    watchful = Rulebook(1, (*CORE_MODULES, replace(GUARDED, guards_watch=lambda _account_class: True)))
    assert watchful.ordinary_classes == frozenset()
    without_guards = Rulebook(1, (*CORE_MODULES, replace(GUARDED, guards=())))
    assert without_guards.ordinary_classes == RULEBOOK.ordinary_classes | {WATCHED}


def test_a_refused_line_that_moved_nothing_leaves_no_row(state: State) -> None:
    plain, too, own = list(ACCOUNT_IDS.values())[:3]
    post_both_ways(state, {plain: 3}, [(plain, too, 4), (plain, too, 1), (too, own, 2)], is_atomic=False)


def test_a_pair_of_one_account_is_a_fault_of_the_rule_that_proposed_it(state: State) -> None:
    plain = ACCOUNT_IDS["plain"]
    bulk = submitted(state, [(plain, ACCOUNT_IDS["own"], 1)], is_atomic=False)
    with pytest.raises(AssertionError, match="two accounts"):
        post_pairs(
            Overlay(state),
            bulk,
            Pairs(TENGE, [plain], [plain], [1]),
            GUARDS,
            RULEBOOK.ordinary_classes,
            is_atomic=False,
        )


def test_the_sides_of_a_pair_are_debit_then_credit() -> None:
    pairs = Pairs(TENGE, [own_account("601")], [wallet("601", 1)], [5])
    (entry,) = pairs.entries()
    assert [(leg.side, leg.account, leg.amount) for leg in entry.postings] == [
        (Side.DEBIT, own_account("601"), 5),
        (Side.CREDIT, wallet("601", 1), 5),
    ]
