'use strict';

// What the page says, in each of its languages: for each operation what it asks (ask), what the button says (act), and how it
// ended (done; used: the token works no longer). `refused` has the codes of AuthFailure, `fields` those of FieldError.

const TEXTS = {
  en: {
    verifyEmail: {
      ask: ['Confirm your address', 'Please confirm that the mail with this link came to your own address.'],
      act: 'Confirm my address',
      done: ({ email }) => ['Your address is confirmed', `Thank you: we know now that mails to ${email} reach you. You can close this page.`],
      used: 'It has been used already, or has expired. If you have confirmed your address before, all is well. Otherwise ask for another mail where you sign in.',
    },
    resetPassword: {
      ask: ['Set a new password', 'Choose a new password for your account. You sign in afresh with it on all your devices.'],
      act: 'Set the password',
      done: () => ['Your new password is set', 'Sign in with it from now on. You have been signed out everywhere, to be safe.'],
      used: 'It has been used already, or has expired. Ask for another one where you sign in.',
    },
    confirmEmailChange: {
      ask: ['Use this address', 'Please confirm that your account moves to the address that the mail with this link came to.'],
      act: 'Use this address',
      done: ({ email }) => ['Your address was changed', `Your account is at ${email} now: sign in with this address. You can close this page.`],
      used: 'It has been used already, or has expired. If your account has moved before, all is well. Otherwise ask for the change again.',
    },
    missing: ['This link is not complete', 'Please open the link in your mail once more, or copy the whole of it into the address bar.'],
    used: 'This link does not work any more',
    working: 'One moment …',
    password: { label: 'New password', hint: 'It should be hard to guess: several words are good.', show: 'Show', hide: 'Hide' },
    refused: {
      VALIDATION_FAILED: () => 'The server does not accept this. Please check what you have entered.',
      RATE_LIMITED: (wait) => `There have been too many attempts. Please try again in ${wait}.`,
    },
    fields: {
      REQUIRED: 'Please enter a password.',
      INVALID_FORMAT: 'This password has characters that cannot be used.',
      TOO_SHORT: 'This password is too short. Please add to it.',
      TOO_LONG: 'This password is too long. Please shorten it.',
      TOO_COMMON: 'This password is too easy to guess. Please choose another one, such as several words that do not belong together.',
    },
    otherwise: 'This was refused. Please try again later.',
    unreachable: 'The server cannot answer at the moment. Please try again soon.',
    seconds: (count) => `${count} s`,
    minutes: (count) => `${count} min`,
  },
  ru: {
    verifyEmail: {
      ask: ['Подтвердите адрес', 'Пожалуйста, подтвердите, что письмо с этой ссылкой пришло на ваш адрес.'],
      act: 'Подтвердить адрес',
      done: ({ email }) => ['Адрес подтверждён', `Спасибо! Теперь мы знаем, что письма на ${email} до вас доходят. Эту страницу можно закрыть.`],
      used: 'Она уже использована, или срок её действия истёк. Если вы подтвердили адрес раньше, всё в порядке. Если нет, запросите новое письмо на странице входа.',
    },
    resetPassword: {
      ask: ['Новый пароль', 'Придумайте новый пароль. С ним нужно будет заново войти на всех ваших устройствах.'],
      act: 'Задать пароль',
      done: () => ['Новый пароль задан', 'Теперь входите с ним. Для безопасности на всех ваших устройствах выполнен выход.'],
      used: 'Она уже использована, или срок её действия истёк. Запросите новую на странице входа.',
    },
    confirmEmailChange: {
      ask: ['Новый адрес', 'Пожалуйста, подтвердите, что вашу учётную запись нужно перенести на адрес, на который пришло письмо с этой ссылкой.'],
      act: 'Подтвердить новый адрес',
      done: ({ email }) => ['Адрес изменён', `Теперь адрес вашей учётной записи — ${email}, входите с ним. Эту страницу можно закрыть.`],
      used: 'Она уже использована, или срок её действия истёк. Если учётная запись уже перенесена, всё в порядке. Если нет, запросите смену адреса ещё раз.',
    },
    missing: ['Ссылка неполная', 'Пожалуйста, откройте ссылку из письма ещё раз или скопируйте её в адресную строку целиком.'],
    used: 'Эта ссылка больше не действует',
    working: 'Одну минуту …',
    password: { label: 'Новый пароль', hint: 'Его должно быть трудно угадать: подойдут несколько слов.', show: 'Показать', hide: 'Скрыть' },
    refused: {
      VALIDATION_FAILED: () => 'Сервер этого не принимает. Пожалуйста, проверьте, что вы ввели.',
      RATE_LIMITED: (wait) => `Слишком много попыток. Пожалуйста, повторите через ${wait}.`,
    },
    fields: {
      REQUIRED: 'Пожалуйста, введите пароль.',
      INVALID_FORMAT: 'В этом пароле есть знаки, которые нельзя использовать.',
      TOO_SHORT: 'Этот пароль слишком короткий. Пожалуйста, сделайте его длиннее.',
      TOO_LONG: 'Этот пароль слишком длинный. Пожалуйста, сделайте его короче.',
      TOO_COMMON: 'Этот пароль слишком легко угадать. Пожалуйста, придумайте другой: например, из нескольких не связанных друг с другом слов.',
    },
    otherwise: 'Сервер отказал. Пожалуйста, повторите позже.',
    unreachable: 'Сервер сейчас не может ответить. Пожалуйста, повторите попытку чуть позже.',
    seconds: (count) => `${count} с`,
    minutes: (count) => `${count} мин`,
  },
};
