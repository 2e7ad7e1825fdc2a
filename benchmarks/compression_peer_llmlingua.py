"""llmlingua's `compress_prompt` at rate 0.5: JSON strings in, `[text, seconds]` out, line by line.

Runs where the extra `llmlingua` is installed. The argument is the model's folder. Seconds are by
the clock, since a GPU works beside the process.
"""

import json
import sys
import time
from pathlib import Path

import torch
from llmlingua import PromptCompressor

FAMILIES = {"bert": "bert-base-multilingual-cased", "xlm-roberta": "xlm-roberta-large"}


def main() -> None:
    """One line for each line, after one that is not counted."""
    answers, sys.stdout = sys.stdout, sys.stderr
    compressor = PromptCompressor(
        sys.argv[1],
        device_map="cuda" if torch.cuda.is_available() else "cpu",
        model_config={"trust_remote_code": False},
        use_llmlingua2=True,
    )
    kind = json.loads(Path(sys.argv[1], "config.json").read_text())["model_type"]
    compressor.model_name = FAMILIES[kind]  # it looks for the name in the path
    shorter(compressor, "Only a few words, to be warm.")
    for line in sys.stdin:
        begun = time.perf_counter()
        text = shorter(compressor, json.loads(line))
        print(json.dumps([text, time.perf_counter() - begun]), file=answers, flush=True)


def shorter(compressor: PromptCompressor, text: str) -> str:
    """What is left; all of a text that the package fails on."""
    try:
        made = compressor.compress_prompt([text], rate=0.5, force_tokens=["\n", ".", "?", "!"])
    except (IndexError, ValueError, ZeroDivisionError):
        return text
    return str(made["compressed_prompt"])


if __name__ == "__main__":
    main()
