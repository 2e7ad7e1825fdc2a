import pytest

from proxy.config.files import config_file
from proxy.config.warnings import warnings
from tests.fakes.config_kinds import DESIGN, POLICIES, made


def warned(text):
    return warnings(made(f"version: 1\n{text}"), POLICIES)


@pytest.mark.parametrize("text", [DESIGN, config_file("default.yaml").read_text()])
def test_good_files_leave_no_doubt(text):
    assert warnings(made(text), POLICIES) == []


def test_a_backend_that_cannot_be_reached_as_it_stands():
    clients = 'clients: [{name: a, key: "${TEAM_A_KEY}"}]'
    backends = 'backends:\n  a: {use: http, base_url: "http://h/"}\n  b: {use: openai}'
    assert warned(f"{clients}\n{backends}") == [
        "f.yaml:4:18: backends.a.base_url: has no path, so requests go there without /v1",
        "f.yaml:5:3: backends.b: has no api_key, and the clients' keys are not passed on",
    ]
    assert warned("backends: {b: {use: openai}}") == []


def test_an_edit_before_a_cache():
    lines = warned("pipelines:\n  default:\n  - {use: compress.lossless}\n  - {use: cache.exact}")
    assert lines == [
        (
            "f.yaml:5:5: pipelines.default[1]: stands after compress.lossless, so it works on the"
            " edited request"
        )
    ]


def test_an_edit_before_originals_are_stored():
    steps = "[{use: compress.lossless}, {use: compress.stash}]"
    assert warned(f"pipelines: {{default: {{effects: [lossless, lossy], steps: {steps}}}}}") == [
        (
            "f.yaml:2:85: pipelines.default.steps[1]: stands after compress.lossless, so it stores"
            " what that has left"
        )
    ]


def test_a_compressor_behind_the_one_that_refers_to_other_messages():
    lines = warned("pipelines: {default: [{use: compress.lossless}, {use: compress.history}]}")
    assert len(lines) == 2
    assert "pipelines.default[1]: stands after compress.lossless, which may refer to" in lines[0]
    assert "its effect is lossy" in lines[1]


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_an_edit_that_is_not_applied_is_no_doubt(mode):
    steps = f"[{{use: compress.lossless, mode: {mode}}}, {{use: cache.exact}}]"
    assert warned(f"pipelines: {{default: {steps}}}") == []


def test_a_choice_among_what_is_in_our_own_notation():
    preset = "preset: aggressive\npipelines"
    steps = "[{use: compress.lossless}, {use: compress.select}]"
    assert warned(f"{preset}: {{default: {steps}}}") == [
        (
            "f.yaml:3:49: pipelines.default[1]: stands after compress.lossless,"
            " whose notation it does not read"
        )
    ]
    steps = "[{use: compress.select}, {use: compress.lossless}]"
    assert warned(f"{preset}: {{default: {steps}}}") == []


def test_the_same_policy_twice():
    lines = warned("pipelines: {default: {steps: [{use: cache.exact}, {use: cache.exact}]}}")
    assert lines == [
        "f.yaml:2:51: pipelines.default.steps[1]: cache.exact stands in this pipeline already"
    ]


@pytest.mark.parametrize(
    ("times", "budget", "deadline"), [("budget: 1s", 1, 0.05), ("deadline: 10ms", 0.04, 0.01)]
)
def test_a_budget_that_the_deadline_cuts_off(times, budget, deadline):
    assert warned(f"pipelines: {{default: [{{use: compress.lossless, {times}}}]}}") == [
        (
            f"f.yaml:2:23: pipelines.default[0]: its budget of {budget} s is not below its"
            f" deadline of {deadline} s, at which a request goes as it came"
        )
    ]
    both = "budget: 1s, deadline: 1100ms"
    assert warned(f"pipelines: {{default: [{{use: compress.lossless, {both}}}]}}") == []


def test_a_pipeline_that_no_route_uses():
    assert warned("pipelines: {spare: []}") == [
        (
            "f.yaml:2:13: pipelines.spare: no route uses this pipeline;"
            " only the header x-penstock-policy leads to it"
        )
    ]
    assert warned("pipelines: {spare: []}\nroutes: [{pipeline: spare}]") == []


def test_a_pipeline_that_is_all_held_out():
    assert warned("pipelines: {default: {holdout: 1, steps: []}}") == [
        "f.yaml:2:23: pipelines.default.holdout: all traffic is held out, so no step ever runs"
    ]


def test_a_step_whose_effect_is_denied():
    steps = "pipelines: {default: [{use: compress.select}]}"
    assert warned(steps) == [
        (
            "f.yaml:2:23: pipelines.default[0]: never applies:"
            " its effect is lossy, the pipeline allows exact, lossless"
        )
    ]
    assert warned(f"preset: aggressive\n{steps}") == []
    assert warned(f"preset: aggressive\n{steps}\nroutes: [{{effects: [exact]}}]") == [
        (
            "f.yaml:3:23: pipelines.default[0]: never applies:"
            " its effect is lossy, which no route to it allows"
        )
    ]


@pytest.mark.parametrize(
    ("first", "second", "reached"),
    [
        ("*", "gpt-4", False),
        ("gpt-4", "gpt-4", False),
        ("gpt-*", "gpt-4*", False),
        ("gpt-?", "gpt-4", False),
        ("gpt-?", "gpt-?", False),
        ("gpt-4", "gpt-*", True),
        ("gpt-?", "gpt-*", True),
        ("*-mini", "gpt-*", True),
        ("gpt-[45]*", "gpt-4*", True),
        ("qwen*", "*", True),
    ],
)
def test_a_route_behind_a_wider_one(first, second, reached):
    lines = warned(f"routes:\n- {{when: {{model: '{first}'}}}}\n- {{when: {{model: '{second}'}}}}")
    doubt = ["f.yaml:4:3: routes[1]: is never reached: routes[0] takes all of it"]
    assert lines == ([] if reached else doubt)


def test_a_route_for_another_endpoint_is_reached():
    assert warned("routes: [{when: {endpoint: embeddings}}, {when: {model: 'a*'}}, {}]") == []
