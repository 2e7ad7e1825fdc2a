from policies.compress.json_exact import exact
from policies.compress.json_reader import read
from policies.compress.json_writer import Writer


def table(document):
    """What the writer makes of JSON text, once the reader has undone it."""
    found = exact(document)
    text = Writer(lambda text: text.count(":")).write(found.doc)
    assert read(text) == found.plain
    return text


def test_nested_objects_are_columns_too():
    rows = '[{"id":1,"owner":{"login":"ann","id":9}},{"id":2,"owner":{"login":"ben","id":8}}]'
    assert table(rows) == "[2]{id owner{login id}}\n1 ann 9\n2 ben 8"


def test_nested_arrays_stand_in_the_cell():
    rows = '[{"id":1,"tags":[{"n":"x","c":1},{"n":"y","c":2}]},{"id":2,"tags":[]}]'
    assert table(rows) == "[2]{id tags[{n c}]}\n1 [x 1,y 2]\n2 []"


def test_arrays_of_arrays_of_objects_share_one_head():
    assert table('[[{"a":1,"b":5},{"a":2,"b":5}],[{"a":3,"b":5}]]') == "[2][{a b=5}]\n[1,2]\n[3]"


def test_a_column_of_one_value_stands_in_the_head():
    rows = '[{"a":1,"b":null,"c":"","d":[1,"x y"]},{"a":2,"b":null,"c":"","d":[1,"x y"]}]'
    assert table(rows) == '[2]{a b=null c="" d=[1 "x y"]}\n1\n2'


def test_true_one_and_one_point_zero_are_not_one_value():
    assert table('[{"a":1,"b":0},{"a":true,"b":0},{"a":1.0,"b":0}]') == "[3]{a b=0}\n1\ntrue\n1.0"


def test_rows_may_lack_members():
    rows = '[{"a":1,"b":2,"c":3},{"a":4,"c":"-"},{"a":5,"b":6,"c":7}]'
    assert table(rows) == '[3]{a b c}\n1 2 3\n4 - "-"\n5 6 7'


def test_members_in_another_order_make_no_table():
    assert table('[{"a":1,"b":2},{"b":3,"a":4}]') == "[{a:1 b:2} {b:3 a:4}]"


def test_addresses_that_follow_from_other_columns_become_patterns():
    rows = ",".join(
        f'{{"login":"{name}","id":{number},"url":"https://a.example/{name}",'
        f'"keys":"https://a.example/{name}/keys{{/id}}","n":"https://a.example/{name}/{number}"}}'
        for number, name in [(301, "ann"), (402, "ben"), (503, "eve")]
    )
    assert table(f"[{rows}]") == (
        "[3]{login id url~https://a.example/<login> keys~<url>/keys{/id} n~<url>/<id>}\n"
        "ann 301\nben 402\neve 503"
    )


def test_a_pattern_may_leave_a_piece_to_each_row():
    rows = (
        '[{"name":"one","repo":"ann/one","at":"2026-07-01T10:00:00Z"},'
        '{"name":"two","repo":"ben/two","at":"2026-07-02T11:00:00Z"},'
        '{"name":"six","repo":"eve/six","at":"2026-07-03T12:00:00Z"}]'
    )
    assert table(rows) == (
        "[3]{name repo~*/<name> at~2026-07-*:00:00Z}\none ann 01T10\ntwo ben 02T11\nsix eve 03T12"
    )


def test_a_patterned_column_tells_null_from_the_text_null():
    rows = ",".join(
        f'{{"a":"https://a.example/{piece}","b":{n}}}' for n, piece in enumerate(["1", "null", "-"])
    )
    text = table(f'[{rows},{{"a":null,"b":7}}]')
    assert text == '[4]{a~https://a.example/* b}\n1 0\n"null" 1\n"-" 2\nnull 7'


def test_short_identifiers_and_dates_stay_whole():
    rows = ",".join(
        f'{{"flight":"HAT{n}","day":"2024-05-{n}","seat":"passenger_seat_number_{n}"}}'
        for n in (10, 11, 12, 13)
    )
    assert "\nHAT12 2024-05-12 passenger_seat_number_12\n" in table(f"[{rows}]")


def test_names_and_percent_signs_are_not_taken_for_forms():
    rows = '[{"%s":"%d","a b":"50%"},{"%s":"x","a b":"60%"}]'
    assert table(rows) == '[2]{%s "a b"}\n%d 50%\nx 60%'
    rows = ",".join(f'{{"a":"https://a.example/%s/{n}","b":{n}}}' for n in range(4))
    assert table(f"[{rows}]") == "[4]{a~https://a.example/%s/* b}\n0 0\n1 1\n2 2\n3 3"
