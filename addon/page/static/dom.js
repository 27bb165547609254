// Elements without a framework. Texts are set as text, never as HTML: what models and clients write is hostile.

const shown = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** `h('a.link', {href: '#/'}, 'text', other)`: an element. Properties with `on` are listeners, `null` is left out. */
export function h(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...shown(children));
  return element;
}

/** Show `children` in the place of what `element` holds. */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
}

/** `text`, or as much of it as fits into `most` characters. */
export const cut = (text, most = 60) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/** A table that scrolls by itself where it is too wide; by keyboard too. `label` says what is in it. */
export const scrolling = (label, table) => h('div.scrolls', {tabindex: '0', role: 'region', 'aria-label': label}, table);

/** Say `text` to those who don't see the page. Rarely: each is read aloud. */
export function announce(text) {
  document.getElementById('live').textContent = text;
}

/** The hash of a view: `address('exchanges', {status: 'failed'})`. What is empty is left out. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ''}`;
}
