import {h} from './dom.js';
import {learn, t} from './words.js';
import words from './exchange.words.js';

learn(words);

export async function show(root, place) {
  root.append(h('h1', {}, t('exchange.title')));
}
