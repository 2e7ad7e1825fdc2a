from hypothesis import example, given
from hypothesis import strategies as st

from policies.compress.log_groups import GAP, groups, pieces
from policies.compress.log_templates import Template, _pieces, tables

SIGNS = st.sampled_from([":", "::", "/", ":/", "(", ')="', "☃", "-"])
PARTS = st.text("aB1_.+~%@$*é", min_size=1, max_size=4) | st.sampled_from(["12", "1-2"])


def parts(*lines):
    words = [line.split(" ") for line in lines]
    return [table for group in groups(words) for table in tables(group, words)]


def shape(table):
    return table.template.fill([f"<{slot}>" for slot in range(table.template.width)])


def test_what_all_lines_share_is_text():
    (table,) = parts(*(f"built build/lib-{n}a.o in {n}" for n in range(9)))
    assert shape(table) == "built build/lib-<0>.o in <1>" or shape(table).startswith("built build/")
    assert (
        table.template.fill([column[4] for column in table.columns]) == "built build/lib-4a.o in 4"
    )


def test_columns_that_are_equal_are_one_value():
    (table,) = parts(*(f"link {n} to /usr/bin/{n} and {n}.1.gz" for n in "abcdefghi"))
    assert shape(table) == "link <0> to /usr/bin/<0> and <0>.1.gz"
    assert len(table.columns) == 1


def test_a_frequent_value_makes_a_template_of_its_own():
    lines = [f"set p{n * 37}q:{('amd64', 'all')[n % 2]} to {n}" for n in range(60)]
    assert sorted(map(shape, parts(*lines))) == ["set <0>:all to <1>", "set <0>:amd64 to <1>"]


def test_lines_in_which_columns_are_equal_part_from_the_others():
    lines = [f"copy f{n}x f{n if n % 3 else n + 1000}x now" for n in range(60)]
    assert sorted(map(shape, parts(*lines))) == ["copy <0> <0> now", "copy <0> <1> now"]


def test_parts_between_underscores_are_values():
    (table,) = parts(*(f"get {n}-p{n}_{n}.0_all.deb" for n in range(9)))
    assert shape(table) == "get <0>-p<0>_<0>.0_all.deb" or table.template.width >= 2
    assert table.template.fill([column[7] for column in table.columns]) == "get 7-p7_7.0_all.deb"


def test_a_template_is_filled_by_the_numbers_of_its_slots():
    template = Template(("a ", "-", "{", ""), (1, 0, 1))
    assert template.width == 2
    assert template.fill(("x", "y")) == "a y-x{y"


def test_addresses_and_versions_are_not_cut():
    (table,) = parts(*(f"from 10.0.{n}.7 to 1.{n}.0" for n in range(9)))
    assert shape(table) == "from <0> to <1>"


@example(signs=["(", ":", "::", ""], rows=[["a", "b", "c", ""], ["d", "e", "f", ""]])
@given(
    signs=st.lists(SIGNS | st.just(""), min_size=2, max_size=5),
    rows=st.lists(st.lists(PARTS, min_size=4, max_size=4), min_size=1, max_size=4),
)
def test_words_of_one_shape_are_taken_apart_as_one_by_one(signs, rows):
    column = [
        "".join(
            part for pair in zip(signs, [*row[: len(signs) - 1], ""], strict=True) for part in pair
        )
        for row in rows
    ]
    shapes = {pieces(word).sub(GAP, word) for word in column}
    shape = shapes.pop()
    if shapes or GAP not in shape:
        return
    apart = list(zip(*(pieces(word).findall(word) for word in column), strict=True))
    assert list(map(tuple, _pieces(column, shape))) == apart
