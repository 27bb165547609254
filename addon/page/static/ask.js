// A question before something is changed: a dialog, which gives the focus back to where it was.

import {h} from './dom.js';
import {learn, t} from './words.js';
import words from './ask.words.js';

learn(words);

/** Whether the reader agrees. `text`: paragraphs; `action`: what the button says; it ends with `signal`. */
export function ask({title, text, action, isDangerous = false}, signal) {
  return new Promise((resolve) => {
    const agree = h(isDangerous ? 'button.danger' : 'button.main', {value: 'yes'}, action);
    const dialog = h('dialog.question', {'aria-labelledby': 'question-title'},
      h('h2', {id: 'question-title'}, title),
      text.map((paragraph) => h('p', {}, paragraph)),
      h('form.row.answers', {method: 'dialog'}, h('button', {value: 'no', autofocus: true}, t('ask.cancel')), agree));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes' && !signal.aborted);
    });
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close('no'); // beside it
    });
    signal.addEventListener('abort', () => dialog.close('no'), {once: true});
    document.body.append(dialog);
    dialog.showModal();
  });
}
