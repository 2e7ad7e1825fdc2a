import pytest

from policies.base.call import Effect
from proxy.errors import UnknownModel
from proxy.routes import Route, Router


def route(model="*", endpoint="*", backend="a"):
    return Route(f"{model}{endpoint}", model, endpoint, (backend,), "default", frozenset(Effect))


def test_the_first_route_that_matches_wins():
    router = Router([route("qwen*", backend="local"), route("*", backend="cloud")])
    assert router.find("qwen-7b", "chat/completions").backends == ("local",)
    assert router.find("gpt-6", "chat/completions").backends == ("cloud",)
    assert router.find("", "files").backends == ("cloud",)


def test_endpoints_match_too():
    router = Router([route(endpoint="messages*", backend="anthropic"), route()])
    assert router.find("m", "messages/count_tokens").backends == ("anthropic",)
    assert router.find("m", "chat/completions").backends == ("a",)


def test_globs_are_case_sensitive_and_do_not_reach_beyond_the_name():
    router = Router([route("gpt-?"), route("[ab]1", backend="b")])
    assert router.find("gpt-6", "x").backends == ("a",)
    assert router.find("b1", "x").backends == ("b",)
    for model in ("GPT-6", "gpt-66", "xgpt-6", "c1"):
        with pytest.raises(UnknownModel) as refused:
            router.find(model, "x")
        assert refused.value.param == "model"
        assert model in refused.value.message


def test_memory_of_models_is_bounded():
    router = Router([route()])
    for number in range(10_000):
        router.find(f"m{number}", "x")
    assert len(router._known) <= 4096
