import pytest
from pydantic import ValidationError

from proxy.backends.http import Http


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x y", "a"),
        ("", "a"),
        ("x\n", "a"),
        ("x-a", "a\r\nx-b: c"),
        ("x-a", "\0"),
        ("Host", "h"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
    ],
)
def test_a_header_that_could_not_be_sent_is_an_error_of_configuration(name, value):
    with pytest.raises(ValidationError) as found:
        Http.Settings(base_url="http://h/v1", headers={name: value})
    assert found.value.errors()[0]["loc"] == ("headers",)


def test_headers_are_sent_as_they_stand():
    headers = {"X-Team": "a\u00e9 b", "authorization": "Basic eA=="}
    assert Http.Settings(base_url="http://h/v1", headers=headers).headers == headers
