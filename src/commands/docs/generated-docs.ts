import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { recipeReference } from '../../learning/recipes/recipe-reference.ts';
import { asyncApiYaml } from '../../messages/asyncapi.ts';
import { configReference } from '../../messages/config-reference.ts';
import { anyoneAcl, certificateAcl } from '../../messages/mosquitto-acl.ts';
import { loadRobot } from '../../robot/robot.ts';
import { failsafeReference } from '../../safety/failsafe-reference.ts';
import { trainerConfigReference } from '../../trainer/config-reference.ts';

/** A file of the documentation, or for a broker, that is made from the schemas. */
export interface GeneratedDoc {
  readonly path: string;
  readonly text: string;
}

const inProject = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Every generated documentation file as it must be. */
export function generatedDocs(): GeneratedDoc[] {
  return [
    { path: inProject('docs/asyncapi.yaml'), text: asyncApiYaml() },
    { path: inProject('docs/configuration.md'), text: configReference() },
    { path: inProject('docs/trainer-configuration.md'), text: trainerConfigReference() },
    { path: inProject('docs/recipes.md'), text: recipeReference() },
    { path: inProject('docs/failsafe.md'), text: failsafeReference(loadRobot('wheel-legged')) },
    { path: inProject('systemd/mosquitto/certificate.acl'), text: certificateAcl() },
    { path: inProject('systemd/mosquitto/anyone.acl'), text: anyoneAcl() },
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
