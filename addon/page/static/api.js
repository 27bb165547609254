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

/** Whether `error` means that the proxy doesn't answer. */
export const isLost = (error) => error.name === 'TypeError' || error.name === 'NetworkError';

const AGAIN = 3000; // milliseconds

/**
 * Hear the proxy's events until `signal` is aborted. `hear(event)`: `{exchange, kind, at, data}`; `state(isLive)`: at each
 * connection and each loss of one; `gap()`: events may be missing, so what is shown has to be asked for anew.
 * A tab that nobody sees listens to nothing: browsers open six connections to a host, for all tabs together.
 */
export function listen(hear, state, signal, kinds = [], gap = () => {}) {
  let source = null;
  let timer = 0;
  let last = '';
  let lost = false;
  const one = (message) => {
    last = message.lastEventId;
    hear(JSON.parse(message.data));
  };
  const close = () => {
    source?.close();
    source = null;
    clearTimeout(timer);
  };
  const open = () => {
    close();
    if (signal.aborted || document.hidden) return;
    const query = new URLSearchParams({...(kinds.length && {kinds: kinds.join(',')}), ...(last && {last})});
    source = new EventSource(`/api/events?${query}`);
    for (const kind of kinds.length ? kinds : KINDS) source.addEventListener(kind, one);
    source.addEventListener('gap', () => gap());
    source.addEventListener('end', again);
    source.addEventListener('error', again);
    source.addEventListener('open', () => {
      state(true);
      if (!last || lost) gap(); // what was told before it listened
      lost = false;
    });
  };
  // The browser itself would try again with what it was told first, and never after a refusal.
  const again = () => {
    close();
    lost = true;
    state(false);
    timer = setTimeout(open, AGAIN);
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()), {signal});
  signal.addEventListener('abort', close);
  open();
}

/** Call `work` now and every `seconds`, while the page is seen and until `signal` is aborted. It is awaited, and raises nothing. */
export function repeat(work, seconds, signal) {
  let timer = 0;
  let runs = false;
  const run = async () => {
    clearTimeout(timer);
    if (runs || signal.aborted || document.hidden) return;
    runs = true;
    await work();
    runs = false;
    timer = setTimeout(run, seconds * 1000);
  };
  document.addEventListener('visibilitychange', run, {signal});
  signal.addEventListener('abort', () => clearTimeout(timer));
  return run();
}

export const KINDS = ['came', 'translated', 'runaway', 'budget', 'described', 'repaired', 'called', 'queued', 'sent', 'retried', 'ended', 'mended', 'fallback', 'first_byte', 'first_token', 'done', 'paid'];
