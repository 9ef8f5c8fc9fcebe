"""Accounts: opened, frozen, unfrozen, closed."""

import msgspec
import pytest

from ledger.model.accounts import Account, AccountStatus, iban
from ledger.model.assets import TENGE
from ledger.model.participants import Role
from ledger.rules.accounts import AccountFreeze, AccountOpen, AccountUnfreeze, NewAccount
from ledger.rules.tables import ACCOUNTS
from ledger.units import ACCOUNTS_PER_OPENING_MAX, AccountId, AssetId
from tests.book import Book, end_of, key_of, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import COIN, pay

OPENING_ORDER = (
    "account_repeated",
    "account_check_digits_wrong",
    "account_code_foreign",
    "account_exists",
    "asset_unknown",
    "account_class_unknown",
    "account_class_not_permitted",
    "holder_key_foreign",
)

CANNOT_BE_TOGETHER = (
    frozenset({"account_exists", "account_check_digits_wrong"}),
    frozenset({"account_exists", "account_code_foreign"}),
    frozenset({"account_class_unknown", "account_class_not_permitted"}),
)


def opening(*faulty: str) -> tuple[AccountOpen, tuple[str, ...]]:
    """An opening by bank-a whose last account breaks the named rules, and who must sign it."""
    code = "602" if "account_code_foreign" in faulty else "601"
    account = wallet(code, 1 if "account_exists" in faulty else 9)
    if "account_check_digits_wrong" in faulty:
        account = AccountId(f"KZ00{account[4:]}")
    account_class = "own_no_more" if "account_class_unknown" in faulty else "wallet"
    if "account_class_not_permitted" in faulty:
        account_class = "vault"
    new = NewAccount(
        account=account,
        asset=COIN if "asset_unknown" in faulty else TENGE,
        account_class=account_class,
        holder="holder-9",
        holder_key=key_of("holder-of-b").public.x if "holder_key_foreign" in faulty else None,
    )
    good = NewAccount(account=wallet("601", 8), asset=TENGE, account_class="wallet")
    accounts = (good, new, new) if "account_repeated" in faulty else (good, new)
    signers = ("bank-a-1", "holder-of-b") if "holder_key_foreign" in faulty else ("bank-a-1",)
    return AccountOpen(accounts=accounts), signers


@pytest.fixture
def book(book_with_vault: Book) -> Book:
    """A pilot book whose bank-b keeps a wallet bound to the key of a holder; only exchanges open a `vault`."""
    assert end_of(book_with_vault.open_account("bank-b", wallet("602", 5), holder_key="holder-of-b")) == "accepted"
    return book_with_vault


def open_faulty(book: Book, *faulty: str) -> str:
    body, signers = opening(*faulty)
    return book.end("account_open", body, by="bank-a", signers=signers)


def test_of_several_faults_of_an_opening_the_first_in_order_is_answered(book: Book) -> None:
    for faulty in faults(OPENING_ORDER, apart=CANNOT_BE_TOGETHER):
        assert open_faulty(book, *faulty) == faulty[0], faulty
    assert book.state.get(ACCOUNTS, wallet("601", 8)) is None, "a refused opening opens nothing"
    assert open_faulty(book) == "accepted"


@answers("account_open", "account_repeated")
def test_an_opening_names_an_account_once(book: Book) -> str:
    return open_faulty(book, "account_repeated")


@answers("account_open", "account_exists")
def test_an_account_is_opened_once(book: Book) -> str:
    return open_faulty(book, "account_exists")


@answers("account_open", "account_check_digits_wrong")
def test_check_digits_must_be_right(book: Book) -> str:
    return open_faulty(book, "account_check_digits_wrong")


@answers("account_open", "account_code_foreign")
def test_an_account_carries_the_code_of_its_owner(book: Book) -> str:
    return open_faulty(book, "account_code_foreign")


@answers("account_open", "asset_unknown")
def test_an_account_is_in_an_asset_that_exists(book: Book) -> str:
    return open_faulty(book, "asset_unknown")


@answers("account_open", "account_class_unknown")
def test_a_class_must_exist(book: Book) -> str:
    return open_faulty(book, "account_class_unknown")


@answers("account_open", "account_class_unknown")
def test_nobody_opens_a_contra_account(book: Book) -> str:
    return end_of(book.open_account("bank-a", wallet("601", 9), account_class="contra"))


@answers("account_open", "account_class_not_permitted")
def test_a_class_is_for_its_roles(book: Book) -> str:
    return open_faulty(book, "account_class_not_permitted")


@answers("account_open", "account_class_not_permitted")
def test_an_exchange_opens_no_wallets(book: Book) -> str:
    book.admit("aix-one", Role.EXCHANGE, "701")
    assert end_of(book.open_account("aix-one", own_account("701"), account_class="own")) == "accepted"
    return end_of(book.open_account("aix-one", wallet("701", 1)))


@answers("account_open", "holder_key_foreign")
def test_a_holder_key_serves_one_participant(book: Book) -> str:
    return open_faulty(book, "holder_key_foreign")


@answers("account_open", "holder_key_foreign")
def test_a_signatory_is_no_holder(book: Book) -> str:
    return end_of(book.open_account("bank-a", wallet("601", 9), holder_key="bank-a-2"))


def test_a_holder_key_must_sign_the_opening(book: Book) -> None:
    new = NewAccount(
        account=wallet("601", 9), asset=TENGE, account_class="wallet", holder_key=key_of("holder").public.x
    )
    body = AccountOpen(accounts=(new,))
    reference = book.reference()
    assert book.end("account_open", body, by="bank-a", reference=reference) == "signatures_insufficient"
    assert (
        book.end("account_open", body, by="bank-a", signers=("bank-a-1", "holder"), reference=reference) == "accepted"
    )


def test_one_holder_key_may_bind_many_accounts_of_its_bank(book: Book) -> None:
    assert end_of(book.open_account("bank-a", wallet("601", 8), holder_key="holder")) == "accepted"
    assert end_of(book.open_account("bank-a", wallet("601", 9), holder_key="holder")) == "accepted"
    assert account(book, wallet("601", 8)).holder_key == account(book, wallet("601", 9)).holder_key


def test_a_revoked_holder_key_binds_no_further_account(book: Book) -> None:
    book.open_account("bank-a", wallet("601", 8), holder_key="holder")
    book.revoke("bank-a", "holder", "holder")
    assert book.end(*opening_with_holder(), by="bank-a", signers=("bank-a-1", "holder")) == "key_revoked"


def opening_with_holder() -> tuple[str, AccountOpen]:
    new = NewAccount(
        account=wallet("601", 9), asset=TENGE, account_class="wallet", holder_key=key_of("holder").public.x
    )
    return "account_open", AccountOpen(accounts=(new,))


def many(count: int) -> AccountOpen:
    return AccountOpen(
        accounts=tuple(
            NewAccount(account=iban("601", f"MANY{number:09d}"), asset=TENGE, account_class="wallet")
            for number in range(count)
        )
    )


def test_an_opening_takes_accounts_up_to_the_limit(book: Book) -> None:
    assert book.end("account_open", many(ACCOUNTS_PER_OPENING_MAX), by="bank-a") == "accepted"


def test_an_opening_takes_no_account_more(book: Book) -> None:
    assert book.end("account_open", many(ACCOUNTS_PER_OPENING_MAX + 1), by="bank-a") == "payload_invalid"
    assert book.end("account_open", many(0), by="bank-a") == "payload_invalid"


def test_the_weight_of_an_opening_is_its_accounts(book: Book) -> None:
    assert book.rulebook.kinds["account_open"].weight(many(3)) == 3
    assert book.rulebook.kinds["account_freeze"].weight(AccountFreeze(account=wallet("601", 1), reason="order-17")) == 1


# --- frozen, unfrozen, closed -------------------------------------------------------------------------------


def account(book: Book, account_id: AccountId) -> Account:
    found = book.state.get(ACCOUNTS, account_id)
    assert found is not None
    return found


def freeze(book: Book, account_id: AccountId, by: str = "bank-a") -> str:
    return book.end("account_freeze", AccountFreeze(account=account_id, reason="order-17"), by=by)


def unfreeze(book: Book, account_id: AccountId, by: str = "bank-a") -> str:
    return book.end("account_unfreeze", AccountUnfreeze(account=account_id, reason="order-17"), by=by)


WALLET = wallet("601", 1)


@pytest.fixture
def supervised(book: Book) -> Book:
    """A pilot book with a supervisor."""
    assert end_of(book.admit("supervisor", Role.SUPERVISOR, "900")) == "accepted"
    return book


@answers("account_freeze", "account_not_found")
def test_an_unknown_account_is_not_frozen(book: Book) -> str:
    return freeze(book, wallet("601", 9))


@answers("account_freeze", "account_not_found")
def test_a_foreign_account_answers_as_an_unknown_one(book: Book) -> str:
    return freeze(book, wallet("602", 1))


@answers("account_freeze", "account_not_found")
def test_not_even_a_supervisor_freezes_a_contra_account(supervised: Book) -> str:
    return freeze(supervised, iban("125", "CONTRAKZT0000"), by="supervisor")


@answers("account_freeze", "account_closed")
def test_a_closed_account_is_not_frozen(book: Book) -> str:
    book.close_account("bank-a", WALLET)
    return freeze(book, WALLET)


@answers("account_freeze", "account_frozen")
def test_an_owner_freezes_once(book: Book) -> str:
    freeze(book, WALLET)
    return freeze(book, WALLET)


@answers("account_freeze", "account_frozen")
def test_a_supervisor_freezes_once(supervised: Book) -> str:
    freeze(supervised, WALLET, by="supervisor")
    return freeze(supervised, WALLET, by="supervisor")


@answers("account_freeze", "account_frozen")
def test_an_owner_does_not_take_over_a_supervisors_freeze(supervised: Book) -> str:
    freeze(supervised, WALLET, by="supervisor")
    return freeze(supervised, WALLET)


@answers("account_unfreeze", "freeze_ordered_by_other")
def test_a_supervisors_order_stands_above_the_owners_own_freeze(supervised: Book) -> str:
    assert freeze(supervised, WALLET) == "accepted"
    assert freeze(supervised, WALLET, by="supervisor") == "accepted"
    assert account(supervised, WALLET).frozen_by == "supervisor"
    return unfreeze(supervised, WALLET)


@answers("account_unfreeze", "account_not_found")
def test_an_unknown_account_is_not_unfrozen(book: Book) -> str:
    return unfreeze(book, wallet("602", 1))


@answers("account_unfreeze", "account_closed")
def test_a_closed_account_is_not_unfrozen(book: Book) -> str:
    book.close_account("bank-a", WALLET)
    return unfreeze(book, WALLET)


@answers("account_unfreeze", "account_not_frozen")
def test_an_open_account_is_not_unfrozen(book: Book) -> str:
    return unfreeze(book, WALLET)


@answers("account_unfreeze", "freeze_ordered_by_other")
def test_an_owner_does_not_lift_a_supervisors_freeze(supervised: Book) -> str:
    freeze(supervised, WALLET, by="supervisor")
    return unfreeze(supervised, WALLET)


def test_a_supervisor_lifts_any_freeze(supervised: Book) -> None:
    freeze(supervised, WALLET)
    assert unfreeze(supervised, WALLET, by="supervisor") == "accepted"
    assert account(supervised, WALLET) == msgspec.structs.replace(
        account(supervised, WALLET), status=AccountStatus.OPEN, frozen_by=None
    )


def test_an_owner_lifts_its_own_freeze(book: Book) -> None:
    freeze(book, own_account("601"))
    payment = pay(own_account("601"), WALLET, 1)
    assert book.end("transfer", payment, by="bank-a") == "debit_account_frozen"
    unfreeze(book, own_account("601"))
    assert book.end("transfer", payment, by="bank-a") == "accepted"


def test_credits_arrive_at_a_frozen_account(book: Book) -> None:
    freeze(book, WALLET)
    assert book.end("transfer", pay(own_account("601"), WALLET, 5), by="bank-a") == "accepted"


@answers("account_close", "account_not_found")
def test_a_foreign_account_is_not_closed(book: Book) -> str:
    return book.close_account("bank-a", wallet("602", 1))


@answers("account_close", "account_closed")
def test_an_account_is_closed_once(book: Book) -> str:
    assert book.close_account("bank-a", WALLET) == "accepted"
    return book.close_account("bank-a", WALLET)


@answers("account_close", "account_frozen")
def test_a_frozen_account_is_not_closed_though_it_holds_money(book: Book) -> str:
    book.submit("transfer", pay(own_account("601"), WALLET, 5), by="bank-a")
    freeze(book, WALLET)
    return book.close_account("bank-a", WALLET)


@answers("account_close", "balance_not_zero")
def test_an_account_that_holds_one_tiyn_is_not_closed(book: Book) -> str:
    book.submit("transfer", pay(own_account("601"), WALLET, 1), by="bank-a")
    return book.close_account("bank-a", WALLET)


def test_an_emptied_account_is_closed_and_takes_no_credit(book: Book) -> None:
    book.submit("transfer", pay(own_account("601"), WALLET, 1), by="bank-a")
    book.submit("transfer", pay(WALLET, own_account("601"), 1), by="bank-a")
    assert book.close_account("bank-a", WALLET) == "accepted"
    assert book.end("transfer", pay(own_account("601"), WALLET, 1), by="bank-a") == "credit_account_closed"
    assert book.end("transfer", pay(WALLET, own_account("601"), 1), by="bank-a") == "debit_account_closed"
    assert end_of(book.open_account("bank-a", WALLET)) == "account_exists"


def test_an_account_in_an_asset_id_with_a_line_break_is_malformed(book: Book) -> None:
    assert end_of(book.open_account("bank-a", wallet("601", 9))) == "accepted"
    new = NewAccount(account=wallet("601", 8), asset=AssetId("KZT\n"), account_class="wallet")
    assert book.end("account_open", AccountOpen(accounts=(new,)), by="bank-a") == "payload_invalid"
