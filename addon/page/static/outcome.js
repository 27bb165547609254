// How an exchange stands, in words and a colour: the same in every view.

import {h} from './dom.js';
import {learn, t} from './words.js';
import words from './outcome.words.js';

learn(words);

/** As `observe.outcomes.trouble`: whose error it was; `''`: none. */
export function trouble({status, how, left, error}) {
  if (how === 'refused') return 'refused';
  if (how === 'failed') return left ? '' : 'failed';
  return (status ?? 0) >= 400 || (error && !left) ? 'endpoint' : '';
}

/** The last event of an exchange under way -> what it does now. */
const STATES = {
  queued: 'queued', sent: 'sent', retried: 'retried', mended: 'retried', fallback: 'retried',
  first_byte: 'answering', first_token: 'answering',
};

/** Of a summary as `/api/exchanges` has it: `{text, look}`, where look is a class of `.tag`. */
export function outcome(one) {
  if (!one.over) return {text: t(`outcome.${STATES[one.last] ?? 'preparing'}`), look: 'accent'};
  const whose = trouble(one);
  if (whose) return {text: `${one.status ?? ''} ${t(`outcome.${whose}`)}`.trim(), look: 'bad'};
  if (one.left) return {text: t('outcome.left'), look: 'warn'};
  return {text: `${one.status ?? ''} ${t('outcome.good')}`.trim(), look: 'good'};
}

/** The same as an element. */
export function outcomeTag(one) {
  const {text, look} = outcome(one);
  return h(`span.tag.${look}`, {}, text);
}
