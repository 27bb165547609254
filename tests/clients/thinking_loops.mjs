// Tool loops as users write them, for Node: each ends after three calls, and prints the last answer.
// Arguments: the loop's name, the base URL, the model. A key is in `MOONSHOT_API_KEY`. The tool's results tell the
// stand-in what to call next.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

const [, , name, baseURL, model] = process.argv;
const apiKey = process.env.MOONSHOT_API_KEY;
const parameters = { type: "object", properties: { number: { type: "integer" } }, required: ["number"] };
const description = "Takes a step.";
const CALLS = 3;

// What makes the stand-in call the tool, without a word beside it.
const calling = (number) => `[[sim:say]][[sim:tool step {"number": ${number}}]]`;
const step = ({ number }) => (number === CALLS ? "done" : calling(number + 1));

// OpenAI's SDK; what is appended of an answer: the role, the text, and the calls.
async function openaiNode() {
  const client = new OpenAI({ apiKey, baseURL, maxRetries: 0 });
  const tools = [{ type: "function", function: { name: "step", description, parameters } }];
  const messages = [{ role: "user", content: calling(1) }];
  for (;;) {
    const { content, tool_calls } = (await client.chat.completions.create({ model, messages, tools })).choices[0].message;
    if (!tool_calls) return content;
    messages.push({ role: "assistant", content, tool_calls });
    for (const call of tool_calls) {
      const result = step(JSON.parse(call.function.arguments));
      messages.push({ role: "tool", tool_call_id: call.id, content: result });
    }
  }
}

// The SDK's helper, which runs the tools and keeps the messages itself.
async function openaiNodeRunner() {
  const client = new OpenAI({ apiKey, baseURL, maxRetries: 0 });
  const run = { name: "step", description, parameters, parse: JSON.parse, function: step };
  const messages = [{ role: "user", content: calling(1) }];
  return client.chat.completions.runTools({ model, messages, tools: [{ type: "function", function: run }] }).finalContent();
}

const asked = () => ({
  model: createOpenAICompatible({ name: "moonshot", apiKey, baseURL })(model),
  prompt: calling(1),
  stopWhen: stepCountIs(CALLS + 1),
  maxRetries: 0,
  tools: { step: tool({ description, inputSchema: jsonSchema(parameters), execute: async (given) => step(given) }) },
});

// Vercel's AI SDK.
async function aiSdk() {
  return (await generateText(asked())).text;
}

async function aiSdkStream() {
  return await streamText(asked()).text;
}

const loops = { openai_node: openaiNode, openai_node_runner: openaiNodeRunner, ai_sdk: aiSdk, ai_sdk_stream: aiSdkStream };
console.log(await loops[name]());
