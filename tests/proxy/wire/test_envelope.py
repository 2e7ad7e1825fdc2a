import json

import pytest

from policies.base.body import Body
from policies.base.call import Dialect
from proxy.errors import BadRequest
from proxy.wire.envelope import read

READ = [dialect for dialect in Dialect if dialect is not Dialect.OPAQUE]


def body(**fields):
    return Body(json.dumps({"model": "m"} | fields).encode())


@pytest.mark.parametrize("dialect", READ)
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("model", 1),
        ("stream", "yes"),
        ("temperature", "hot"),
        ("temperature", True),
        ("seed", 1.5),
        ("n", "3"),
        ("best_of", "3"),
        ("stream_options", "y"),
    ],
)
def test_a_wrong_type_is_refused_by_name(dialect, field, wrong):
    with pytest.raises(BadRequest) as refused:
        read(dialect, body(**{field: wrong}))
    assert refused.value.param == field


@pytest.mark.parametrize("dialect", READ)
def test_fields_that_are_not_read_may_be_anything(dialect):
    assert read(dialect, body(unknown=[{}], stream=True, seed=None)) == ("m", True)


def test_a_model_left_out_is_the_upstreams_business():
    assert read(Dialect.CHAT, Body(b"{}")) == ("", False)


def test_a_name_without_end_is_refused():
    with pytest.raises(BadRequest) as refused:
        read(Dialect.CHAT, body(model="m" * 257))
    assert refused.value.param == "model"


def test_many_keys_of_which_the_last_stands_twice_are_read_once():
    pairs = ",".join(f'"k{n}":1' for n in range(200_000))
    with pytest.raises(BadRequest) as refused:
        read(Dialect.CHAT, Body(f'{{{pairs},"k199999":2}}'.encode()))
    assert refused.value.param == "k199999"


def test_an_integer_of_any_length_is_one():
    body = Body(b'{"model":"m","seed":-%b}' % (b"9" * 10_000))
    assert read(Dialect.CHAT, body).model == "m"
