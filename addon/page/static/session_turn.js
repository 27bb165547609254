// A turn in the list of its session.

import {h} from './dom.js';
import {svg} from './session_chart.js';
import {whatChanged, whoBroke} from './turns.js';
import {compact, duration, money, number, share, t, time} from './words.js';

/** One turn as an item of the list. `explain(id)` shows why its cache broke. */
export function turnRow({turn, number: place, sum, most}, explain) {
  const kind = turn.kind === 'subagent' || turn.kind === 'helper' ? turn.kind : 'main';
  const {input = 0, cached, output = 0} = turn.usage;
  const below = (...children) => h('span.below', {}, ...children);
  return h(`li.turn.${kind}`, {id: `turn-${turn.id}`},
    h('div.turn-who', {},
      h('a', {href: `#/exchanges/${turn.id}`}, t('session.turn', {number: number(place)})), ' ',
      kind === 'main' ? '' : h('span.tag', {}, t(`session.kind.${kind}`)), below(time(turn.at))),
    h('div.turn-model', {}, turn.model || '–', turn.used && turn.used !== turn.model ? [' → ', h('strong', {}, turn.used)] : '', below(turn.dialect)),
    h('div.turn-bar', {}, bar(turn, most)),
    h('div.turn-tokens', {},
      input || output ? t('session.tokens', {input: compact(input), output: compact(output)}) : turn.over ? '–' : h('span.muted', {}, t('session.goes-on')),
      cached === undefined || !input ? '' : below(t('session.cached', {share: share(cached / input)}))),
    h('div.turn-cost', {}, money(turn.cost), Object.keys(turn.cost).length ? below(`Σ ${money(sum)}`) : ''),
    h('div.turn-time', {}, turn.over ? duration(turn.ms) : '', turn.first_token_ms ? below(t('session.first-token', {ms: duration(turn.first_token_ms)})) : ''),
    h('div.tags.turn-marks', {}, marks(turn, explain)));
}

function marks(turn, explain) {
  const {prompt_cache: cache} = turn;
  const rules = turn.rules.filter((rule) => rule !== turn.dialect); // that it was translated is no news
  const tag = (state, text, title = null) => h(`span.tag${state ? `.${state}` : ''}`, {title}, text);
  return [
    turn.is_error && tag('bad', `${turn.status ?? t('session.no-answer')} ${turn.error}`.trim()),
    turn.left && tag('warn', t('session.left')),
    cache.by && h('button.tag.warn', {onclick: () => explain(turn.id), title: `${whatChanged(cache.what ?? '')}, ${whoBroke(cache.by, cache.rules)}`},
      `▼ ${t('session.mark.broken', {missed: compact(cache.missed)})}`),
    cache.compacted && tag('accent', `◆ ${t('session.mark.compacted')}`),
    turn.retried.length > 0 && tag('warn', `↻ ${t('session.mark.retried', {count: number(turn.retried.length)})}`, turn.retried.map((one) => one.reason).join(', ')),
    turn.mended && tag(turn.mended.outcome === 'helped' ? 'accent' : 'bad', turn.mended.outcome === 'helped' ? t('session.mark.mended.helped') : t('session.mark.mended.failed'), turn.mended.reason),
    turn.fallbacks.map((one) => tag('warn', one.outcome === 'answered' ? t('session.mark.fallback.answered', {model: one.model}) : t('session.mark.fallback.failed', {model: one.model}), one.reason)),
    turn.runaway && tag('warn', t('session.mark.runaway', {count: number(turn.runaway.count)}), `${turn.runaway.what}: ${turn.runaway.action}`),
    turn.budget && tag('warn', t('session.mark.budget'), `${turn.budget.budget}: ${turn.budget.action}`),
    ['kept', 'recovered', 'made_up'].filter((source) => turn.reasoning[source]).map((source) =>
      tag(source === 'made_up' ? 'warn' : '', `● ${t(`session.mark.reasoning.${source}`, {count: number(turn.reasoning[source])})}`)),
    turn.mode === 'observe' && turn.changes > 0 && tag('', t('session.mark.observed')),
    rules.length > 0 && h('span.small.muted', {title: rules.join(', ')}, t('session.mark.changed', {rules: rules.slice(0, 3).join(', ') + (rules.length > 3 ? ' …' : '')})),
  ];
}

/** Cached, missed, new input, and output, each as long as its share of the longest turn. */
function bar(turn, most) {
  const {input = 0, cached = 0, output = 0} = turn.usage;
  const missed = Math.min(turn.prompt_cache.missed ?? 0, Math.max(0, input - cached));
  const parts = [['cached', cached], ['missed', missed], ['fresh', Math.max(0, input - cached - missed)], ['output', output]];
  let x = 0;
  const rects = parts.filter(([, size]) => size > 0).map(([name, size]) => {
    const width = (1000 * size) / most;
    const rect = svg('rect', {class: name, x, y: 0, width: Math.max(width, 2), height: 10});
    x += width;
    return rect;
  });
  return svg('svg', {viewBox: '0 0 1000 10', preserveAspectRatio: 'none', 'aria-hidden': 'true'}, rects);
}
