from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.usage import Usage
from proxy.errors import ConfigError
from proxy.prices import UNKNOWN, Price, Prices, Rates, shipped

counts = st.integers(0, 10_000_000)
factors = st.floats(0, 100, allow_nan=False)
usages = st.builds(Usage, counts, counts, counts, counts)
prices = st.builds(
    Price,
    rates=st.builds(Rates, factors, factors),
    read=factors,
    write=factors,
    longer_than=st.none() | counts,
    long_rates=st.builds(Rates, factors, factors),
)
TODAY = dt.date(2026, 11, 20)


@pytest.fixture(scope="module")
def table() -> Prices:
    return Prices.load(today=TODAY)


@given(prices, usages)
def test_the_parts_sum_to_the_whole(price, usage):
    assert price.cost(usage) == pytest.approx(sum(price.cost_parts(usage)))


@given(prices, usages)
def test_an_average_input_token_times_all_of_them_is_the_input_part(price, usage):
    spent = sum(price.cost_parts(usage)[:3])
    assert price.input_token(usage) * usage.input == pytest.approx(spent)


@given(usages)
def test_an_unknown_price_costs_nothing_known(usage):
    assert UNKNOWN.cost(usage) is None
    assert UNKNOWN.cost_parts(usage) is None
    assert UNKNOWN.input_token(usage) is None


def test_a_worked_example(table):
    # Claude Opus 4.5: 5 and 25 USD per million, reads a tenth, 5-minute writes 1.25.
    usage = Usage(uncached=1000, read=10_000, write=4000, output=500)
    parts = table.of("claude-opus-4-5-20251101").cost_parts(usage)
    assert parts == pytest.approx((0.005, 0.005, 0.025, 0.0125))


def test_a_long_prompt_pays_the_long_rates_throughout_and_cached_tokens_make_it_long(table):
    haiku = table.of("claude-haiku-5-5")
    assert haiku.cost(Usage(uncached=100_000)) == pytest.approx(0.01)
    assert haiku.cost(Usage(uncached=100_001)) == pytest.approx(0.0500005)
    assert haiku.cost(Usage(uncached=1, read=100_000)) == pytest.approx(0.1 * 0.05 + 0.5e-6)


@pytest.mark.parametrize(
    ("model", "rates", "rule"),
    [
        ("gpt-4o-2024-11-20", (2.5, 10), "openai_steps"),
        ("openai/gpt-5", (1.25, 10), "openai_steps"),
        ("openrouter/openai/gpt-5", (1.25, 10), "openai_steps"),
        ("GPT-4o-Mini", (0.15, 0.6), "openai_steps"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc123", (0.3, 1.2), "openai_steps"),
        ("gpt-6.1-sol", (2, 10), "openai_breakpoints"),
        ("gpt-5.6-sol", (4, 20), "openai_breakpoints"),
        ("claude-opus-4-5-20251101", (5, 25), "anthropic_marks"),
        ("anthropic/claude-opus-4.5", (5, 25), "anthropic_marks"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", (5, 25), "anthropic_marks"),
        ("claude-opus-4-5@20251101", (5, 25), "anthropic_marks"),
        ("claude-opus-5", (5, 25), "anthropic_marks"),
        ("claude-opus-5-20260724", (5, 25), "anthropic_marks"),
        ("claude-opus-5-5", (4, 20), "anthropic_marks"),
        ("claude-opus-4-20250514", (15, 75), "anthropic_marks"),
        ("claude-opus-4-1-20250805", (15, 75), "anthropic_marks"),
        ("claude-sonnet-4-20250514", (3, 15), "anthropic_marks"),
        ("claude-fable-5-1", (10, 50), "anthropic_marks"),
        ("gemini-2.5-flash", (0.3, 2.5), "gemini_implicit"),
        ("deepseek-v4-pro", (0.66, 1.98), "deepseek_units"),
        ("vllm/qwen3", (0, 0), "vllm_blocks"),
        ("simulated", (0, 0), "none"),
    ],
)
def test_names_as_they_come_find_their_price(table, model, rates, rule):
    price = table.of(model)
    assert (price.rates, price.rule) == (Rates(*map(float, rates)), rule)
    assert table.of(model) is price


@pytest.mark.parametrize(
    ("model", "read", "write", "minimum"),
    [
        ("gpt-5.5", 0.10, 1.0, 1024),
        ("gpt-4.1", 0.25, 1.0, 1024),
        ("gpt-6.1-terra", 0.05, 1.25, 1024),
        ("claude-fable-5-1", 0.025, 1.25, 512),
        ("claude-fable-5", 0.10, 1.25, 512),
        ("claude-sonnet-5-5", 0.05, 1.25, 512),
        ("claude-opus-4-7", 0.10, 1.25, 2048),
        ("claude-haiku-4-5-20251001", 0.10, 1.25, 4096),
        ("gemini-2.5-pro", 0.10, 1.0, 2048),
    ],
)
def test_cache_terms_are_those_of_the_reference(table, model, read, write, minimum):
    price = table.of(model)
    assert (price.read, price.write, price.minimum) == (read, write, minimum)


def test_every_lifetime_has_its_write_price(table):
    assert table.of("claude-opus-5-5").writes == {300.0: 1.25, 3600.0: 2.0}
    assert table.of("gpt-6-sol").writes == {1800.0: 1.25, 43_200.0: 2.5}
    assert table.of("gpt-6-sol").lifetime == 1800.0
    assert table.of("gpt-4o").writes == {}


@pytest.mark.parametrize(
    "model", ["gpt-6.1-luna", "gpt-5-search-api", "claude-next", "gemini-5", "ft:o4-mini:x"]
)
def test_an_unpriced_variant_keeps_its_family_rule_and_invents_no_price(table, model):
    assert table.of(model).rates is None
    assert table.of(model).rule != "none"


OF_OTHER_TOKENS = """
gpt-4o-audio-preview gpt-4o-audio-preview-2025-06-03 gpt-4o-mini-audio-preview
gpt-4o-mini-audio-preview-2024-12-17 gpt-4o-realtime-preview gpt-4o-realtime-preview-2025-06-03
gpt-4o-mini-realtime-preview gpt-4o-mini-realtime-preview-2024-12-17 gpt-4o-transcribe
gpt-4o-transcribe-diarize gpt-4o-mini-transcribe gpt-4o-mini-transcribe-2025-12-15 gpt-4o-mini-tts
gpt-4o-mini-tts-2025-12-15 gpt-realtime gpt-realtime-2025-08-28 gpt-realtime-mini gpt-audio
gpt-audio-mini gpt-audio-2025-08-28 gpt-image-1 gpt-image-1-mini gpt-image-1.5
chatgpt-image-latest openai/gpt-5-image openai/gpt-5-image-mini openai/gpt-4o-audio-preview
gpt-5-audio gpt-6-realtime gpt-6-audio gpt-6-sol-audio gpt-6.1-image gpt-5.6-realtime
dall-e-2 dall-e-3 tts-1 tts-1-hd whisper-1 sora-2 sora-2-pro omni-moderation-latest
gemini-2.5-flash-image gemini-2.5-flash-image-preview google/gemini-2.5-flash-image
gemini-2.0-flash-preview-image-generation gemini-3-pro-image-preview gemini-2.5-flash-preview-tts
gemini-2.5-pro-preview-tts gemini-live-2.5-flash-preview gemini-2.0-flash-live-001
gemini-2.5-flash-native-audio-latest gemini-2.5-flash-native-audio-preview-12-2025
gemini-2.5-flash-preview-native-audio-dialog gemini-2.5-flash-exp-native-audio-thinking-dialog
gemini-embedding-exp-03-07 grok-2-image grok-2-image-1212 grok-imagine-image grok-imagine-video
"""
OF_TEXT = """
gpt-6.1-sol gpt-6.1-terra gpt-6-astra gpt-6-sol gpt-6-luna gpt-5.6 gpt-5.6-sol gpt-5.6-terra
gpt-5.6-luna gpt-5.5 gpt-5.5-pro gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.4-pro gpt-5.3-codex gpt-5.2
gpt-5.2-2025-12-11 gpt-5.2-chat-latest gpt-5.2-codex gpt-5.2-pro gpt-5.1 gpt-5.1-2025-11-13
gpt-5.1-chat-latest gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5 gpt-5-2025-08-07
gpt-5-chat-latest gpt-5-codex gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-nano-2025-08-07
gpt-5-pro gpt-5-pro-2025-10-06 gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-nano gpt-4o
gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18
chatgpt-4o-latest gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4 gpt-4-0613 gpt-3.5-turbo
gpt-3.5-turbo-0125 gpt-3.5-turbo-instruct o1 o1-2024-12-17 o1-preview o1-mini o1-pro o3
o3-2025-04-16 o3-mini o3-pro o4-mini o4-mini-2025-04-16 text-embedding-3-small
text-embedding-3-large text-embedding-ada-002 ft:gpt-4o-2024-08-06:acme::x
ft:gpt-4.1:acme:my-image-bot:x
gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-flash-preview-09-2025
gemini-2.5-flash-lite-preview-09-2025 gemini-2.5-pro-preview-06-05 gemini-3-pro-preview
gemini-3-flash-preview gemini-embedding-001 grok-4.7 grok-4.3 grok-4-fast-reasoning
claude-haiku-4-5 claude-sonnet-4-5-20250929 claude-3-5-haiku-20241022 deepseek-v4-pro
"""


@pytest.mark.parametrize("model", OF_OTHER_TOKENS.split())
def test_sound_and_pictures_have_neither_the_price_nor_the_cache_of_text(table, model):
    assert (table.of(model).rates, table.of(model).rule) == (None, "none")


@pytest.mark.parametrize("model", OF_TEXT.split())
def test_models_of_text_keep_theirs(table, model):
    assert table.of(model).rates is not None


@pytest.mark.parametrize(
    "model", ["", "/", "qwen3", "openai/gpt-oss-120b", "x" * 100_000, "\ud800"]
)
def test_a_model_that_nobody_knows_is_unknown(table, model):
    assert table.of(model) is UNKNOWN


def test_a_price_ends_on_its_day():
    before, after = (
        Prices.load(today=day) for day in (dt.date(2026, 11, 30), dt.date(2026, 12, 1))
    )
    assert before.of("gemini-4-argon").rates == Rates(2.0, 10.0)
    assert after.of("gemini-4-argon").rates == Rates(4.0, 20.0)


def test_names_from_clients_are_not_remembered_without_bound(table):
    for number in range(5000):
        table.of(f"nobody-{number}")
    assert len(table._known) <= 1024


def own(tmp_path, text):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return path


def test_a_users_file_goes_first(tmp_path):
    path = own(
        tmp_path,
        """
rules: {vllm_blocks: {minimum: 32, granularity: 32}}
prices:
  - {match: ["GPT-4o", "qwen*"], rule: vllm_blocks, input: 1, output: 2,
     source: us, date: 2026-01-02}
""",
    )
    table = Prices.load(path)
    assert table.of("gpt-4o").rates == Rates(1.0, 2.0)
    assert table.of("qwen3").granularity == 32
    assert table.of("qwen3").date == "2026-01-02"
    assert table.of("gpt-4o-mini").rates == Rates(0.15, 0.6)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_first_pattern_wins_whichever_part_of_the_name_it_matches(tmp_path, reverse):
    entries = [
        f"  - {{match: [{match}], rule: none, input: {usd}, output: 0,\n"
        "     source: s, date: 2026-01-01}\n"
        for match, usd in (("host/*", 1), ("some-model", 2))
    ]
    table = Prices.load(own(tmp_path, "prices:\n" + "".join(entries[:: -1 if reverse else 1])))
    assert table.of("host/some-model").rates.input == (2 if reverse else 1)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (
            "prices:\n  - {match: [a], rule: none, input: 1, source: s, date: 2026-01-01}",
            "2:5",
            "together",
        ),
        (
            "prices:\n  - match: [a]\n    rule: noen\n    source: s\n    date: 2026-01-01",
            "3:11",
            "openai_steps",
        ),
        ("prices:\n  - {match: [a], rule: none, date: 2026-01-01}", "2:5", "required"),
        ("prices:\n  - {match: [a], rule: none, source: s, date: soon}", "2:47", "soon"),
        ("prices:\n  - {match: [], rule: none, source: s, date: 2026-01-01}", "2:13", "at least 1"),
        ("rules:\n  none: {lifetime: -5}", "2:20", "greater than or equal to 0"),
        ("rules:\n  none: {write: {5m: -1}}", "2:22", "greater than or equal to 0"),
        ("rules:\n  none: {write: {soon: 1}}", "2:17", "not a quantity"),
        ("prices: []\nprices: []", "2:1", "again"),
        ("prices: [", "1:10", "not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path, text, place, words):
    path = own(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Prices.load(path)
    assert any(
        line.startswith(f"{path}:{place}") and words in line for line in caught.value.problems
    ), caught.value.problems


def test_all_errors_come_at_once_and_a_missing_file_is_one(tmp_path):
    bad = own(tmp_path, "prices:\n  - {match: [a]}\n  - 5\n")
    with pytest.raises(ConfigError) as caught:
        Prices.load(bad, tmp_path / "nowhere.yaml")
    assert len(caught.value.problems) >= 4
    assert "nowhere.yaml: cannot be read" in caught.value.problems[-1]


def test_every_shipped_entry_says_where_it_is_from(table):
    assert shipped().name == "prices.yaml"
    for pattern, price in table._entries:
        assert price.source, pattern
        assert dt.date.fromisoformat(price.date) <= TODAY, pattern


def test_every_shipped_entry_can_be_reached(table):
    hidden = [
        pattern
        for pattern, price in table._entries
        if "[" not in pattern and table.of(pattern.replace("*", "")) is not price
    ]
    assert [name for name in hidden if not name.endswith("*")] == []


@pytest.mark.parametrize(
    "model", ["gpt-6-realtime", "gpt-6-audio-preview", "gpt-5-realtime-mini", "gpt-6-image"]
)
def test_models_of_other_endpoints_are_not_taken_for_chat_models(model):
    assert Prices.load().of(model).rule == "none"
