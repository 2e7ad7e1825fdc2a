import pytest

from proxy.auth import LOCAL, Clients, is_loopback, secret
from proxy.errors import Unauthorized

NAMED = Clients([("a", "key-a"), ("b", "key-b")], admin_key="root")
OPEN = Clients([], admin_key=None)


def bearer(key):
    return ((b"authorization", b"Bearer " + key.encode()),)


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (bearer("k"), b"k"),
        (((b"authorization", b"bearer  k "),), b"k"),
        (((b"authorization", b"Basic abc"),), b"Basic abc"),
        (((b"x-api-key", b"k"),), b"k"),
        (((b"api-key", b"k"),), b"k"),
        ((), b""),
    ],
)
def test_the_secret_of_a_credential(credential, expected):
    assert secret(credential) == expected


def test_a_key_may_have_letters_of_any_alphabet():
    assert Clients([("a", "schlüssel")], None).tenant(bearer("schlüssel")) == "a"


def test_named_clients_are_known_by_any_credential_header():
    assert NAMED.tenant(bearer("key-a")) == "a"
    assert NAMED.tenant(((b"x-api-key", b"key-b"),)) == "b"


@pytest.mark.parametrize("credential", [bearer("wrong"), bearer(""), (), bearer("key-a2")])
def test_other_keys_are_refused(credential):
    with pytest.raises(Unauthorized):
        NAMED.tenant(credential)


def test_without_clients_every_credential_is_its_own_tenant_and_says_nothing_of_the_key():
    tenants = {OPEN.tenant(bearer(f"secret-{n}")) for n in range(50)}
    assert len(tenants) == 50
    assert not any("secret" in tenant for tenant in tenants)
    assert OPEN.tenant(bearer("secret-1")) == OPEN.tenant(bearer("secret-1"))
    assert OPEN.tenant(()) == LOCAL


def test_all_credentials_that_are_shown_count():
    both = (*bearer("k"), (b"x-api-key", b"other"))
    assert OPEN.tenant(both) != OPEN.tenant(bearer("k"))


def test_admin_pages_are_for_this_machine_or_the_admin_key():
    assert NAMED.admits("127.0.0.1", ())
    assert NAMED.admits("::1", ())
    assert NAMED.admits("::ffff:127.0.0.1", ())
    assert not NAMED.admits("::ffff:10.0.0.1", ())
    assert not NAMED.admits("10.0.0.1", ())
    assert not NAMED.admits("10.0.0.1", bearer("key-a"))
    assert NAMED.admits("10.0.0.1", bearer("root"))
    assert not OPEN.admits("10.0.0.1", bearer(""))
    assert not OPEN.admits(None, ())


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil", False),
    ],
)
def test_loopback(host, local):
    assert is_loopback(host) is local
