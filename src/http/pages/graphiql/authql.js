'use strict';

// GraphiQL with the way through authql laid out: tabs that can be run from left to right without typing, and a fetcher
// that carries the tokens from one to the next. The vendored files have defined React, ReactDOM and GraphiQL.

// ---------------------------------------------------------------------------------------------------------------- tabs

const failure = `... on AuthFailure {
      code
      message
      fields { path code message }
    }`;
const tokens = `tokens {
        accessToken
        accessTokenExpiresAt
        refreshToken
        refreshTokenExpiresAt
      }`;

// The input is written into the first two, because GraphiQL forgets the variables of the tab that it starts with. A tab
// takes its title from the name of the operation.
const queries = [
  `# 1 of 5. Press the round button (or Ctrl-Enter),
# then do so in the other tabs, from left to right.
# Without an SMTP server, the mail is at /mailbox.
mutation Register {
  register(
    input: {
      email: "ada@example.com"
      password: "correct horse battery staple"
      name: "Ada"
    }
  ) {
    __typename
    ... on RegisterSuccess {
      email
    }
    ${failure}
  }
}
`,
  `# 2 of 5. This page remembers the tokens it gets.
mutation LogIn {
  login(
    input: {
      email: "ada@example.com"
      password: "correct horse battery staple"
    }
  ) {
    __typename
    ... on LoginSuccess {
      user { id email emailVerified }
      ${tokens}
    }
    ${failure}
  }
}
`,
  `# 3 of 5. This page adds the access token, unless
# the Headers editor has an "Authorization".
query Me {
  me {
    id
    email
    emailVerified
    name
    locale
    createdAt
  }
}
`,
  `# 4 of 5. This page fills in $refreshToken, unless
# the Variables editor has one.
mutation Refresh($refreshToken: String) {
  refresh(input: { refreshToken: $refreshToken }) {
    __typename
    ... on RefreshSuccess {
      ${tokens}
    }
    ${failure}
  }
}
`,
  `# 5 of 5. The session and its tokens end at once.
mutation LogOut($refreshToken: String) {
  logout(input: { refreshToken: $refreshToken }) {
    __typename
    ... on LogoutSuccess {
      endedSessions
    }
    ${failure}
  }
}
`,
];

// ------------------------------------------------------------------------------------------------------------- session

// Session storage survives a reload and ends with the browser tab, which is the right life for tokens of a trial.
const KEY = 'authql:session';
let session = JSON.parse(sessionStorage.getItem(KEY));

function remember(next) {
  session = next;
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
  describe();
}

function describe() {
  const line = document.getElementById('session');
  if (session) {
    const name = session.email ? ` as ${session.email}` : '';
    const end = session.accessTokenExpiresAt;
    const until = end ? `, until ${new Date(end).toLocaleTimeString()}` : '';
    line.textContent = `Signed in${name}. The access token is sent by itself${until}.`;
  } else {
    line.textContent = 'Not signed in. After a login, the access token is sent by itself.';
  }
  document.getElementById('forget').hidden = !session;
}

/** Reads from an answer what it means for the session. `sent` tells which of its tokens this page had put in. */
function learn({ data, errors }, sent) {
  for (const outcome of Object.values(data ?? {})) {
    if (outcome?.tokens?.accessToken) {
      remember({ email: outcome.user?.email ?? session?.email, ...outcome.tokens });
    } else if (['LogoutSuccess', 'DeleteAccountSuccess'].includes(outcome?.__typename)) {
      remember(null);
    } else if (sent.refreshToken && outcome?.code?.startsWith('REFRESH_TOKEN_')) {
      remember(null);
    }
  }
  // An expired access token is kept: Refresh is what the reader will want to try next.
  const over = ['SESSION_ENDED', 'TOKEN_INVALID'];
  if (sent.accessToken && errors?.some((error) => over.includes(error.extensions?.reason))) remember(null);
}

// ------------------------------------------------------------------------------------------------------------- fetcher

async function fetcher({ query, operationName, variables }, options) {
  const headers = new Headers({
    accept: 'application/graphql-response+json, application/json',
    'content-type': 'application/json',
  });
  for (const [name, value] of Object.entries(options?.headers ?? {})) headers.set(name, value);

  const sent = {
    accessToken: session && !headers.has('authorization'),
    // GraphiQL has the whole document; a variable that the chosen operation does not declare is ignored by the server.
    refreshToken: session?.refreshToken && /\$refreshToken\b/.test(query) && !variables?.refreshToken,
  };
  // GraphiQL notices a tenth of a second after a tab is shown what its operation is called.
  if (operationName && !new RegExp(`\\b${operationName}\\b`).test(query)) operationName = undefined;
  if (sent.accessToken) headers.set('authorization', `Bearer ${session.accessToken}`);
  if (sent.refreshToken) variables = { ...variables, refreshToken: session.refreshToken };

  const response = await fetch(location.pathname, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query, operationName, variables }),
  });
  if (!response.headers.get('content-type')?.includes('json')) {
    throw new Error(`The answer is not JSON: ${response.status} ${response.statusText}`);
  }
  const result = await response.json();
  learn(result, sent);
  return result;
}

// ---------------------------------------------------------------------------------------------------------------- page

document.getElementById('forget').addEventListener('click', () => remember(null));
describe();

const props = {
  fetcher,
  defaultTabs: queries.map((query) => ({ query })),
  // GraphiQL's history keeps headers whatever `shouldPersistHeaders` says, and here even a query holds passwords and
  // tokens. So all of its state goes the way of the tokens instead of staying on disk in local storage.
  shouldPersistHeaders: false,
  storage: sessionStorage,
};
ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, props, React.createElement(GraphiQL.Logo, null, 'authql')),
);
