/**
 * Who is signed in. The token is in the memory of this page and nowhere else: no script of another page and no
 * extension of the browser finds it in a storage, and it ends with the page.
 */
import { useSyncExternalStore } from "react";
import { ApiError, api, bodyOf, provideToken } from "../../lib/api/client";
import type { components } from "../../lib/api/schema";
import { addBreadcrumb, setUser } from "../../lib/sentry";

export type User = components["schemas"]["User"];

export interface Session {
  user: User | null;
  /** Whether a sign-in was refused by the API as no longer valid. */
  hasExpired: boolean;
}

const UNAUTHORIZED = 401;

let token: string | null = null;
let session: Session = { user: null, hasExpired: false };
const subscribers = new Set<() => void>();

provideToken(() => token);

function become(next: Session): void {
  session = next;
  for (const notify of subscribers) {
    notify();
  }
}

function end(hasExpired: boolean): void {
  token = null;
  // By id alone; null takes it back.
  setUser(null);
  become({ user: null, hasExpired });
}

/** Asks the API who is signed in. A token that it no longer takes ends the session. */
export async function refresh(): Promise<void> {
  const asked = token;
  try {
    const user = await bodyOf(api.GET("/api/v1/me"));
    // Who has signed out meanwhile, or in as somebody else, is not brought back by a late answer.
    if (asked === token) {
      setUser(user.id);
      become({ user, hasExpired: false });
    }
  } catch (error) {
    if (asked !== token) {
      return;
    }
    if (!(error instanceof ApiError) || error.status !== UNAUTHORIZED) {
      throw error;
    }
    addBreadcrumb("The sign-in has expired", "auth");
    end(true);
  }
}

/** Signs in with the API's sign-in for development. With a provider of your own, `takeToken` is all you need. */
export async function signIn(name: string): Promise<void> {
  const answer = await bodyOf(api.POST("/api/v1/auth/sign-in", { body: { name } }));
  await takeToken(answer.access_token);
}

/** Begins a session with a token, from wherever it comes. There is none while the API cannot say whose it is. */
export async function takeToken(given: string): Promise<void> {
  token = given;
  try {
    await refresh();
  } catch (error) {
    if (token === given) {
      // The page would name nobody, or who was there before, and its requests would carry this one's token.
      end(false);
    }
    throw error;
  }
}

export function signOut(): void {
  addBreadcrumb("Signed out", "auth");
  end(false);
}

function subscribe(notify: () => void): () => void {
  subscribers.add(notify);
  return () => subscribers.delete(notify);
}

/** The session, for components. */
export const useSession = (): Session => useSyncExternalStore(subscribe, () => session);
