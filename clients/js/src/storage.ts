/** Where the refresh token is kept between pages, for storages that script can write to. */

/** Keeps one refresh token. Write your own for a keychain, for example. */
export interface TokenStorage {
  /** The token; `null` when there is none; `undefined` when only the server can see it. */
  read(): Promise<string | null | undefined>;
  /** Must have stored it for good when it resolves: the server gives each token out until it sees the next one used. */
  write(token: string): Promise<void>;
  clear(): Promise<void>;
}

/** Lives as long as the page or process. */
export function memoryStorage(): TokenStorage {
  let token: string | null = null;
  return {
    read: async () => token,
    write: async (next) => void (token = next),
    clear: async () => void (token = null),
  };
}

/** The token is in the server's HttpOnly cookie, which no script can read. */
export const cookieStorage: TokenStorage = {
  read: async () => undefined,
  write: async () => {},
  clear: async () => {},
};

/**
 * The browser's database, under `key`. It is shared by all tabs, and what one has written the next one reads, which
 * localStorage does not promise.
 */
export function indexedDbStorage(key: string): TokenStorage {
  const STORE = "refresh-tokens";

  async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("authql", 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    try {
      return await new Promise<T>((resolve, reject) => {
        const transaction = database.transaction(STORE, mode, { durability: "strict" });
        const request = act(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  }

  return {
    read: async () => (await run<string | undefined>("readonly", (store) => store.get(key))) ?? null,
    write: async (token) => void (await run("readwrite", (store) => store.put(token, key))),
    clear: async () => run("readwrite", (store) => store.delete(key)),
  };
}
