// Lists that change while somebody reads them: what stays the same stays in its place, with its focus.

const known = new WeakMap();
const FOCUSABLE = 'a[href], button, input, select, summary';

/** Show one element in `parent` for each of `items`, in order. One whose item says what it said before is kept. */
export function keyed(parent, items, key, make) {
  const before = known.get(parent) ?? new Map();
  const now = new Map();
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const item of items) {
    const said = JSON.stringify(item);
    const old = before.get(key(item));
    const element = old?.said === said ? old.element : make(item);
    now.set(key(item), {said, element});
    if (element === place) {
      place = place.nextElementSibling;
      continue;
    }
    const isFocused = old?.element.contains(focused);
    const number = isFocused ? [...old.element.querySelectorAll(FOCUSABLE)].indexOf(focused) : -1;
    if (old && old.element !== element) {
      if (old.element === place) place = place.nextElementSibling;
      old.element.replaceWith(element);
    }
    if (element.parentElement !== parent || element.nextElementSibling !== place) parent.insertBefore(element, place);
    if (isFocused) (number < 0 ? element : element.querySelectorAll(FOCUSABLE)[number])?.focus({preventScroll: true});
  }
  for (const [id, {element}] of before) if (!now.has(id)) element.remove();
  known.set(parent, now);
}

/** A function that asks for `load()`, which runs once in `least` milliseconds at most, until `signal` is aborted. */
export function seldom(load, signal, least) {
  let timer = null;
  let isAsked = false;
  async function run() {
    isAsked = false;
    await load().catch((error) => { if (!signal.aborted && error.name !== 'TypeError') console.error(error); });
    timer = null;
    if (isAsked) ask();
  }
  function ask() {
    isAsked = true;
    if (!signal.aborted) timer ??= setTimeout(run, least);
  }
  signal.addEventListener('abort', () => clearTimeout(timer));
  return ask;
}
