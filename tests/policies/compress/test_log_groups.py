from policies.compress.log_groups import GAP, groups


def split(*lines):
    return [line.split(" ") for line in lines]


def test_lines_of_one_form_are_a_group_with_gaps_where_words_are_rare():
    words = split(*(f"status installed lib{n}x:amd64 {n}.1-2" for n in range(20)))
    assert groups(words) == [(("status", "installed", f"{GAP}:{GAP}", GAP), list(range(20)))]


def test_forms_part_by_their_frequent_words():
    words = split(*(f"{('open', 'close')[n % 2]} file{n}" for n in range(20)))
    assert [lines for _, lines in groups(words)] == [[*range(0, 20, 2)], [*range(1, 20, 2)]]


def test_a_second_round_gathers_what_the_first_leaves_over():
    names = "abcdefghijklmnop"
    lines = [f"{names[n % 16]} {names[n // 4]} {names[n * 5 % 16]} done" for n in range(64)]
    found = groups(split(*lines, *["another form of line"] * 400))
    assert sum(len(lines) for _, lines in found) == 464
    assert len(found) == 2


def test_lines_that_are_alone_are_in_no_group():
    assert groups(split("one thing", "and another one", "", "")) == []


def test_a_number_before_a_name_is_a_piece_of_its_own():
    words = split(*(f"unpack {n}-lib{n}_1.{n}_all.deb" for n in range(9)))
    assert groups(words)[0].form == ("unpack", GAP + GAP)
