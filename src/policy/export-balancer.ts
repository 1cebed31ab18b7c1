// Run by `npm run export-balancer` after a change of the robot file: writes the two bundles that ship.
import { join } from 'node:path';
import { readPrivateKey } from '../keys/key-pair.ts';
import { loadRobot, modelsDirectory } from '../robot/robot.ts';
import { tasks } from '../robot/tasks/tasks.ts';
import { balancerPolicy } from './balancer-policy.ts';
import { writeBundle } from './bundle.ts';

const robot = loadRobot('wheel-legged');
const key = readPrivateKey(join(modelsDirectory, 'keys', 'demo-release.pem'), { published: true });

for (const task of Object.values(tasks)) {
  const { draft, model } = await balancerPolicy(task, robot);
  const directory = join(modelsDirectory, 'policies', draft.id);
  writeBundle(directory, draft, model, key);
  process.stdout.write(`${directory}\n`);
}
