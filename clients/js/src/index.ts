export { createAuth } from "./auth.js";
export type {
  Auth,
  AuthOptions,
  AuthState,
  LoginSuccess,
  LogoutSuccess,
  RegisterInput,
  RegisterSuccess,
  SignedOutReason,
} from "./auth.js";
export type { AuthErrorCode, FieldErrorCode } from "./codes.js";
export { AuthUnavailableError } from "./server.js";
export type { AuthFailure, FieldError } from "./server.js";
export type { TokenStorage } from "./storage.js";
export { describe, describeField, describeUnavailable } from "./texts.js";
export type { Language } from "./texts.js";
