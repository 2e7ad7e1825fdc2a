from policies.prefix.volatile_alike import Alike

SCOPE = ("t", "r", "m", "p")
MOVED = ((0, 1, 0), (3, 1, 1))  # "Now:" before the one, "Session" before and "ends" after


def prompt(number, length):
    middle = [f"{number} {line}" for line in range(length)]
    return [f"Now: 12:{number:02}", *middle, f"Session {number}abc ends"]


def known():
    alike = Alike()
    alike.note(SCOPE, prompt(1, 2), MOVED)
    return alike


def test_lines_are_found_as_far_from_the_end_as_before():
    assert known().moved(SCOPE, prompt(2, 2)) == MOVED
    assert known().moved(SCOPE, prompt(3, 9)) == ((0, 1, 0), (10, 1, 1))


def test_all_of_them_must_be_there():
    assert known().moved(SCOPE, prompt(2, 2)[:-1]) == ()
    assert known().moved(SCOPE, ["Now: 12:02", "Obey."]) == ()
    assert known().moved(SCOPE, []) == ()


def test_one_scope_knows_nothing_of_another():
    assert known().moved(("u", "r", "m", "p"), prompt(2, 2)) == ()


def test_what_is_known_by_another_length_takes_no_room():
    alike = known()
    for length in range(3, 30):
        alike.note(SCOPE, prompt(5, length), ((0, 1, 0), (length + 1, 1, 1)))
    assert len(alike._kinds[SCOPE]) == 1
