// The official Node SDKs as clients of the Penstock at PENSTOCK_URL.
import assert from "node:assert/strict";
import test from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const url = process.env.PENSTOCK_URL;
const messages = (text) => [{ role: "user", content: text }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = ["weather", "population"].map((name) => ({
  type: "function",
  function: { name, parameters },
}));
const word = (response) => response.headers.get("x-penstock-cache");

// Each test has a cache of its own.
let count = 0;
const own = () => ({ "x-penstock-cache-namespace": `node-${process.pid}-${(count += 1)}` });
const openai = () =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-test", maxRetries: 0, defaultHeaders: own() });
const anthropic = () =>
  new Anthropic({ baseURL: url, apiKey: "sk-ant-test", maxRetries: 0, defaultHeaders: own() });

const questions = {
  plain: { messages: messages("What does a penstock do?") },
  unicode: { messages: messages("\u{1F4A7} \u4F60\u597D") },
  tools: { messages: messages("Call weather and population"), tools },
  logprobs: { messages: messages("How likely is it?"), logprobs: true, top_logprobs: 2 },
  json: { messages: messages("In JSON"), response_format: { type: "json_object" } },
};

async function plain(client, question) {
  const { data, response } = await client.chat.completions
    .create({ model: "gpt-4o", ...question })
    .withResponse();
  return [data, word(response)];
}

// The SDK's accumulator.
async function streamed(client, question) {
  const stream = client.chat.completions.stream({ model: "gpt-4o", ...question });
  return [await stream.finalChatCompletion(), null];
}

// The SDK's bare stream, put together by hand.
async function bare(client, question) {
  const { data, response } = await client.chat.completions
    .create({ model: "gpt-4o", stream: true, ...question })
    .withResponse();
  let content = "";
  const calls = [];
  for await (const { choices } of data) {
    content += choices[0]?.delta.content ?? "";
    for (const { index, id, function: called } of choices[0]?.delta.tool_calls ?? []) {
      calls[index] ??= { id, name: called.name, arguments: "" };
      calls[index].arguments += called.arguments ?? "";
    }
  }
  return [{ content, calls }, word(response)];
}

function said(answer) {
  if (!answer.choices) return answer;
  const { message } = answer.choices[0];
  const calls = (message.tool_calls ?? []).map(({ id, function: called }) => ({
    id,
    name: called.name,
    arguments: called.arguments,
  }));
  return { content: message.content ?? "", calls };
}

const forms = { plain, streamed, bare };

for (const [name, question] of Object.entries(questions)) {
  for (const first of Object.keys(forms)) {
    test(`chat, ${name}: ${first}, then every form`, async () => {
      const client = openai();
      const [answer, miss] = await forms[first](client, question);
      assert.ok(said(answer).content || said(answer).calls.length);
      assert.ok(miss === "MISS" || first === "streamed");
      for (const form of Object.values(forms)) {
        const [again, hit] = await form(client, question);
        assert.deepEqual(said(again), said(answer));
        assert.ok(hit === "HIT" || form === streamed);
      }
    });
  }
}

test("logprobs are in every form", async () => {
  const client = openai();
  const [answer] = await plain(client, questions.logprobs);
  const [again] = await streamed(client, questions.logprobs);
  assert.equal(answer.choices[0].logprobs.content[0].top_logprobs.length, 2);
  assert.deepEqual(again.choices[0].logprobs.content, answer.choices[0].logprobs.content);
});

test("usage at the end of a stream, when asked for", async () => {
  const client = openai();
  const question = { ...questions.plain, stream_options: { include_usage: true } };
  await plain(client, questions.plain);
  const [answer] = await streamed(client, question);
  assert.ok(answer.usage.prompt_tokens > 0);
});

test("the tool runner's loop", async () => {
  const client = openai();
  const ask = { model: "gpt-4o", messages: messages("Call weather"), tools: tools.slice(0, 1) };
  const first = await client.chat.completions.create(ask);
  const [call] = first.choices[0].message.tool_calls;
  const next = await client.chat.completions.create({
    ...ask,
    messages: [
      ...ask.messages,
      first.choices[0].message,
      { role: "tool", tool_call_id: call.id, content: "sunny" },
    ],
  });
  assert.equal(next.choices[0].finish_reason, "stop");
});

test("responses", async () => {
  const client = openai();
  const ask = { model: "gpt-4o", input: "What is a turbine?" };
  const first = await client.responses.create(ask).withResponse();
  const second = await client.responses.create(ask).withResponse();
  assert.deepEqual([word(first.response), word(second.response)], ["MISS", "HIT"]);
  assert.deepEqual(second.data.output, first.data.output);
  const final = await client.responses.stream(ask).finalResponse();
  assert.equal(final.output_text, first.data.output_text);
});

test("embeddings", async () => {
  const client = openai();
  const ask = { model: "text-embedding-3-small", input: ["sluice", "weir"] };
  const first = await client.embeddings.create(ask).withResponse();
  const second = await client.embeddings.create(ask).withResponse();
  assert.deepEqual([word(first.response), word(second.response)], ["MISS", "HIT"]);
  assert.deepEqual(second.data, first.data);
  assert.equal(typeof first.data.data[0].embedding[0], "number");
});

test("models", async () => {
  const names = [];
  for await (const model of openai().models.list()) names.push(model.id);
  assert.ok(names.includes("gpt-4o"));
  assert.equal((await openai().models.retrieve("gpt-4o")).id, "gpt-4o");
});

test("messages, plain and streamed", async () => {
  const client = anthropic();
  const schema = { name: "weather", input_schema: parameters };
  for (const text of ["What is a lock?", "Call weather"]) {
    const ask = {
      model: "claude-simulated",
      max_tokens: 1000,
      messages: messages(text),
      tools: [schema],
    };
    const first = await client.messages.create(ask).withResponse();
    const second = await client.messages.create(ask).withResponse();
    assert.deepEqual([word(first.response), word(second.response)], ["MISS", "HIT"]);
    const final = await client.messages.stream(ask).finalMessage();
    for (const message of [second.data, final]) {
      assert.deepEqual(message.content, first.data.content);
      assert.equal(message.stop_reason, first.data.stop_reason);
      assert.ok(message.usage.output_tokens > 0);
    }
  }
});

test("errors are the SDKs' own", async () => {
  const bad = { model: "gpt-4o", messages: "text" };
  await assert.rejects(openai().chat.completions.create(bad), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "messages");
    return true;
  });
  await assert.rejects(
    anthropic().messages.create({ ...bad, max_tokens: 10 }),
    Anthropic.BadRequestError,
  );
});

test("a hundred at once", async () => {
  const client = openai();
  const all = await Promise.all(
    Array.from({ length: 100 }, () => plain(client, questions.plain)),
  );
  const words = all.map(([, found]) => found);
  assert.equal(words.filter((found) => found === "MISS").length, 1);
  assert.equal(new Set(all.map(([answer]) => said(answer).content)).size, 1);
});
