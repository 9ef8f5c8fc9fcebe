"""A register as a file: read strictly into one transaction; one wrong row names row and column and loads nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import TimestampUs
from settlement.model.parties import PartyForm, form_of
from settlement.register_file import RegisterFile, read_register
from settlement.rows_text import FAULTS_MAX, TABLE_BYTES_MAX, TableFaulty
from settlement.rules.parties import related
from settlement.rules.register_load import ROWS_PER_LOAD_MAX
from settlement.rules.tables import LICENCES, MINERS
from tests.book import START_US, Book, refused_with
from tests.settlement.market import BIN, accepted, bare_market
from wallet_api.openings import Openings

IIN = "900101300017"

CSV = f"""\
row,exchange,licence,permission,activity,pool,accreditation,miner,name,bin,iin,subtype,issued,coin,scale,party,other,\
relation,site,operator,zone,meter,source,register,subject,status,reason,basis,from,until,watched_until
exchange,aix-one,AFSA-1,,,,,,,,,,,,,,,,,,,,,,,,,,2023-12-24T00:00:00+05:00,,
permission,aix-one,,AFSA-1-T,trading_facility,,,,,,,,,,,,,,,,,,,,,,,,2023-12-24T00:00Z,,
pool,,,,,pool-one,P-1,,,,,,,,,,,,,,,,,,,,,,2023-12-24T00:00:00.5Z,,
miner,,,,,,,miner-one,Дала Майнинг,{BIN},,,,,,,,,,,,,,,,,,,,,
miner,,,,,,,miner-two,Айгүл,,{IIN},,,,,,,,,,,,,,,,,,,,
licence,,L-1,,,,,miner-one,,,,1,2023-06-01,,,,,,,,,,,,,,,,,,
coin,,,,,,,,,,,,,BTC,8,,,,,,,,,,,,,,,,
price_list,,,,,,,,,,,,,BTC,,,,,,,,,,,,,,,2023-12-24T00:00:00+05:00,,
party,,,,,,,,An owner,,,,,,,iin:{IIN},,,,,,,,,,,,,,,
relation,,,,,,,,,,,,,,,miner-one,iin:{IIN},owner,,,,,,,,,,,2023-12-24T00:00:00+05:00,,
relation,,,,,,,,,,,,,,,aix-one,iin:{IIN},board,,,,,,,,,,,2023-12-24T00:00:00+05:00,,
exposure,,,,,,,,,,,,,,,iin:{IIN},,,,,,,,,,,,decree-1,2023-12-24T00:00:00+05:00,2024-01-01T00:00:00+05:00,2025-01-01T00:00:00+05:00
site,,,,,,,,,,,,,,,,,,DC-1,iin:{IIN},north_south,,,,,,,,2023-12-24T00:00:00+05:00,,
meter,,,,,,,,,,,,,,,,,,DC-1,,,M-1,auction,,,,,,2023-12-24T00:00:00+05:00,,
status,,,,,,,,,,,,,,,,,,,,,,,licence,L-1,suspended,order-1,,2024-02-01T00:00:00+05:00,2024-03-01T00:00:00+05:00,
"""


def read(text: str, openings: Openings | None = None) -> RegisterFile:
    return read_register(text.encode(), openings or Openings())


def faults(text: str) -> list[str]:
    with pytest.raises(TableFaulty) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]


def send(book: Book, file: RegisterFile) -> Any:
    return book.submit("registry_load", file.body, by="ministry")


def test_a_file_with_every_register_is_one_transaction() -> None:
    book = bare_market()
    file = read(CSV)
    accepted(send(book, file))

    assert file.numbers == tuple(range(2, 17))
    miner, licence = book.state.get(MINERS, "miner-one"), book.state.get(LICENCES, "L-1")
    assert miner is not None
    assert licence is not None
    assert miner.bin == BIN
    assert len(licence.history) == 3
    assert related(book.state, "miner-one", "aix-one", TimestampUs(START_US)) == "board"


def test_nothing_personal_stands_in_the_transaction_and_every_opening_is_kept() -> None:
    openings = Openings()
    body = read(CSV, openings).body

    text = str(body)
    assert IIN not in text
    assert "Айгүл" not in text
    assert [opening.value for opening in openings.made()] == ["Дала Майнинг", "Айгүл", IIN, "An owner", IIN]
    assert all(opening.commitment() in text for opening in openings.made())


def test_a_person_is_the_same_party_in_a_later_file() -> None:
    first = Openings()
    before = read(CSV, first).body
    later = Openings(first.persons())
    after = read(f"row,party,other,relation,from\nrelation,miner-two,iin:{IIN},owner,2024-01-01T00:00Z\n", later).body

    person: Any = after.rows[0]
    assert form_of(person.other) is PartyForm.PERSON
    assert person.other in str(before)
    assert [opening.value for opening in later.made()] == [IIN]


def test_the_same_rows_are_read_from_json_and_from_a_spreadsheet_with_semicolons() -> None:
    rows = [
        {"row": "coin", "coin": "BTC", "scale": 8},
        {"row": "licence", "licence": "L-1", "miner": "miner-one", "subtype": "2", "issued": "2023-06-01"},
    ]
    from_json = read(json.dumps({"rows": rows}))
    from_csv = read(
        "\ufeffrow;coin;scale;licence;miner;subtype;issued\r\ncoin;BTC;8;;;;\r\nlicence;;;L-1;miner-one;2;2023-06-01\r\n"
    )

    assert from_json.body.rows == from_csv.body.rows
    assert from_json.body.source != from_csv.body.source
    assert (from_json.numbers, from_csv.numbers) == ((1, 2), (2, 3))


def test_one_wrong_row_names_row_and_column_and_nothing_is_read() -> None:
    wrong = CSV.replace("2023-06-01", "2023-02-29")

    assert faults(wrong) == ["row 7, column issued: expected a date that exists, as 2024-01-31, got 2023-02-29"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"row": "coin", "coin": "btc", "scale": "8"}, "row 1, column coin: Expected `str` matching regex"),
        ({"row": "coin", "coin": "BTC", "scale": "99"}, "row 1, column scale: Expected `int` <= "),
        ({"row": "coin", "coin": "BTC", "scale": "08"}, "row 1, column scale: expected an integer, got 08"),
        ({"row": "coin", "coin": "BTC"}, "row 1, column scale: expected a value"),
        (
            {"row": "coin", "coin": "BTC", "scale": "8", "bin": BIN},
            "row 1, column bin: expected nothing for a row of coin",
        ),
        ({"row": "coins", "coin": "BTC"}, "row 1, column row: expected one of coin, exchange"),
        ({"coin": "BTC"}, "row 1, column row: expected one of coin, exchange"),
        ({"row": "coin", "kion": "BTC"}, "row 1, column kion: expected no such column"),
        ({"row": "coin", "coin": "BTC "}, "row 1, column coin: expected no space around the value"),
        ({"row": "coin", "coin": "B\u0301TC"}, "row 1, column coin: expected a permitted character"),
        (
            {"row": "miner", "miner": "m-1", "name": "x", "bin": "123456789012"},
            "row 1, column bin: expected twelve digits",
        ),
        ({"row": "miner", "miner": "m-1", "name": "x", "iin": "9001"}, "row 1, column iin: expected twelve digits"),
        ({"row": "party", "party": "bin:123456789012", "name": "x"}, "row 1, column party: expected twelve digits"),
        ({"row": "party", "party": "iin:900101300010", "name": "x"}, "row 1, column party: expected twelve digits"),
        ({"row": "party", "party": IIN, "name": "x"}, "row 1, column party: Expected `str` matching regex"),
        (
            {"row": "pool", "pool": "p-1", "accreditation": "P", "from": "2024-01-01"},
            "row 1, column from: expected a time with",
        ),
        (
            {"row": "pool", "pool": "p-1", "accreditation": "P", "from": "2024-02-30T00:00:00Z"},
            "row 1, column from: expected a time that exists",
        ),
        (
            {"row": "pool", "pool": "p-1", "accreditation": "P", "from": "1969-12-31T23:00:00Z"},
            "row 1, column from: expected a time from 1970",
        ),
        ({"row": "status", "register": "nobody"}, "row 1, column register: Invalid enum value 'nobody'"),
        ({"row": "coin", "coin": "BTC", "scale": True}, "row 1, column scale: expected a text or an integer"),
    ],
)
def test_what_is_wrong_is_said_by_row_and_column(row: dict[str, Any], said: str) -> None:
    (fault,) = faults(json.dumps({"rows": [row]}))

    assert fault.startswith(said)


def test_all_faults_are_named_at_once_up_to_a_limit() -> None:
    text = "row,coin,scale\ncoin,btc,8\ncoin,BTC,x\n"
    assert [fault[:23] for fault in faults(text)] == ["row 2, column coin: Exp", "row 3, column scale: ex"]

    assert len(faults("row,coin,scale\n" + "coin,btc,8\n" * (FAULTS_MAX + 1))) == FAULTS_MAX


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a first line that names the columns"),
        ("\ncoin", "expected a first line that names the columns"),
        ("row,coin\n", "expected a row, got none"),
        ('{"rows": []}', "expected a row, got none"),
        ("row,coin,coin\ncoin,BTC,BTC\n", "row 1, column coin: expected the column once"),
        ("row,coin,scale\ncoin,BTC\n", "row 2: expected 3 cells, got 2"),
        ('row,coin\ncoin,"BTC\n', "row 2: unexpected end of data"),
        ('{"rows": [', "expected JSON: "),
        ('{"rows": [{"row": "coin", "row": "pool"}]}', "expected JSON: a member stands twice among ['row']"),
        ('{"rows": [{"scale": 1.5}]}', "expected JSON: 1.5 is no integer"),
        ('{"rows": [{"scale": NaN}]}', "expected JSON: NaN is no integer"),
        ('{"rows": [1]}', "row 1: expected an object"),
        ('{"rows": 1}', "expected an object with the one member rows, a list"),
        ('{"rows": [], "more": 1}', "expected an object with the one member rows, a list"),
        ('{"a": ' + "[" * 100_000, "expected JSON: "),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, said: str) -> None:
    assert faults(text)[0].startswith(said)


def test_a_file_has_a_size_and_is_utf_8() -> None:
    with pytest.raises(TableFaulty, match=f"at most {TABLE_BYTES_MAX} bytes"):
        read_register(b" " * (TABLE_BYTES_MAX + 1), Openings())
    with pytest.raises(TableFaulty, match="row 1: field larger than field limit"):
        read_register(b"x" * TABLE_BYTES_MAX, Openings())
    with pytest.raises(TableFaulty, match="another byte at byte 3"):
        read_register(b"row\xff", Openings())


def test_a_file_has_as_many_rows_as_a_load() -> None:
    rows = [f"coin,C{number},8" for number in range(ROWS_PER_LOAD_MAX + 1)]
    assert faults("row,coin,scale\n" + "\n".join(rows)) == ["expected at most 1000 rows, got 1001"]

    assert len(read("row,coin,scale\n" + "\n".join(rows[:-1])).body.rows) == ROWS_PER_LOAD_MAX


def test_what_only_the_ledger_knows_it_refuses_by_the_line() -> None:
    file = read("row,licence,miner,subtype,issued\nlicence,L-1,miner-one,1,2023-06-01\n")

    outcome = send(bare_market(), file)
    assert refused_with(outcome) == "miner_unknown"
    assert file.numbers[outcome.line] == 2


cells = st.sampled_from(
    ["row", "coin", "scale", "from", "BTC", "8", "", " ", '"', "\u0301", "2024-01-01T00:00Z", f"iin:{IIN}"]
)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(cells, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps({"rows": [value]}).encode())
    | st.lists(st.lists(cells, max_size=4).map(",".join), max_size=4).map("\n".join).map(str.encode)
)
def test_whatever_the_file_holds_it_is_read_or_its_faults_are_named(data: bytes) -> None:
    try:
        file = read_register(data, Openings())
    except TableFaulty as error:
        said = [fault.reason for fault in error.faults]
    else:
        said = [row.__class__.__name__ for row in file.body.rows]
    assert said
    assert all(said)
