import type { IClientOptions } from 'mqtt';
import { type BrokerAccess, LEAST_TLS } from './broker-config.ts';

/** What every MQTT client of ours is made with, whoever it is for. */
export const clientOptions = ({ username, password, ca, cert, key }: BrokerAccess) =>
  ({
    protocolVersion: 5,
    clean: true,
    connectTimeout: 10_000,
    // Connecting again is ours: every connection is a new client object.
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    timerVariant: 'native',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...LEAST_TLS,
  }) satisfies IClientOptions;
