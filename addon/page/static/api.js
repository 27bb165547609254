// What the page asks the proxy for.

import {language} from './words.js';

/** Why the proxy refuses what was asked for: `status`, `code`, and a message in the reader's language. */
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = error?.code ?? '';
  }
}

async function answered(response) {
  const type = response.headers.get('content-type') ?? '';
  const body = type.startsWith('application/json') ? await response.json() : await response.text();
  if (!response.ok) throw new Refused(response.status, body?.error);
  return body;
}

const headers = {'accept-language': language};

/** GET: the JSON, or the text, at `path`. Throws `Refused`; a `TypeError` where the proxy doesn't answer. */
export async function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  const query = given.length ? `?${new URLSearchParams(given)}` : '';
  return answered(await fetch(path + query, {headers, signal, credentials: 'same-origin'}));
}

/** POST with a form. Throws as `get` does. */
export async function post(path, fields) {
  return answered(await fetch(path, {method: 'POST', headers, body: new URLSearchParams(fields), credentials: 'same-origin'}));
}

/** Hear the proxy's events until `signal` is aborted. `hear(event)`: `{exchange, kind, at, data}`; `state(isLive)`. */
export function listen(hear, state, signal, kinds = []) {
  const source = new EventSource(`/api/events${kinds.length ? `?kinds=${kinds.join(',')}` : ''}`);
  const one = (message) => hear(JSON.parse(message.data));
  for (const kind of kinds.length ? kinds : KINDS) source.addEventListener(kind, one);
  source.addEventListener('open', () => state(true));
  source.addEventListener('error', () => state(false));
  signal.addEventListener('abort', () => source.close());
}

export const KINDS = ['came', 'translated', 'runaway', 'budget', 'described', 'repaired', 'called', 'queued', 'sent', 'retried', 'ended', 'mended', 'fallback', 'first_byte', 'first_token', 'done'];
