// What the real @anthropic-ai/sdk gets, printed as JSON. Arguments: the base URL, the model, a PNG file, a PDF file, and if
// it is to be one scenario alone its name, with faults that the endpoint is to have.
import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";
import { readFileSync } from "node:fs";

const [baseURL, model, picture, paper, only, ...faults] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "sk-test", maxRetries: 0 });
const tools = [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
const schema = {
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
  additionalProperties: false,
};
const asked = (content, more = {}) => ({ model, max_tokens: 2000, messages: [{ role: "user", content }], ...more });
const create = (content, more) => client.messages.create(asked(content, more));
const stream = (content, more) => client.messages.stream(asked(content, more)).finalMessage();
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const kinds = (message) => message.content.map((block) => block.type);

const scenarios = {
  whole: async () => text(await create("[[sim:say hello]]", { system: "Be kind." })),
  streamed: async () => {
    const message = await stream("[[sim:say one two three four]][[sim:chunks 4]]");
    return [text(message), message.stop_reason, message.usage.output_tokens > 0, message.usage.input_tokens > 0];
  },
  parallel: async () => {
    const said = '[[sim:tool weather {"city": "Shenzhen"}]][[sim:tool weather {"city": "Beijing"}]]';
    const first = await stream(said, { tools });
    const calls = first.content.filter((block) => block.type === "tool_use");
    const content = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: `${call.input.city}: sun` }));
    const messages = [
      { role: "user", content: said },
      { role: "assistant", content: first.content },
      { role: "user", content },
    ];
    return [calls.map((call) => call.input), first.stop_reason, text(await create("", { messages, tools }))];
  },
  image: async () => {
    const source = { type: "base64", media_type: "image/png", data: readFileSync(picture).toString("base64") };
    return text(await create([{ type: "image", source }, { type: "text", text: "What is it? [[sim:say seen]]" }]));
  },
  document: async () => {
    const source = { type: "text", media_type: "text/plain", data: "[[sim:say from the document]]" };
    return text(await create([{ type: "document", source }]));
  },
  paper: async () => {
    const source = { type: "base64", media_type: "application/pdf", data: readFileSync(paper).toString("base64") };
    return text(await create([{ type: "document", source }]));
  },
  thinking: async () => {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const message = await stream("[[sim:reasoning because]][[sim:say so]]", { thinking });
    return [kinds(message), message.content[0].thinking];
  },
  structured: async () => {
    const said = '[[sim:say {"answer": "yes"}]]';
    const whole = await create(said, { output_config: { format: { type: "json_schema", schema } } });
    const parsed = await client.messages.parse(asked(said, { output_config: { format: jsonSchemaOutputFormat(schema) } }));
    return [JSON.parse(text(whole)), parsed.parsed_output.answer];
  },
  counted: async () =>
    (await client.messages.countTokens({ model, tools, messages: [{ role: "user", content: "hello ".repeat(100) }] }))
      .input_tokens,
  failing: async () => {
    try {
      await create("", { messages: [] });
    } catch (error) {
      return [error.constructor.name, error.status, error.message.length > 0];
    }
  },
};

const refused = async (ask) => {
  const found = {};
  for (const fault of faults) {
    try {
      found[fault] = ["answered", 200, text(await ask(fault))];
    } catch (error) {
      found[fault] = [error.constructor.name, error.status ?? 0, error.message];
    }
  }
  return found;
};
const alone = {
  asked: () => refused((fault) => create(`[[sim:say hello]] ${fault}`)),
  streamed: () => refused((fault) => stream(`[[sim:say one two three four]][[sim:chunks 4]] ${fault}`)),
};

for (const [name, run] of Object.entries(only ? { [only]: alone[only] } : scenarios)) {
  try {
    console.log(JSON.stringify([name, await run()]));
  } catch (error) {
    console.log(JSON.stringify([name, { raised: `${error.constructor.name}: ${error.message}`.slice(0, 500) }]));
  }
}
