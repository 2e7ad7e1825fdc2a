import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.base.call import CacheMode
from proxy.errors import BadRequest
from proxy.wire import headers as wire
from proxy.wire.headers import DEFAULT

token = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(str.encode)


def split(pairs):
    return wire.split(tuple(pairs))


@given(st.lists(st.tuples(token, st.binary(max_size=20))))
def test_what_is_neither_ours_nor_hop_by_hop_passes_in_order(headers):
    plain = [(b"x-a-" + name, value) for name, value in headers]
    head = split(
        (
            *plain,
            (b"connection", b"keep-alive"),
            (b"x-penstock-session", b"s"),
        )
    )
    assert list(head.forward) == plain


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "proxy-authorization",
        "proxy-connection",
        "host",
        "content-length",
        "x-penstock-cache",
        "x-penstock-anything-else",
    ],
)
def test_hop_by_hop_headers_and_ours_are_stripped(name):
    head = split(
        (
            (b"a", b"1"),
            (name.encode(), b"on"),
            (b"b", b"2"),
        )
    )
    assert head.forward == ((b"a", b"1"), (b"b", b"2"))


def test_headers_that_connection_names_are_stripped_too():
    head = split(
        (
            (b"x-hop", b"1"),
            (b"x-end", b"2"),
            (b"connection", b"close, X-Hop"),
        )
    )
    assert head.forward == ((b"x-end", b"2"),)


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key", b"api-key"])
def test_credentials_stand_apart(name):
    head = split(
        (
            (name, b"secret"),
            (b"a", b"1"),
        )
    )
    assert head.credential == ((name, b"secret"),)
    assert head.forward == ((b"a", b"1"),)


def test_without_our_headers_the_controls_are_the_default():
    assert split([(b"accept", b"*/*")]).controls is DEFAULT


@pytest.mark.parametrize(
    ("headers", "mode"),
    [
        ({"x-penstock-cache": "off"}, CacheMode.OFF),
        ({"x-penstock-cache": "refresh"}, CacheMode.REFRESH),
        ({"x-penstock-cache": "on"}, CacheMode.ON),
        ({"cache-control": "no-cache"}, CacheMode.REFRESH),
        ({"cache-control": "no-store"}, CacheMode.READ_ONLY),
        ({"cache-control": "no-cache, no-store"}, CacheMode.OFF),
        ({"cache-control": "only-if-cached"}, CacheMode.ONLY),
        ({"cache-control": "only-if-cached, no-cache"}, CacheMode.ONLY),
        ({"cache-control": "Max-Age=5"}, CacheMode.ON),
        ({"cache-control": "no-store", "x-penstock-cache": "on"}, CacheMode.READ_ONLY),
        ({"cache-control": "no-store", "x-penstock-cache": "refresh"}, CacheMode.OFF),
    ],
)
def test_cache_controls_and_the_stricter_wins(headers, mode):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert split(raw).controls.cache is mode


def test_standard_cache_control_passes_upstream():
    assert split([(b"cache-control", b"no-cache")]).forward == ((b"cache-control", b"no-cache"),)


@pytest.mark.parametrize(
    ("value", "age"),
    [("max-age=60", 60.0), ("max-age=0", 0.0), ("max-age=x", 0.0), ("public", None)],
)
def test_max_age(value, age):
    assert split([(b"cache-control", value.encode())]).controls.max_age == age


def test_all_our_headers_are_read():
    controls = split(
        [
            (b"x-penstock-bypass", b"cache, Prefix"),
            (b"x-penstock-cache-namespace", b"blue"),
            (b"x-penstock-cache-ttl", b"90"),
            (b"x-penstock-policy", b"fast"),
            (b"x-penstock-session", b"s1"),
            (b"x-penstock-max-wait", b"2h"),
            (b"x-penstock-priority", b"low"),
        ]
    ).controls
    assert controls.bypass == {"cache", "prefix"}
    assert (controls.namespace, controls.ttl, controls.pipeline) == ("blue", 90.0, "fast")
    assert (controls.session, controls.max_wait, controls.priority) == ("s1", 7200.0, "low")


@pytest.mark.parametrize(
    ("name", "value"),
    [("cache", "maybe"), ("bypass", "everything"), ("cache-ttl", "soon"), ("max-wait", "-1")],
)
def test_a_value_we_do_not_know_is_named(name, value):
    with pytest.raises(BadRequest) as refused:
        split([(f"x-penstock-{name}".encode(), value.encode())])
    assert refused.value.param == f"x-penstock-{name}"


def test_a_header_that_comes_twice_is_one_list():
    twice = [(b"cache-control", b"no-store"), (b"cache-control", b"max-age=60")]
    controls = split([*twice, (b"x-penstock-bypass", b"cache"), (b"x-penstock-bypass", b"batch")])
    assert controls.controls.cache is CacheMode.READ_ONLY
    assert controls.controls.max_age == 60.0
    assert controls.controls.bypass == {"cache", "batch"}


STEERING = [
    *(b"cache-control", b"x-penstock-cache", b"x-penstock-cache-ttl", b"x-penstock-bypass"),
    *(b"x-penstock-max-wait", b"x-penstock-priority", b"content-encoding", b"connection"),
]


@given(
    st.sampled_from(STEERING),
    st.sampled_from([b"", b"max-age=", b"max-age=5, max-age="]),
    st.text(st.characters(max_codepoint=255)).map(lambda text: text.encode("latin-1")),
)
@example(b"cache-control", b"max-age=", b"\xb2")
def test_any_words_steer_or_are_refused(name, before, value):
    try:
        head = split(((name, before + value),))
    except BadRequest:
        assert name.startswith(b"x-penstock-")
    else:
        assert head.controls.max_age is None or head.controls.max_age >= 0
