import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { asyncApiYaml } from '../../messages/asyncapi.ts';
import { configReference } from '../../messages/config-reference.ts';
import { loadRobot } from '../../robot/robot.ts';
import { failsafeReference } from '../../safety/failsafe-reference.ts';

/** A documentation file that is made from the schemas. */
export interface GeneratedDoc {
  readonly path: string;
  readonly text: string;
}

const inDocs = (name: string) => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));

/** Every generated documentation file as it must be. */
export function generatedDocs(): GeneratedDoc[] {
  return [
    { path: inDocs('asyncapi.yaml'), text: asyncApiYaml() },
    { path: inDocs('configuration.md'), text: configReference() },
    { path: inDocs('failsafe.md'), text: failsafeReference(loadRobot('wheel-legged')) },
  ];
}

/** Those whose file is missing or says something else. */
export function staleDocs(): GeneratedDoc[] {
  return generatedDocs().filter(({ path, text }) => {
    try {
      return readFileSync(path, 'utf8') !== text;
    } catch {
      return true;
    }
  });
}
