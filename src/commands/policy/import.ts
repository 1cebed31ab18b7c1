import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../../errors.ts';
import { readPrivateKey } from '../../keys/key-pair.ts';
import { bundleFiles, writeBundle, writeUnsignedBundle } from '../../policy/bundle.ts';
import { importPolicy } from '../../policy/import/import-policy.ts';
import { noOverrides, type Overrides, readOverrides } from '../../policy/import/overrides.ts';
import { loadRobot } from '../../robot/robot.ts';
import { taskByName, taskNames } from '../../robot/tasks/tasks.ts';
import { complain, say, sayJson } from '../output.ts';

interface ImportFlags {
  readonly robot: string;
  readonly out: string;
  readonly task: string;
  readonly id?: string;
  readonly release: number;
  readonly rate?: number;
  readonly wheels?: 'velocity' | 'torque';
  readonly gains?: Overrides['gains'];
  readonly overrides?: string;
  readonly key?: string;
  readonly json?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (Number.isFinite(value) && text.trim() !== '') return value;
  throw new EdgeError('usage', `${JSON.stringify(text)} is no number`, 'give a number');
};

export function registerPolicyImport(policy: Command): void {
  const command = policy
    .command('import')
    .description('make a bundle of an ONNX policy that mjlab, Isaac Lab or the like has exported')
    .argument('<model>', 'the ONNX file, with its metadata')
    .requiredOption('--robot <file>', 'the robot file that it is to run on')
    .requiredOption('--out <folder>', 'the bundle; must be empty or not exist')
    .option('--task <task>', `the task that it is for: ${taskNames.join(', ')}`, 'standing-still')
    .option('--id <id>', 'of the policy; by default from the name of the file')
    .option('--release <number>', 'version of the bundle; rises with every release of this id', number, 1)
    .option('--rate <hertz>', 'decisions a second, where the model does not say', number)
    .option('--overrides <file>', 'YAML that says what the model does not say, or says wrongly')
    .option('--key <file>', 'private release key; without one the bundle is not signed, and no robot takes it')
    .option('--json', 'print one JSON object as the last line');
  const choice = (flags: string, words: string, choices: readonly string[]) =>
    command.addOption(command.createOption(flags, words).choices(choices));
  choice('--wheels <kind>', 'what the actions of the wheels are, where the model does not say', ['velocity', 'torque']);
  choice('--gains <whose>', 'whose gains hold the legs, should the model have others than the robot', [
    'trained',
    'robot',
  ]);
  command.action(importCommand);
}

/** What stands on the command line goes before what stands in the file. */
function overridesOf({ overrides, rate, wheels, gains }: ImportFlags): Overrides {
  return {
    ...(overrides === undefined ? noOverrides : readOverrides(overrides)),
    ...(rate !== undefined && { rate }),
    ...(wheels !== undefined && { wheels }),
    ...(gains !== undefined && { gains }),
  };
}

/** As ids of policies have it: "Upkie_Velocity.onnx" is called "upkie-velocity". */
function idFrom(path: string): string {
  const slug = basename(path, extname(path))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  return slug === '' ? 'imported' : slug;
}

function readModel(path: string): Uint8Array {
  const remedy = 'name the ONNX file that the exporter has written';
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('it is no file');
    if (stat.size > bundleFiles.model.most) {
      throw new Error(`it has ${stat.size} bytes, allowed are ${bundleFiles.model.most}`);
    }
    return readFileSync(path);
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, remedy);
  }
}

function refuseUnlessEmpty(folder: string): void {
  let entries: readonly string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw new EdgeError('fileUnreadable', `cannot write to ${folder}: ${messageOf(error)}`, 'name another folder');
  }
  if (entries.length > 0) throw new EdgeError('usage', `${folder} is not empty`, 'name a folder that is, or a new one');
}

async function importCommand(path: string, flags: ImportFlags): Promise<void> {
  const robot = loadRobot(flags.robot);
  const task = taskByName(flags.task);
  const bytes = readModel(path);
  refuseUnlessEmpty(flags.out);
  const key = flags.key === undefined ? undefined : readPrivateKey(flags.key);
  const id = flags.id ?? idFrom(path);
  const { bundle, reasons, assumed } = await importPolicy(bytes, {
    robot,
    overrides: overridesOf(flags),
    task: task.name,
    id,
    version: flags.release,
    from: basename(path),
    now: new Date(),
  });
  if (bundle && key) writeBundle(flags.out, bundle.draft, bundle.model, key);
  else if (bundle) writeUnsignedBundle(flags.out, bundle.draft, bundle.model);
  for (const words of assumed) complain(`assumed: ${words}`);
  if (flags.json) {
    const where = bundle ? { out: flags.out, signed: key !== undefined } : {};
    sayJson({ ok: bundle !== undefined, id, reasons, assumed, ...where });
  } else if (bundle) {
    say(
      `${flags.out}: ${id}, ${key ? 'signed' : 'not signed: a robot takes it when a key that it trusts has signed it'}`,
    );
  }
  if (bundle) return;
  throw new EdgeError(
    'bundleRefused',
    `${basename(path)} is refused:\n  ${reasons.join('\n  ')}`,
    'each reason says what to mend',
  );
}
