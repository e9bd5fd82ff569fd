/** Texts for people. A code that the schema has and that has no text here does not compile. */

import type { AuthErrorCode, FieldErrorCode } from "./codes.js";

export type Language = "en" | "ru";

const codesInEnglish = {
  VALIDATION_FAILED: "Please check what you have entered.",
  INVALID_CREDENTIALS: "The e-mail address or the password is wrong.",
  EMAIL_NOT_VERIFIED: "Please confirm your e-mail address first: we have sent you a link.",
  EMAIL_TAKEN: "There is an account with this e-mail address already.",
  REFRESH_TOKEN_INVALID: "You have been signed out. Please sign in again.",
  REFRESH_TOKEN_REUSED: "You have been signed out to be safe: someone else may have used your session.",
  MAIL_TOKEN_INVALID: "This link has been used, or is too old. Please ask for a new one.",
  NOT_FOUND: "This is no longer there.",
  RATE_LIMITED: "Too many attempts. Please wait a little.",
};

const codesInRussian = {
  VALIDATION_FAILED: "Проверьте введённые данные.",
  INVALID_CREDENTIALS: "Неверный адрес почты или пароль.",
  EMAIL_NOT_VERIFIED: "Сначала подтвердите адрес почты: мы отправили вам ссылку.",
  EMAIL_TAKEN: "Учётная запись с этим адресом почты уже есть.",
  REFRESH_TOKEN_INVALID: "Сеанс завершён. Войдите снова.",
  REFRESH_TOKEN_REUSED: "Сеанс завершён из предосторожности: возможно, им воспользовался кто-то другой.",
  MAIL_TOKEN_INVALID: "Ссылка уже использована или устарела. Запросите новую.",
  NOT_FOUND: "Этого больше нет.",
  RATE_LIMITED: "Слишком много попыток. Немного подождите.",
};

const codes: Record<Language, Record<AuthErrorCode, string>> = { en: codesInEnglish, ru: codesInRussian };

const fields: Record<Language, Record<FieldErrorCode, string>> = {
  en: {
    REQUIRED: "This is needed.",
    INVALID_FORMAT: "This is not written correctly.",
    TOO_SHORT: "This is too short.",
    TOO_LONG: "This is too long.",
    TOO_COMMON: "This is too easy to guess.",
  },
  ru: {
    REQUIRED: "Заполните это поле.",
    INVALID_FORMAT: "Проверьте, как это написано.",
    TOO_SHORT: "Слишком коротко.",
    TOO_LONG: "Слишком длинно.",
    TOO_COMMON: "Это слишком легко угадать.",
  },
};

const unavailable: Record<Language, string> = {
  en: "The server cannot be reached. Please try again.",
  ru: "Сервер недоступен. Попробуйте ещё раз.",
};

/** What to show for an `AuthFailure`. A code that this package does not know yet gets the server's own message. */
export function describe(failure: { code: string; message: string }, language: Language = "en"): string {
  return (codes[language] as Record<string, string>)[failure.code] ?? failure.message;
}

/** What to show beside an input field. */
export function describeField(error: { code: string; message: string }, language: Language = "en"): string {
  return (fields[language] as Record<string, string>)[error.code] ?? error.message;
}

/** What to show for anything that was thrown: nobody but the server can do something about it. */
export function describeUnavailable(language: Language = "en"): string {
  return unavailable[language];
}
