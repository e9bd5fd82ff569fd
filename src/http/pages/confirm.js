'use strict';

// Where the links of mails lead while there is no front end that takes them. The fragment names a mutation and carries its
// token, as in #verifyEmail=TOKEN. Nothing is sent before a person asks for it, because mail scanners open every link.

const DOCUMENTS = {
  verifyEmail: ['VerifyEmailInput', '... on VerifyEmailSuccess { email }'],
  resetPassword: ['ResetPasswordInput', '... on ResetPasswordSuccess { endedSessions }'],
  confirmEmailChange: ['ConfirmEmailChangeInput', '... on ConfirmEmailChangeSuccess { email }'],
};
const find = (id) => document.getElementById(id);

// What is on display: an operation with its token, and how far it has come (asking, working, done, used); or missing.
let state = { phase: 'missing' };
// Why the last try failed, as a function of the texts, so that it can be said in the other language too.
let problem = null;
let language = null;

// ---------------------------------------------------------------------------------------------------------------- link

function read() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  // The token leaves the address bar at once, and with it the history and whatever is shared or synchronised from there.
  history.replaceState(null, '', location.pathname + location.search);
  const operation = Object.keys(DOCUMENTS).find((name) => fragment.get(name));
  state = operation ? { phase: 'asking', operation, token: fragment.get(operation) } : { phase: 'missing' };
  problem = null;
  find('password').value = '';
  reveal(false);
  show();
}

// ------------------------------------------------------------------------------------------------------------- display

function show() {
  const texts = TEXTS[language];
  const { phase, operation, result } = state;
  const words = texts[operation];
  const [title, text] = {
    missing: () => texts.missing,
    asking: () => words.ask,
    working: () => words.ask,
    done: () => words.done(result),
    used: () => [texts.used, words.used],
  }[phase]();
  const isOpen = phase === 'asking' || phase === 'working';
  document.documentElement.lang = language;
  document.title = title;
  find('title').textContent = title;
  find('text').textContent = text;
  document.body.dataset.phase = phase;
  find('form').hidden = !isOpen;
  find('choice').hidden = operation !== 'resetPassword';
  find('label').textContent = texts.password.label;
  find('hint').textContent = texts.password.hint;
  find('act').textContent = phase === 'working' ? texts.working : (words?.act ?? '');
  // Not `disabled`, which would take the focus away.
  find('act').setAttribute('aria-disabled', phase === 'working');
  const sentence = problem?.(texts) ?? '';
  if (find('problem').textContent !== sentence) find('problem').textContent = sentence;
  find('problem').hidden = !sentence;
  find('password').setAttribute('aria-invalid', Boolean(sentence));
  reveal(find('password').type === 'text');
  for (const button of find('languages').children) button.setAttribute('aria-pressed', button.lang === language);
}

function reveal(isShown) {
  find('password').type = isShown ? 'text' : 'password';
  find('reveal').setAttribute('aria-pressed', isShown);
  find('reveal').textContent = TEXTS[language].password[isShown ? 'hide' : 'show'];
}

// -------------------------------------------------------------------------------------------------------------- action

async function ask(operation, input) {
  const [type, success] = DOCUMENTS[operation];
  const query = `mutation ($input: ${type}!) { result: ${operation}(input: $input) { __typename ${success}
    ... on AuthFailure { code retryAfterSeconds fields { code } } } }`;
  const response = await fetch('graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ query, variables: { input } }),
  });
  return (await response.json()).data.result;
}

// The sentence for an AuthFailure. Codes may be added on the server, so there is one for all others.
function refusal({ code, retryAfterSeconds, fields }) {
  return (texts) => {
    const field = fields.map((one) => texts.fields[one.code]).find(Boolean);
    if (field) return field;
    const seconds = retryAfterSeconds ?? 60;
    const wait = seconds < 100 ? texts.seconds(seconds) : texts.minutes(Math.ceil(seconds / 60));
    return texts.refused[code]?.(wait) ?? texts.otherwise;
  };
}

async function submit(event) {
  event.preventDefault();
  if (state.phase !== 'asking') return;
  const { operation, token } = state;
  const password = find('password');
  const needsPassword = operation === 'resetPassword';
  if (needsPassword && !password.value) {
    fail((texts) => texts.fields.REQUIRED);
    return;
  }
  // Password managers keep what was in a field of this kind.
  reveal(false);
  problem = null;
  state = { ...state, phase: 'working' };
  show();
  try {
    const result = await ask(operation, needsPassword ? { token, newPassword: password.value } : { token });
    if (result.__typename !== 'AuthFailure') finish({ phase: 'done', operation, result });
    else if (result.code === 'MAIL_TOKEN_INVALID') finish({ phase: 'used', operation });
    else fail(refusal(result));
  } catch {
    fail((texts) => texts.unreachable);
  }
}

function fail(sentence) {
  problem = sentence;
  state = { ...state, phase: 'asking' };
  show();
  if (state.operation === 'resetPassword') find('password').focus();
}

function finish(next) {
  state = next;
  find('password').value = '';
  show();
  // What had the focus is gone; the result is read out.
  find('title').focus();
}

// --------------------------------------------------------------------------------------------------------------- start

const wanted = [new URLSearchParams(location.search).get('lang'), ...navigator.languages].filter(Boolean);
language = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in TEXTS) ?? 'en';

find('form').addEventListener('submit', submit);
find('reveal').addEventListener('click', () => reveal(find('password').type === 'password'));
for (const button of find('languages').children) {
  button.addEventListener('click', () => {
    language = button.lang;
    show();
  });
}
// Another link of a mail, pasted over this one. Replacing the state of the history does not come here.
window.addEventListener('hashchange', () => location.hash && read());

find('languages').hidden = false;
read();
