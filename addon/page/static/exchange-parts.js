// Parts that the sections of an exchange share: texts with marks and gaps, sources as links, tags.

import {get} from './api.js';
import {h} from './dom.js';
import {number, t} from './words.js';
import words from './exchange.words.js';

export const tag = (text, kind = '') => h(kind ? `span.tag.${kind}` : 'span.tag', {}, text);

// Names that come from elsewhere, in the reader's language where they are known.
const named = (key, name, say) => (key in words ? say() : name);
export const format = (name) => named(`exchange.format.${name}`, name, () => t(`exchange.format.${name}`));
export const eventName = (name) => named(`exchange.event.${name}`, name, () => t(`exchange.event.${name}`));
export const purpose = (name) => named(`exchange.purpose.${name}`, name, () => t(`exchange.purpose.${name}`));
export const how = (name) => named(`exchange.how.${name}`, name, () => t(`exchange.how.${name}`));

/** The spans of a text. `side`: `came` or `sent`, whose marks are gone or new; `rest()`: the whole text. */
export function spans(listed, side, rest) {
  const element = h('div.spans', {dir: 'auto'});
  element.append(...listed.map((span) => {
    if (span.gap) return gap(span.gap, element, rest);
    if (!span.mark) return document.createTextNode(span.text);
    return h(side === 'came' ? 'del' : 'ins', {}, span.text);
  }));
  return element;
}

function gap(count, element, rest) {
  const button = h('button.gap', {type: 'button', onclick: async () => {
    button.disabled = true;
    try {
      const {text, left_out: more} = await rest();
      element.replaceChildren(text);
      if (more) element.append(h('p.muted.small', {}, t('exchange.left-out', {count: number(more)})));
      element.tabIndex = -1;
      element.focus({preventScroll: true});
    } catch (error) {
      if (error.name === 'AbortError') return;
      button.disabled = false;
      button.textContent = t('exchange.rest-failed');
    }
  }}, t('exchange.gap', {count: number(count)}));
  return button;
}

/** What asks for the whole of a text. */
export const whole = ({id, signal}, of, at) => () => get(`/api/exchanges/${encodeURIComponent(id)}/text`, {of, at}, signal);

const SOURCE = /`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)|\b(\d{3,4}\/\d{4,6})\b|\b([A-Za-z0-9][\w.-]*\/[\w.-]+)#(\d+)\b|\bRFC (\d{3,5})\b/g;

/** A sentence of ours: what stands in backquotes as code, and the sources that it names as links. */
export function prose(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(SOURCE)) {
    found.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    const [all, code, label, , page, repository, issue, rfc] = match;
    if (code) found.push(h('code', {}, code));
    else if (label) found.push(label);
    else if (page) found.push(link(`https://cloud.tencent.com/document/product/${page}`, all));
    else if (repository) found.push(link(`https://github.com/${repository}/issues/${issue}`, all));
    else found.push(link(`https://www.rfc-editor.org/rfc/rfc${rfc}`, all));
  }
  return [...found, text.slice(at)];
}

const link = (href, text) => h('a', {href, target: '_blank', rel: 'noopener noreferrer'}, text);
