"""Killed with SIGKILL while it stores replies: after a restart nothing incomplete is served."""

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.fakes.penstock import running


def body(number):
    """The model's answer depends on the question, and goes by it alone."""
    return {
        "model": "simulated",
        "messages": [{"role": "user", "content": f"Tell me of the number {number}."}],
        "stream": bool(number % 2),
        "stream_options": {"include_usage": True} if number % 2 else None,
    }


def post(client, asked, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/chat/completions", json=asked, headers=named)


def said(reply):
    """What a reply says, with its end; raises for one that is not whole."""
    if not reply.headers["content-type"].startswith("text/event-stream"):
        choice = reply.json()["choices"][0]
        return choice["message"]["content"], choice["finish_reason"], reply.json()["usage"]
    events = [part.removeprefix("data: ") for part in reply.text.strip().split("\n\n")]
    assert events[-1] == "[DONE]"
    text, finish, usage = "", None, None
    for event in map(json.loads, events[:-1]):
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            text += choice["delta"].get("content") or ""
            finish = choice["finish_reason"] or finish
    return text, finish, usage


def check(client, numbers):
    """How many of the questions are answered out of the store; each such answer is the true one."""
    hits = 0
    for number in numbers:
        kept = post(client, body(number), cache_control="only-if-cached")
        if kept.status_code == 504:
            continue
        assert (kept.status_code, kept.headers["x-penstock-cache"]) == (200, "HIT")
        true = post(client, body(number), x_penstock_cache="off")
        assert said(kept)[:2] == said(true)[:2]
        hits += 1
    return hits


def store_until_dead(penstock, asked, many, patience):
    """Ask from several threads, and kill the server in the middle of it; what was asked.

    It dies so many seconds after so many questions: how fast it is does not matter.
    """
    dead = threading.Event()
    sent: list[int] = []

    def load(numbers):
        with httpx2.Client(base_url=penstock.url, trust_env=False, timeout=10) as client:
            for number in numbers:
                if dead.is_set():
                    return
                sent.append(number)
                try:
                    post(client, body(number))
                except httpx2.TransportError:
                    return

    threads = [threading.Thread(target=load, args=(asked[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    while len(sent) < many and any(thread.is_alive() for thread in threads):
        time.sleep(0.001)
    time.sleep(patience)
    penstock.kill()
    dead.set()
    for thread in threads:
        thread.join()
    return sent


def rounds(count, folder, seed):
    """Start, look at what the last round left, store, kill; over one data folder."""
    chance = random.Random(seed)
    text = f"data: {folder}\nbackends: {{a: {{use: simulated}}}}\n"
    hits = 0
    sent: list[int] = []
    for turn in range(count):
        with running(text) as penstock:
            with httpx2.Client(base_url=penstock.url, trust_env=False, timeout=10) as client:
                # The last ones before the kill, and some of all that ever were.
                hits += check(client, {*sent[-15:], *chance.sample(sent, min(10, len(sent)))})
            new = range(turn * 1000, turn * 1000 + 1000)
            sent += store_until_dead(
                penstock, new, chance.randrange(5, 100), chance.uniform(0, 0.1)
            )
            assert "Traceback" not in penstock.output()
            assert "damaged" not in penstock.output()
    return hits


def test_killed_while_storing(tmp_path):
    with ThreadPoolExecutor(2) as both:
        chains = [both.submit(rounds, 10, tmp_path / f"{seed}", seed) for seed in (1, 2)]
    assert sum(chain.result() for chain in chains) > 50, "too little was stored to show anything"


@pytest.mark.fuzz
def test_killed_while_storing_for_long(tmp_path):
    count = 40 if os.environ.get("PENSTOCK_SHORT") else 300  # two seconds each
    assert rounds(count, tmp_path / "data", seed=time.time_ns()) > 3 * count
