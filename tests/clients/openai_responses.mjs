// What the real openai SDK for Node gets from `responses`, printed as JSON. Arguments: the base URL, the model, a PNG file.
import OpenAI from "openai";
import { readFileSync } from "node:fs";

const [baseURL, model, picture] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-test", maxRetries: 0 });
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const tools = [{ type: "function", name: "weather", parameters, strict: true }];
const format = {
  type: "json_schema",
  name: "answer",
  strict: true,
  schema: {
    type: "object",
    properties: { answer: { type: "string" } },
    required: ["answer"],
    additionalProperties: false,
  },
};
const asked = (input, more = {}) => ({ model, input, store: false, ...more });
const create = (input, more) => client.responses.create(asked(input, more));
const stream = (input, more) => client.responses.stream(asked(input, more)).finalResponse();
const user = (...content) => ({ role: "user", content });
const text = (words) => ({ type: "input_text", text: words });
const kinds = (response) => response.output.map((item) => item.type);
const failed = async (run) => {
  try {
    return await run();
  } catch (error) {
    return [error.constructor.name, error.status];
  }
};

const scenarios = {
  whole: async () => (await create("[[sim:say hello]]", { instructions: "Be kind." })).output_text,
  streamed: async () => {
    const response = await stream("[[sim:say one two three four]][[sim:chunks 4]]");
    return [response.output_text, response.status, response.usage.output_tokens > 0, response.usage.input_tokens > 0];
  },
  parallel: async () => {
    const said = '[[sim:tool weather {"city": "Shenzhen"}]][[sim:tool weather {"city": "Beijing"}]]';
    const first = await stream(said, { tools });
    const calls = first.output.filter((item) => item.type === "function_call");
    const cities = calls.map((call) => JSON.parse(call.arguments));
    const outputs = calls.map((call, at) => ({
      type: "function_call_output",
      call_id: call.call_id,
      output: `${cities[at].city}: sun`,
    }));
    const second = await create([user(text(said)), ...first.output, ...outputs], { tools });
    return [cities, first.status, second.output_text];
  },
  custom: async () => {
    const note = { type: "custom", name: "note", description: "Takes a note." };
    const first = await stream('[[sim:tool note {"input": "a line"}]]', { tools: [note] });
    return first.output.filter((item) => item.type === "custom_tool_call").map((call) => [call.name, call.input]);
  },
  image: async () => {
    const url = `data:image/png;base64,${readFileSync(picture).toString("base64")}`;
    const image = { type: "input_image", image_url: url, detail: "auto" };
    return (await create([user(text("What is it? [[sim:say seen]]"), image)])).output_text;
  },
  reasoning: async () => {
    const reasoning = { effort: "high", summary: "auto" };
    const response = await stream("[[sim:reasoning because]][[sim:say so]]", { reasoning });
    return [kinds(response), response.output[0].summary.map((part) => part.text)];
  },
  parsed: async () => {
    const response = await client.responses.parse(asked('[[sim:say {"answer": "yes"}]]', { text: { format } }));
    return response.output_parsed;
  },
  previous: async () => {
    const first = await create("My word is cedar. [[sim:say I keep it.]]", { store: true });
    const more = { store: true, previous_response_id: first.id };
    const second = await create("And now? [[sim:say cedar]]", more);
    const kept = await client.responses.retrieve(first.id);
    await client.responses.delete(first.id);
    return [second.output_text, kept.output_text, await failed(() => client.responses.retrieve(first.id))];
  },
  failing: () => failed(() => create(5)),
};

for (const [name, run] of Object.entries(scenarios)) {
  try {
    console.log(JSON.stringify([name, await run()]));
  } catch (error) {
    console.log(JSON.stringify([name, { raised: `${error.constructor.name}: ${error.message}`.slice(0, 500) }]));
  }
}
