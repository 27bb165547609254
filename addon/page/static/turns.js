// Words about turns and sessions that both views of them share.

import {h} from './dom.js';
import {language, learn, number, t} from './words.js';
import words from './turns.words.js';

learn(words);

/** The client's name and its program, as far as they are known. */
export const whose = (clients, programs) => [...clients, ...programs].join(' · ') || t('turns.unknown-client');

/** What changed first in a prompt, in the reader's language. `what`: as the proxy says it. */
export function whatChanged(what) {
  const counted = /^(\d+) messages? (inserted|removed)$/.exec(what);
  if (counted) return t(`turns.what.${counted[2]}`, {count: number(counted[1])});
  const name = what.replace(/[ ,]+/g, '-');
  return `turns.what.${name}` in words ? t(`turns.what.${name}`) : what;
}

/** Whose doing a break was; hunyuan-fix's with the rules that did it. */
export function whoBroke(by, rules = []) {
  if (by === 'client' || by === 'endpoint') return t(`turns.by.${by}`);
  return rules.length ? t('turns.by.rules', {rules: rules.join(', ')}) : t('turns.by.hunyuan-fix');
}

/** What is said of some turns, as parts of a sentence: `[text, state]`, what is wrong first. */
export function findings(sums) {
  const found = [];
  const say = (name, count, state, values = {}) => count && found.push([t(`turns.${name}`, {count: number(count), ...values}), state]);
  say('errors', sums.errors, 'bad');
  say('breaks', sums.breaks, 'warn', {missed: number(sums.missed)});
  say('runaways', sums.runaways, 'warn');
  say('budgets', sums.budgets, 'warn');
  say('compactions', sums.compactions, 'accent');
  say('retries', sums.retries, 'warn');
  say('fallbacks', sums.fallbacks, 'warn');
  say('mended', sums.mended, 'accent');
  for (const source of ['kept', 'recovered', 'made_up']) say(`reasoning.${source}`, sums.reasoning[source], source === 'made_up' ? 'warn' : '');
  return found;
}

export const tags = (found) => found.map(([text, state]) => h(`span.tag${state ? `.${state}` : ''}`, {}, text));

/** A path, its parts escaped. */
export const path = (...parts) => `/${parts.map(encodeURIComponent).join('/')}`;

/** Ids are long: their first part says enough beside others. */
export const short = (id) => id.slice(0, 8);

/** The list of what `names` says, with a word between the last two. */
export const listed = (names) => new Intl.ListFormat(language === 'zh' ? 'zh-CN' : 'en', {type: 'conjunction'}).format(names);
