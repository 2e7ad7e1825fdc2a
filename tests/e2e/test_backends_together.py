"""Several backends behind one address: models merged, routes, and the next when one fails."""

import contextlib
import sqlite3
import time

import openai
import pytest

from proxy.auth import Clients
from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running
from tests.fakes.receipt_headers import receipt

YAML = """
backends:
  first: {use: simulated, models: [alpha, shared]}
  second: {use: simulated, models: [beta, shared]}
  shaky: {use: http, base_url: "${FAKE}/v1", retry: {attempts: 1}, breaker: {failures: 0}}
  nobody: {use: http, base_url: "${REFUSED}/v1", retry: {attempts: 2}, breaker: {failures: 0}}
routes:
  - {when: {model: "alpha*"}, send: first}
  - {when: {model: "beta", endpoint: "embeddings"}, send: first}
  - {when: {model: "beta"}, send: second}
  - {when: {model: "either"}, send: [shaky, second]}
  - {when: {model: "fallen"}, send: [nobody, shaky, first]}
  - {when: {model: "lost"}, send: [nobody]}
"""


@pytest.fixture(scope="module")
def fake():
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module")
def penstock(fake):
    with running(YAML, env={"FAKE": fake.url, "REFUSED": fake.refused}) as server:
        yield server


@pytest.fixture
def client(penstock):
    with openai.OpenAI(base_url=penstock.url + "/v1", api_key="sk-test", max_retries=0) as made:
        yield made


def ask(client, model, fake="chat", **more):
    question = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}]}
    raw = client.chat.completions.with_raw_response.create(
        **question, **more, extra_headers={"x-fake": fake, "x-penstock-cache": "off"}
    )
    return raw.parse(), receipt(raw.headers)


def test_models_of_all_backends_that_answer_in_one_list(client, fake):
    fake.script = ["html"]
    names = [model.id for model in client.models.list()]
    assert sorted(names) == ["alpha", "beta", "shared"]


def test_one_backends_trouble_does_not_spoil_the_list(client, fake):
    for trouble in ("status:500", "half-chunk", "not-http", "too-short"):
        fake.script = [trouble]
        assert "beta" in [model.id for model in client.models.list()]


def test_a_list_and_a_refusal_leave_a_row_in_the_ledger(client, penstock):
    listed = client.models.with_raw_response.list()
    with pytest.raises(openai.NotFoundError):
        ask(client, "unheard-of")
    with pytest.raises(openai.BadRequestError):
        ask(client, "alpha", temperature="hot")
    tenant = Clients([], None).tenant(((b"authorization", b"Bearer sk-test"),))

    def rows():
        query = "SELECT id, endpoint, status, error FROM requests WHERE tenant = ? AND route = ''"
        with contextlib.closing(sqlite3.connect(penstock.data / "ledger.sqlite3")) as db:
            try:
                return db.execute(query, (tenant,)).fetchall()
            except sqlite3.OperationalError:  # there are no tables before the first batch
                return []

    expected = [
        (listed.headers["x-penstock-request-id"], "opaque", 200, None),
        ("", "chat", 404, "model_not_found"),
        ("", "chat", 400, "invalid_request"),
    ]
    until = time.monotonic() + 10
    while not set(expected) <= set(rows()):  # rows are written in batches
        assert time.monotonic() < until, rows()
        time.sleep(0.05)


def test_attempts_that_came_to_nothing_are_counted(client, penstock):
    with pytest.raises(openai.InternalServerError):
        ask(client, "lost")

    def attempts():
        query = "SELECT attempts FROM requests WHERE model = 'lost'"
        with contextlib.closing(sqlite3.connect(penstock.data / "ledger.sqlite3")) as db:
            return db.execute(query).fetchall()

    until = time.monotonic() + 10
    while not attempts():  # rows are written in batches
        assert time.monotonic() < until
        time.sleep(0.05)
    assert attempts() == [(2,)]


@pytest.mark.parametrize(
    ("model", "backend"), [("alpha", "first"), ("alpha-mini", "first"), ("beta", "second")]
)
def test_a_route_by_model(client, model, backend):
    _, found = ask(client, model)
    assert found.backend == backend


def test_a_route_by_endpoint(client):
    raw = client.embeddings.with_raw_response.create(
        model="beta", input="x", encoding_format="float"
    )
    assert receipt(raw.headers).backend == "first"


def test_one_model_is_looked_up_where_its_route_leads(client):
    assert client.models.retrieve("beta").id == "beta"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("alpha-none")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("trouble", ["status:500", "status:503", "status:429", "reset", "not-http"])
def test_the_next_backend_answers_when_the_first_fails(client, fake, trouble, stream):
    calls = fake.calls
    answer, found = ask(client, "either", trouble, stream=stream)
    if stream:
        with answer as chunks:
            assert list(chunks)
    assert found.backend == "second"
    # A pooled connection that breaks may just have been stale: it is worth a second one.
    assert calls < fake.calls <= calls + (2 if trouble == "reset" else 1)


def test_all_in_turn(client, fake):
    _, found = ask(client, "fallen")
    assert found.backend == "shaky"
    _, found = ask(client, "fallen", "status:500")
    assert found.backend == "first"


def test_a_bad_request_is_not_tried_elsewhere(client):
    with pytest.raises(openai.BadRequestError, match="fake 400"):
        ask(client, "either", "status:400")


def test_the_last_one_failing_is_said(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "lost")
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")


def test_the_answer_of_a_second_choice_is_not_kept_for_the_first(client, fake):
    question = {"model": "either", "messages": [{"role": "user", "content": "Keep this?"}]}
    create = client.chat.completions.with_raw_response.create
    fake.script = ["status:500"]
    standby = receipt(create(**question).headers)
    assert (standby.backend, standby.status.stored) == ("second", False)
    assert receipt(create(**question).headers).backend == "shaky"
    assert receipt(create(**question).headers).cache == "HIT"
