import assert from "node:assert/strict";
import { test } from "node:test";

import { type AuthErrorCode, describe, describeField } from "../src/index.js";

test("a code has a text in each language", () => {
  const code: AuthErrorCode = "INVALID_CREDENTIALS";
  assert.equal(describe({ code, message: "no" }), "The e-mail address or the password is wrong.");
  assert.equal(describe({ code, message: "no" }, "ru"), "Неверный адрес почты или пароль.");
  assert.equal(describeField({ code: "TOO_SHORT", message: "no" }, "ru"), "Слишком коротко.");
});

test("a code of a later server gets the server's words", () => {
  assert.equal(describe({ code: "MERCURY_IN_RETROGRADE", message: "Wait for the stars." }, "ru"), "Wait for the stars.");
});

test("a code that does not exist does not compile", () => {
  // @ts-expect-error: misspelt.
  const code: AuthErrorCode = "INVALID_CREDENTIAL";
  assert.equal(describe({ code, message: "as the server says" }), "as the server says");
});
