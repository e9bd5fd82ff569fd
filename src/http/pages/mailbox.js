'use strict';

// The mails that authql would have sent, or samples of all that it could send: a list, and one of them opened. What follows
// the # in the address is the id of the opened mail, the language of samples (en, ru), or the id of a sample (en/welcome), so
// that links, the back button and a reload work without further ado.

const PAUSE = 2000;
const find = (id) => document.getElementById(id);

const samplesIn = () => location.hash.match(/^#(en|ru)(\/|$)/)?.[1];
const view = () => samplesIn() ?? '';

let mails = [];
// Which of the views `mails` are of.
let loaded = '';
// Newest first, as the server sends them; an entry stays the same element, so that it keeps the keyboard focus.
const entries = new Map();
// What had been there before the page was opened does not count as new.
const seen = new Set();
let first = true;
// The mail on display, so that it is not loaded again (and scrolled back) with every refresh.
let shown = null;
const isSame = (one, other) => one && other && ['id', 'subject', 'text', 'html'].every((part) => one[part] === other[part]);

// ---------------------------------------------------------------------------------------------------------------- list

function entry(mail) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = `#${mail.id}`;
  const line = (name, text) => {
    const span = document.createElement('span');
    span.className = name;
    span.textContent = text;
    link.append(span);
  };
  line('subject', mail.subject);
  line('when', samplesIn() ? '' : short(mail.date));
  line('to', samplesIn() ? mail.kind.replaceAll('_', ' ') : mail.to);
  item.append(link);
  return item;
}

function short(date) {
  const moment = new Date(date);
  return moment.toDateString() === new Date().toDateString()
    ? moment.toLocaleTimeString([], { timeStyle: 'short' })
    : moment.toLocaleDateString([], { dateStyle: 'medium' });
}

function update(next) {
  mails = next;
  // Samples change when their templates do.
  for (const mail of mails) {
    const subject = entries.get(mail.id)?.querySelector('.subject');
    if (subject && subject.textContent !== mail.subject) subject.textContent = mail.subject;
  }
  const ids = new Set(mails.map((mail) => mail.id));
  for (const [id, item] of entries) {
    if (ids.has(id)) continue;
    item.remove();
    entries.delete(id);
  }
  // From the oldest on, so that each new entry goes to the top.
  for (const mail of [...mails].reverse()) {
    if (entries.has(mail.id)) continue;
    if (first || samplesIn()) seen.add(mail.id);
    entries.set(mail.id, entry(mail));
    find('list').prepend(entries.get(mail.id));
  }
  if (!samplesIn()) first = false;
  show();
}

// ---------------------------------------------------------------------------------------------------------------- mail

function show() {
  const named = mails.find((mail) => `#${mail.id}` === location.hash);
  // When nobody has chosen yet, the first one displayed stays, even when newer ones arrive while it is being read.
  const mail = named ?? mails.find(({ id }) => id === shown?.id) ?? mails[0];
  find('box').hidden = !mail;
  find('empty').hidden = Boolean(mail || samplesIn());
  find('back').href = `#${view()}`;
  for (const link of find('views').children) {
    if (link.getAttribute('href') === `#${view()}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  // On a phone there is room for one of the two; the style sheet decides by this class.
  document.body.classList.toggle('reading', Boolean(named));
  if (mail) open(mail);
  shown = mail ?? null;

  for (const [id, item] of entries) {
    const link = item.firstChild;
    if (id === shown?.id) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
    item.classList.toggle('new', !seen.has(id));
  }
  const news = mails.filter(({ id }) => !seen.has(id)).length;
  document.title = `${news ? `(${news}) ` : ''}Mailbox – authql`;
  say(mails.length ? `${mails.length === 1 ? '1 mail' : `${mails.length} mails`}${news ? `, ${news} new` : ''}` : '');
}

function open(mail) {
  seen.add(mail.id);
  if (isSame(mail, shown)) return;
  find('subject').textContent = mail.subject;
  find('from').textContent = mail.from;
  find('to').textContent = mail.to;
  find('kind').textContent = mail.kind;
  find('date').dateTime = mail.date;
  find('date').textContent = new Date(mail.date).toLocaleString([], { dateStyle: 'full', timeStyle: 'medium' });
  find('text').textContent = mail.text;
  // A new frame for each mail: giving another content to the old one would add a step to what the back button does.
  const frame = find('html').cloneNode();
  // The mail's own doctype and <head> may follow: the parser ignores the one and merges the other.
  frame.srcdoc = `<!doctype html><base target="_blank">${mail.html}`;
  find('html').replaceWith(frame);
}

function say(text) {
  // Only a change is written, because every writing is read out.
  if (find('status').textContent !== text) find('status').textContent = text;
}

function complain(problem) {
  if (find('problem').textContent !== problem) find('problem').textContent = problem;
  find('problem').hidden = !problem;
}

// ---------------------------------------------------------------------------------------------------------------- tabs

const tabs = [find('tab-html'), find('tab-text')];

function choose(chosen) {
  for (const tab of tabs) {
    tab.setAttribute('aria-selected', tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
    find(tab.getAttribute('aria-controls')).hidden = tab !== chosen;
  }
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener('click', () => choose(tab));
  tab.addEventListener('keydown', ({ key }) => {
    if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
    const other = tabs[1 - index];
    choose(other);
    other.focus();
  });
}

// ------------------------------------------------------------------------------------------------------------ movement

find('list').addEventListener('keydown', (event) => {
  const item = event.target.closest('li');
  const next = { ArrowUp: item?.previousSibling, ArrowDown: item?.nextSibling }[event.key];
  if (!next) return;
  event.preventDefault();
  next.firstChild.focus();
});

window.addEventListener('hashchange', async () => {
  if (view() === loaded) show();
  else await refresh();
  // On a phone the half that had the focus is gone, so it moves to the other.
  const link = entries.get(shown?.id)?.firstChild;
  if (!link?.checkVisibility()) find('subject').focus();
  else if (!location.hash) link.focus();
});

// ------------------------------------------------------------------------------------------------------------- refresh

async function refresh() {
  // A page in the background asks nothing; it catches up when it is looked at again.
  if (!document.hidden) {
    const wanted = view();
    try {
      const response = await fetch(wanted ? 'mailbox/samples.json' : 'mailbox.json', { cache: 'no-store' });
      if (!response.ok) throw new Error(response.statusText);
      const answer = await response.json();
      // Meanwhile somebody may have gone elsewhere.
      if (view() === wanted) {
        loaded = wanted;
        complain(answer.problem ?? '');
        // While the templates are broken, the last good samples stay.
        if (!answer.problem) update(answer.mails.filter(({ id }) => !wanted || id.startsWith(`${wanted}/`)));
      }
    } catch {
      say('The server does not answer. Trying again …');
    }
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE);
}

let timer = null;
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});

choose(find('tab-html'));
refresh();
