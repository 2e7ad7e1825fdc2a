"""What could just be read may be too deep for the next to look at, whose stack is higher."""

from backends import Scripted, call

from policies.base.fingerprint import fingerprint
from proxy.backends.wrap.coalesce import Coalesce


def higher(frames, work):
    return work() if not frames else higher(frames - 1, work)


def test_options_that_are_too_deep_are_not_shared():
    backend = Coalesce(Scripted(), sampled=False, limit=1000)
    keys = []
    for depth in range(700, 990):
        nested = 1
        for _ in range(depth):
            nested = [nested]
        try:
            it = call({"stream_options": {"a": nested}})
        except RecursionError:  # the test's own JSON encoder
            break
        if fingerprint(it) is not None:
            keys.append(higher(60, lambda it=it: backend._key(it)))
    assert keys[0] is not None
    assert keys[-1] is None
