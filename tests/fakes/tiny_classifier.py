"""A token classifier that llmlingua can load, tiny and with random weights, made offline.

    python tests/fakes/tiny_classifier.py FOLDER [bert|xlm-roberta]

Its vocabulary: single letters and digits, signs, and the words of `prose_words`. Needs the extra
`llmlingua`.
"""

import math
import string
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from policies.compress.prose_words import COUNTS, LANGUAGES

CHARACTERS = [*string.ascii_letters, *string.digits, *string.punctuation]
WORDS = sorted({word for it in LANGUAGES for word in it.grammar | it.firm} | COUNTS)
BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}


def bert():
    pieces = [*BERT.values(), *CHARACTERS, *("##" + c for c in CHARACTERS), *WORDS]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=BERT["unk"]))
    made.normalizer = normalizers.BertNormalizer(lowercase=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    return made, BERT


def roberta():
    pieces = [(piece, 0.0) for piece in ROBERTA.values()] + [("▁", -8.0)]
    pieces += [(c, -12.0) for c in CHARACTERS]
    pieces += [("▁" + word, math.log(1 / len(WORDS))) for word in WORDS]
    made = Tokenizer(models.Unigram(pieces, unk_id=list(ROBERTA).index("unk")))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    return made, ROBERTA


def tokenizer(made, special):
    made.add_special_tokens(list(special.values()))
    first, last = special["cls"], special["sep"]
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(token, made.token_to_id(token)) for token in (first, last)],
    )
    named = {f"{name}_token": token for name, token in special.items()}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=512, **named)


def make(folder, kind="bert", seed=0):
    """Write the model into `folder`: always the same for the same seed."""
    words = tokenizer(*(bert() if kind == "bert" else roberta()))
    torch.manual_seed(seed)
    shape = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "num_labels": 2,
        "pad_token_id": words.pad_token_id,
        "initializer_range": 0.5,
    }
    if kind == "bert":
        model = BertForTokenClassification(BertConfig(max_position_embeddings=512, **shape))
    else:
        more = {"type_vocab_size": 1, "bos_token_id": 0, "eos_token_id": 2}
        config = XLMRobertaConfig(max_position_embeddings=514, **more, **shape)
        model = XLMRobertaForTokenClassification(config)
    model.eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), *sys.argv[2:]))
