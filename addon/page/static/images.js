// The images that requests had: what the vision model said of each, what it cost, and which failed.

import {get, listen, post} from './api.js';
import {ask} from './ask.js';
import {fill, h} from './dom.js';
import {compact, date, duration, learn, money, number, t, time} from './words.js';
import words from './images.words.js';

learn(words);

const STEP = 60;
const MOST = 500;
/** Digits of an id that are shown. */
const SHORT = 8;
/** Requests that are linked for one image. */
const LINKS = 5;

export async function show(root, {query, signal}) {
  let limit = STEP;
  const news = h('div', {role: 'status', 'aria-live': 'polite'});
  const body = h('div');
  root.append(h('h1', {}, t('images.title')), news, body);

  async function load() {
    const found = await get('/api/images', {limit}, signal);
    fill(news);
    fill(body, content(found));
  }

  function content(found) {
    const failed = found.images.filter((image) => image.outcome === 'failed');
    const others = found.images.filter((image) => image.outcome !== 'failed');
    if (!found.count) return [unchanged(found), h('p.empty', {}, t('images.empty'))];
    return [
      figures(found),
      unchanged(found),
      found.content ? null : h('p.card.muted', {}, t('images.no-content')),
      failed.length ? h('section', {}, h('h2', {}, t('images.failed', {count: number(failed.length)})), cards(failed)) : null,
      others.length ? h('section', {}, h('h2', {}, t('images.described', {count: number(others.length)})), cards(others)) : null,
      found.count > found.images.length && limit < MOST
        ? h('p', {}, h('button', {onclick: () => { limit = Math.min(MOST, limit * 3); load(); }}, t('images.more', {count: number(found.count - found.images.length)})))
        : null,
    ];
  }

  function cards(images) {
    return h('ul.images', {}, images.map((image) => card(image)));
  }

  function card(image) {
    const item = h('li.card.image', {'data-key': image.key});
    fill(item, inside(image, item));
    return item;
  }

  function inside(image, item) {
    const text = h('div.image-text');
    const said = h('p.small', {role: 'status'});
    fill(text, short(image, text));
    return [
      thumbnail(image, signal),
      h('div.image-body', {},
        h('p.row', {}, outcome(image), h('span.mono', {}, image.model), h('span.muted.small', {}, host(image.upstream))),
        image.why ? h('p.image-why', {}, image.why, image.status ? ` (HTTP ${image.status})` : '') : null,
        text,
        facts(image),
        h('div.row', {},
          image.picture === 'unshown' ? null : h('button', {onclick: () => again(image, item, said)}, askAgain(image)),
          h('button.danger', {onclick: () => remove(image, item, said)}, t('images.delete'))),
        said),
    ];
  }

  /** The beginning of the description; all of it, and what was asked, on demand. */
  function short(image, text) {
    const whole = h('button.plain.small', {'aria-expanded': 'false', onclick: async () => {
      try {
        fill(text, long(await get(`/api/images/${image.key}`, {}, signal), image, text));
        text.querySelector('button').focus();
      } catch (error) {
        fill(text, h('p', {role: 'alert'}, error.message));
      }
    }}, image.description ? t('images.whole') : t('images.what'));
    if (!image.description) return image.outcome === 'described' || image.picture === 'unshown' ? [] : whole;
    return [h('p.image-description', {}, image.description, image.is_whole ? '' : '…'), whole];
  }

  function long(found, image, text) {
    const fold = h('button.plain.small', {'aria-expanded': 'true', onclick: () => {
      fill(text, short(image, text));
      text.querySelector('button').focus();
    }}, t('images.fold'));
    return [
      found.description ? h('pre.image-description', {}, found.description) : null,
      found.prompt ? [h('h3', {}, t('images.prompt')), h('pre.image-prompt', {}, found.prompt)] : null,
      fold,
    ];
  }

  async function again(image, item, said) {
    const text = image.can_ask
      ? [image.description ? t('images.again.means', {model: image.model}) : t('images.try.means', {model: image.model}), t('images.again.pays', {host: host(image.upstream)})]
      : [['kept', 'remote'].includes(image.picture) ? t('images.again.not.key') : t('images.again.not.picture'), t('images.again.instead')];
    const action = image.can_ask ? askAgain(image) : t('images.delete');
    if (!await ask({title: image.description ? t('images.again.title') : t('images.try.title'), text, action, isDangerous: !image.can_ask}, signal)) return;
    if (!image.can_ask) return forget(image, item, said);
    said.textContent = t('images.asking');
    try {
      const answer = await post(`/api/images/${image.key}/describe`, {any: image.any});
      if (signal.aborted) return;
      if (!answer.image) {
        said.textContent = answer.why;
        return;
      }
      fill(item, inside({...answer.image, description: answer.image.description.slice(0, 300), is_whole: answer.image.description.length <= 300}, item));
      const last = item.querySelector('[role="status"]');
      last.textContent = answer.image.outcome === 'described' ? t('images.asked') : t('images.asked.failed');
      item.querySelector('button').focus();
    } catch (error) {
      said.textContent = error.message;
    }
  }

  async function remove(image, item, said) {
    const text = [t('images.delete.means'), t('images.delete.next')];
    if (await ask({title: t('images.delete.title'), text, action: t('images.delete'), isDangerous: true}, signal)) await forget(image, item, said);
  }

  async function forget(image, item, said) {
    try {
      const answer = await post(`/api/images/${image.key}/delete`, {any: image.any});
      if (signal.aborted) return;
      const waiting = answer.waiting.length ? ` ${t('images.deleted.waiting', {stores: answer.waiting.join(', ')})}` : '';
      const note = h('p', {role: 'status', tabindex: '-1'}, t('images.deleted') + waiting);
      fill(item, note);
      note.focus();
    } catch (error) {
      said.textContent = error.message;
    }
  }

  await load();
  listen(() => {
    if (news.childElementCount) return;
    fill(news, h('p', {}, h('button.main', {onclick: load}, t('images.new'))));
  }, () => {}, signal, ['described']);
}

function figures({images}) {
  const sum = (name) => images.reduce((all, image) => all + image[name], 0);
  const cost = {};
  const tokens = images.reduce((all, image) => all + (image.tokens.input ?? 0) + (image.tokens.output ?? 0), 0);
  for (const image of images) for (const [currency, parts] of Object.entries(image.cost)) cost[currency] = (cost[currency] ?? 0) + parts;
  const figure = (name, value) => h('div', {}, h('dt.muted.small', {}, t(`images.sum.${name}`)), h('dd.figure.number', {}, value));
  return h('dl.card.grid.figures', {},
    figure('images', number(images.length)), figure('calls', number(sum('calls'))), figure('hits', number(sum('hits'))),
    figure('tokens', compact(tokens)), figure('cost', money(cost)));
}

function unchanged({unchanged: told}) {
  if (!told.requests) return null;
  const models = Object.keys(told.models).map((name) => name.slice(0, 60)).join(', ');
  return h('p.card.small', {}, t('images.unchanged', {requests: number(told.requests), images: number(told.images), models}), ' ',
    links(told.exchanges));
}

function outcome(image) {
  const colour = {described: 'good', failed: 'bad', none: 'warn'}[image.outcome];
  return h(`span.tag.${colour}`, {}, t(`images.outcome.${image.outcome}`));
}

function facts(image) {
  const fact = (name, value, title = null) => h('div', {title}, h('dt', {}, t(`images.fact.${name}`)), h('dd.number', {}, value));
  return h('dl.image-facts', {},
    fact('hits', number(image.hits)),
    fact('calls', calls(image)),
    image.calls ? fact('ms', duration(image.ms)) : null,
    image.calls && image.tokens.input !== undefined ? fact('tokens', `${number(image.tokens.input)} + ${number(image.tokens.output ?? 0)}`) : null,
    Object.keys(image.cost).length ? fact('cost', money(image.cost)) : null,
    fact('last', time(image.last), date(image.last)),
    fact('requests', links(image.exchanges)));
}

function calls(image) {
  if (!image.calls) return image.outcome === 'described' ? t('images.known') : t('images.none');
  return number(image.calls) + (image.tries > 1 ? ` (${t('images.tries', {count: number(image.tries)})})` : '');
}

function askAgain(image) {
  return image.outcome === 'described' ? t('images.again') : t('images.try');
}

function links(ids) {
  return ids.slice(0, LINKS).flatMap((id) => [h('a.mono', {href: `#/exchanges/${id}`, 'aria-label': t('images.request', {id})}, id.slice(0, SHORT)), ' ']);
}

/** The picture, small; as large as the window takes it on demand. What isn't there is said. */
function thumbnail(image, signal) {
  const missing = (why) => h('div.image-none', {}, t(`images.picture.${why}`));
  if (image.picture !== 'kept') return missing(image.picture);
  const source = `/api/images/${image.key}/picture`;
  const alt = image.description.slice(0, 100) || t('images.picture.alt');
  const open = h('button.image-thumb', {'aria-label': t('images.picture.open'), onclick: () => {
    const dialog = h('dialog.image-large', {'aria-label': t('images.picture.alt')},
      h('img', {src: source, alt}), h('form.row.answers', {method: 'dialog'}, h('button', {autofocus: true}, t('images.picture.close'))));
    dialog.addEventListener('close', () => dialog.remove());
    dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
    signal.addEventListener('abort', () => dialog.close(), {once: true});
    document.body.append(dialog);
    dialog.showModal();
  }}, h('img', {src: source, alt: '', loading: 'lazy', onerror: () => open.replaceWith(missing('unshown'))}));
  return open;
}

function host(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}
