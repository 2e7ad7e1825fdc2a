"""What goes wrong in llmlingua 0.2.2, on a tiny model, and does not here.

By its numbers in the package's issues where it has one. `scripts/test-llmlingua` runs these.
"""

import importlib
import inspect
import json
import os
import random

import pytest

from policies.compress.lingua_child import Child, Gone, command
from policies.compress.lingua_classifier import Classifier
from policies.compress.lingua_install import folder
from policies.compress.lingua_model import Model
from policies.compress.lingua_pipe import Shown, Start
from policies.compress.prose_cut import cut, joined

pytestmark = [
    pytest.mark.llmlingua,
    pytest.mark.filterwarnings("default"),  # of the package and of torch
]
KINDS = ("bert", "xlm-roberta")
SENTENCE = (
    "On day {0} the committee met in the afternoon and discussed the v{0}beta report that the "
    "members had received earlier in the week, but it was not approved by any of them. "
)


def prose(sentences):
    return "".join(map(SENTENCE.format, range(sentences)))


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Models in folders of which the name says nothing."""
    make = importlib.import_module("tiny_classifier").make
    root = tmp_path_factory.mktemp("models")
    return {kind: make(root / kind[:1], kind) for kind in KINDS}


@pytest.fixture(scope="session", params=KINDS)
def model(request, folders):
    return Model(Start(str(folders[request.param]), "cpu", 0.5, 8))


@pytest.fixture
def child():
    """A process with the model in a folder."""
    made = []

    def make(folder, device="cpu"):
        made.append(Child(command(Start(str(folder), device, 0.5, 8))))
        return made[-1]

    yield make
    for one in made:
        one.release()


def judged(model, *texts):
    made = list(map(cut, texts))
    verdicts = model.verdicts([Shown(each.words, each.must) for each in made])
    triples = zip(texts, made, verdicts, strict=True)
    return [joined(text, each, verdict) for text, each, verdict in triples]


def share(text):
    """Of the words that may go, those that are left."""
    made = cut(text)
    return made, lambda short: 1 - short.left_out / made.free


def test_a_model_may_be_in_a_folder_of_any_name(model):
    """The package looks for the family in the path, and raises."""
    assert judged(model, prose(30))[0].left_out > 100


def test_a_hub_id_is_found_in_the_cache_and_nowhere_else(folders, tmp_path, monkeypatch):
    snapshot = tmp_path / "models--some--model" / "snapshots" / "1"
    (snapshot.parent.parent / "refs").mkdir(parents=True)
    (snapshot.parent.parent / "refs" / "main").write_text("1")
    snapshot.parent.mkdir()
    snapshot.symlink_to(folders["bert"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert folder("some/model").resolve() == folders["bert"]
    with pytest.raises(RuntimeError, match="run: hf download some/other"):
        folder("some/other")


def test_code_of_the_model_does_not_run(folders, tmp_path):
    """`trust_remote_code` is on by default in the package."""
    evil = tmp_path / "evil"
    evil.mkdir()
    for path in folders["bert"].iterdir():
        (evil / path.name).write_bytes(path.read_bytes())
    config = json.loads((evil / "config.json").read_text())
    names = ("AutoConfig", "AutoModelForTokenClassification")
    config["auto_map"] = {name: f"evil.{name}" for name in names}
    (evil / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (evil / "evil.py").write_text(f"open({str(ran)!r}, 'w')\n")
    made = Model(Start(str(evil), "cpu", 0.5, 8))
    assert judged(made, prose(30))[0].left_out > 100
    assert not ran.exists()


def test_the_package_s_default_arguments_stay_empty(model):
    """It writes to them."""
    compressor = importlib.import_module("llmlingua").PromptCompressor
    parameters = inspect.signature(compressor.__init__).parameters
    assert parameters["model_config"].default == parameters["llmlingua2_config"].default == {}


def test_random_numbers_of_this_process_are_its_own(folders, child):
    """The package seeds all generators and the hashes of later processes."""
    random.seed(7)
    state, seed = random.getstate(), os.environ.get("PYTHONHASHSEED")
    one = child(folders["bert"], "auto")
    assert one.ready(300)
    made = cut(prose(30))
    (verdict,) = one.judge([Shown(made.words, made.must)], 300)
    assert verdict.count(0) > 100
    assert random.getstate() == state
    assert os.environ.get("PYTHONHASHSEED") == seed


def test_no_vocabulary_is_fetched(folders, child, tmp_path, monkeypatch):
    """The package has tiktoken fetch one, which fails offline."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path))
    one = child(folders["bert"])
    assert one.ready(300) == "cpu"
    assert list(tmp_path.iterdir()) == []


def test_what_must_stay_stays_whatever_the_model_says(model):
    """#114: spans that are to be left alone are not."""
    short = judged(model, prose(30))[0].text
    for number in range(30):
        assert f"day {number} " in short
    assert short.count(" not approved ") == short.count(" and ") == short.count(" but ") == 30
    assert short.count("any of them. ") + short.count("any them. ") == 30


def test_words_with_a_digit_stay_whole(model):
    """`force_reserve_digit` counts pieces, and drops words by their mean."""
    short = judged(model, prose(30))[0].text
    assert [f"v{n}beta" for n in range(30)] == [w for w in short.split() if w.endswith("beta")]


def test_repeated_words_that_must_stay_all_stay(model):
    """`drop_consecutive` leaves one of them."""
    text = prose(15) + "the answer was no no no and never never 7 7 7 in the end. " + prose(15)
    assert "no no no and never never 7 7 7" in judged(model, text)[0].text


def test_what_is_left_are_words_of_the_text_in_order(model):
    """#149: half-words are joined."""
    text = prose(60)
    words = iter(text.split())
    assert all(word in words for word in judged(model, text)[0].text.split())


def test_words_that_the_tokenizer_does_not_know_stay(model):
    """The package loses them. Those around them are judged all the same."""
    text = prose(30).replace("committee", "щука").replace("members", "wörd, naïve")
    short = judged(model, text)[0]
    unknown = [word for word in text.split() if not word.isascii()]
    assert [word for word in short.text.split() if not word.isascii()] == unknown
    assert short.left_out > 100


def test_tokens_of_the_tokenizer_in_a_text_are_text(model):
    tokens = "[CLS] [SEP] [PAD] [UNK] <s> </s> <pad> [NEW1] and"
    text = f"{prose(15)}{tokens} that was all. {prose(15)}"
    short = judged(model, text)[0]
    assert tokens in short.text
    assert short.left_out > 100


@pytest.fixture
def calls(model, monkeypatch):
    """What the package is asked: prompts and rate."""
    made = []
    ask = model._compressor.compress_prompt_llmlingua2

    def watched(prompts, *, rate, **named):
        made.append((prompts, rate))
        return ask(prompts, rate=rate, **named)

    monkeypatch.setattr(model._compressor, "compress_prompt_llmlingua2", watched)
    return made


def test_no_prompt_is_longer_than_a_window_or_much_shorter(model, calls):
    judged(model, prose(100))
    tokenize = model._compressor.tokenizer.tokenize
    sizes = [len(tokenize(prompt)) for prompts, _ in calls for prompt in prompts]
    assert len(sizes) > 5
    assert max(sizes) <= 510
    assert min(sizes) > 150


@pytest.mark.parametrize("sentences", [4, 15, 60, 300])
def test_the_rate_is_kept_for_short_and_for_long_texts(model, sentences):
    """#195: missed below 150 and above 5,000 tokens. #210: more than one window."""
    text = prose(sentences)
    made, left = share(text)
    assert made.free > 40
    assert 0.4 <= left(judged(model, text)[0]) < 0.95


def test_a_dense_chunk_is_asked_to_keep_more(model, calls):
    """The package takes the same share of every chunk."""
    dense = "In 2026 Anna Smith paid 45 dollars, never 46, for the use of a Volvo. " * 30
    filler = prose(1).replace("v0beta ", "").replace(" 0", "") * 30
    judged(model, filler)
    usual = min(rate for _, rate in calls)
    calls.clear()
    judged(model, dense)
    assert min(rate for _, rate in calls) > usual + 0.1


def test_the_same_text_has_the_same_verdict_alone_and_among_others(model):
    """Results for a longer text are others, which is why forms are frozen."""
    alone = judged(model, prose(30))[0]
    assert judged(model, prose(30))[0] == alone
    assert alone in judged(model, prose(12), prose(30), prose(50))


def test_texts_without_anything_to_judge(model):
    nothing = [Shown([], b""), Shown(["the"], b"\1"), Shown(["the"], b"\0"), Shown(["ω"], b"\0")]
    assert model.verdicts(nothing)[0] == b""
    assert model.verdicts(nothing)[1] == b"\1"
    assert model.verdicts(nothing)[3] == b"\1"
    assert model.verdicts([]) == []


def test_a_model_of_another_kind_is_refused(folders, child, tmp_path):
    library = importlib.import_module("transformers")
    config = library.DistilBertConfig(vocab_size=900, dim=32, n_heads=2, n_layers=1, hidden_dim=32)
    library.DistilBertForTokenClassification(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folders["bert"] / name).read_bytes())
    one = child(tmp_path)
    with pytest.raises(Gone, match="distilbert is no LLMLingua-2 model"):
        one.ready(300)


def test_memory_holds_one_batch_at_a_time(model, monkeypatch):
    """#147: however many texts there are, the model reads `batch` chunks at once."""
    sizes = []
    forward = type(model._compressor.model).forward

    def watched(self, *args, input_ids, **named):
        sizes.append(len(input_ids))
        return forward(self, *args, input_ids=input_ids, **named)

    monkeypatch.setattr(type(model._compressor.model), "forward", watched)
    judged(model, *[prose(40)] * 12)
    assert max(sizes) == 8


def test_what_the_package_prints_is_no_answer(folders, child, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Loud:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'llmlingua':\n"
        "            print('noise', flush=True)\n"
        "sys.meta_path.insert(0, Loud())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = child(folders["bert"])
    assert one.ready(300) == "cpu"


def test_the_classifier_with_the_real_process(folders):
    start = Start(str(folders["bert"]), "cpu", 0.5, 8)
    one = Classifier(command(start), 0.0)
    one.start()
    made = cut(prose(30))
    verdict = one.judge(Shown(made.words, made.must))
    one.close()
    assert verdict.count(0) > 100
