import { readFileSync } from 'node:fs';
import { EdgeError, messageOf } from '../errors.ts';
import type { Config } from './config.ts';

/** How to reach a broker, with what its files hold. */
export interface BrokerAccess {
  /** `mqtt://` or `mqtts://`; a client that is not the robot may use `ws://` and `wss://` too */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM */
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/**
 * The broker of a configuration, or `undefined` if there is none.
 * @throws EdgeError `fileUnreadable`
 */
export function brokerAccess({ broker }: Config): BrokerAccess | undefined {
  if (broker.url === '') return undefined;
  const { url, username, passwordFile, caFile } = broker;
  return {
    url,
    ...(username !== '' && { username }),
    ...(passwordFile !== '' && { password: read(passwordFile).toString('utf8').trimEnd() }),
    ...(caFile !== '' && { ca: read(caFile) }),
  };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read ${path}: ${messageOf(error)}`,
      'see `broker` in the configuration',
    );
  }
}
