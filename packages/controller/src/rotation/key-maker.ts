import { generateHostKey, generateRsaKey, type PrivateKey, type RsaKey } from '@dr-syncer/ssh';

/** What makes keys; `whose` goes into their comments. */
export type MakesKeys = Pick<KeyMaker, 'clientKey' | 'hostKeys'>;

/**
 * Makes keys one after the other. Each keeps a thread of the pool busy for seconds, and many rotations that fall due
 * together must not take all of them from what else the process reads and resolves.
 */
export class KeyMaker {
  readonly #now: () => Date;
  #last: Promise<unknown> = Promise.resolve();

  constructor(now: () => Date = () => new Date()) {
    this.#now = now;
  }

  /** RSA-4096. @param whose for the comment, which also says when the key was made */
  clientKey(whose: string, signal: AbortSignal): Promise<RsaKey> {
    return this.#inTurn(() => generateRsaKey(4096, this.#comment(whose)), signal);
  }

  /** An ed25519 and an RSA-4096 key. */
  hostKeys(whose: string, signal: AbortSignal): Promise<readonly PrivateKey[]> {
    return this.#inTurn(async () => {
      const comment = this.#comment(whose);
      return [await generateHostKey('ed25519', comment), await generateHostKey('rsa', comment)];
    }, signal);
  }

  #comment(whose: string): string {
    return `${whose} ${this.#now().toISOString()}`;
  }

  /** @throws the reason of the signal when it was aborted before its turn */
  #inTurn<T>(make: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const made = this.#last.then(() => {
      signal.throwIfAborted();
      return make();
    });
    this.#last = made.catch(() => undefined);
    return made;
  }
}
