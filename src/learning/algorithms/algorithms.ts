import { cql } from './cql.ts';
import { darc } from './darc.ts';
import { darcPlus } from './darc-plus.ts';
import { h2o } from './h2o.ts';
import { h2oPlus } from './h2o-plus.ts';
import { mix } from './mix.ts';
import { sac } from './sac.ts';

/** Every algorithm, by the name that commands and manifests use. */
export const algorithms = { sac, cql, darc, 'darc+': darcPlus, h2o, 'h2o+': h2oPlus, mix } as const;
export type AlgorithmName = keyof typeof algorithms;
export const algorithmNames = Object.keys(algorithms) as readonly AlgorithmName[];
