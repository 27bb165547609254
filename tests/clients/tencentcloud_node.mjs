// What Tencent Cloud's SDK for Node gets, printed as JSON. Arguments: the way in as JSON, the model, a PNG file.
import { readFileSync } from "node:fs";
import sdk from "tencentcloud-sdk-nodejs-hunyuan";

const [given, Model, picture] = process.argv.slice(2);
const way = JSON.parse(given);
const httpProfile = way.proxy ? { proxy: way.proxy } : { protocol: "http://", endpoint: way.endpoint };
const client = new sdk.hunyuan.v20230901.Client({
  credential: { secretId: way.id, secretKey: way.key },
  region: "ap-guangzhou",
  profile: { httpProfile },
});
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const Tools = [{ Type: "function", Function: { Name: "weather", Parameters: JSON.stringify(parameters) } }];
const user = (Content) => ({ Role: "user", Content });
const ask = (Messages, more = {}) => client.ChatCompletions({ Model, Messages, ...more });
const events = async (Messages, more = {}) => {
  const found = [];
  for await (const message of await ask(Messages, { Stream: true, ...more })) found.push(JSON.parse(message.data));
  return found;
};
const said = (found) => found.map((event) => event.Choices[0].Delta.Content).join("");

const scenarios = {
  whole: async () => {
    const answer = await ask([user("[[sim:say hello]]")], { TopP: 0.5, EnableEnhancement: true });
    return [answer.Choices[0].Message.Content, answer.Choices[0].FinishReason, Boolean(answer.RequestId)];
  },
  streamed: async () => {
    const found = await events([user("[[sim:say one two three four]]")]);
    const last = found.at(-1);
    const reasons = [...new Set(found.slice(0, -1).map((event) => event.Choices[0].FinishReason))];
    return [said(found), reasons, last.Choices[0].FinishReason, last.Usage.TotalTokens > 0];
  },
  separators: async () => said(await events([user("[[sim:say a\u2028b\u2029c]]")])) === "a\u2028b\u2029c",
  conversation: async () => {
    const asked = user('[[sim:tool\nweather\n{"city":"Shenzhen"}]]');
    const { Message } = (await ask([asked], { Tools, ToolChoice: "auto" })).Choices[0];
    const [call] = Message.ToolCalls;
    const answered = { Role: "tool", ToolCallId: call.Id, Content: "sunny" };
    const then = await events([asked, Message, answered], { Tools });
    return [call.Function.Name, JSON.parse(call.Function.Arguments), said(then).includes("sunny")];
  },
  image: async () => {
    const Url = `data:image/png;base64,${readFileSync(picture).toString("base64")}`;
    const Contents = [
      { Type: "text", Text: "[[sim:say seen]]" },
      { Type: "image_url", ImageUrl: { Url } },
    ];
    return (await ask([{ Role: "user", Contents }])).Choices[0].Message.Content;
  },
  vectors: async () => {
    const { Data } = await client.GetEmbedding({ InputList: ["one", "two"] });
    return Data.map((item) => [item.Index, item.Embedding.length]);
  },
  counted: async () => {
    const answer = await client.GetTokenCount({ Prompt: "你是谁" });
    return [answer.TokenCount > 0, answer.CharacterCount];
  },
  failing: async () => {
    try {
      await ask([]);
      return "answered";
    } catch (error) {
      return [error.code, Boolean(error.requestId)];
    }
  },
};

for (const [name, run] of Object.entries(scenarios)) console.log(JSON.stringify([name, await run()]));
