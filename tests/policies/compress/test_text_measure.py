from policies.compress.text_measure import tokens


def test_short_texts_are_counted_whole():
    asked = []

    def count(text):
        asked.append(text)
        return len(text) // 4

    text = "abcd" * 1024
    assert tokens(text, count) == 1024
    assert asked == [text]


def test_long_texts_are_counted_by_samples_of_all_their_parts():
    asked = []

    def count(text):
        asked.append(text)
        return len(text) // 4

    text = "".join(f"{number:09}\n" for number in range(100_000))
    assert abs(tokens(text, count) - 250_000) < 100
    assert sum(map(len, asked)) == 4096
    assert text.startswith(asked[0])
    assert text.endswith(asked[-1][:-8]) or asked[-1] in text[-5000:]
