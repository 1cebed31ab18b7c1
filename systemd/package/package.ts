import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkInstall } from './check-install.ts';
import { buildDeb } from './deb.ts';
import { ARCHITECTURES, type Architecture, binariesUnder, foreignTo } from './elf.ts';
import { installDependencies, PROJECT, stage } from './stage.ts';

// npm run package -- [--architecture amd64|arm64] [--out FOLDER] [--lintian] [--check-install] [--json]
// Debian packages of this tree; --check-install also tries that of this computer's architecture in a fresh trixie (root).

const { values } = parseArgs({
  options: {
    architecture: { type: 'string' },
    out: { type: 'string', default: join(PROJECT, 'packages') },
    lintian: { type: 'boolean', default: false },
    'check-install': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const tell = (line: string) => void process.stderr.write(`${line}\n`);
const isArchitecture = (name: string): name is Architecture => Object.hasOwn(ARCHITECTURES, name);

function wanted(): Architecture[] {
  const { architecture } = values;
  if (architecture === undefined) return Object.keys(ARCHITECTURES).filter(isArchitecture);
  if (isArchitecture(architecture)) return [architecture];
  throw new Error(`--architecture ${architecture}: there are ${Object.keys(ARCHITECTURES).join(' and ')}`);
}

const scratch = mkdtempSync(join(tmpdir(), 'h2o-package-'));
let ok = true;
try {
  const dependencies = join(scratch, 'dependencies');
  tell('installing what the robot depends on');
  installDependencies(dependencies);
  const packages = wanted().map((architecture) => {
    const root = join(scratch, architecture);
    stage(root, dependencies, architecture);
    const foreign = foreignTo(architecture, root);
    if (foreign.length > 0) throw new Error(`not for ${architecture}: ${foreign.map(({ path }) => path).join(', ')}`);
    const binaries = binariesUnder(root).map(({ path }) => path);
    const path = buildDeb(root, architecture, resolve(values.out));
    tell(`${path}: ${(statSync(path).size / 1e6).toFixed(1)} MB, ${binaries.length} files for ${architecture} alone`);
    return { architecture, path, bytes: statSync(path).size, binaries };
  });
  const lint = values.lintian ? packages.map(({ path }) => lintian(path)) : [];
  const here = packages.find(({ architecture }) => ARCHITECTURES[architecture].npm === process.arch);
  const install = values['check-install'] && here ? checkInstall(here.path, tell) : [];
  ok = lint.every((one) => one.errors.length === 0) && install.every((one) => one.ok);
  if (values.json) process.stdout.write(`${JSON.stringify({ ok, packages, lintian: lint, install })}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (!ok) process.exitCode = 1;

interface Lint {
  readonly path: string;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

function lintian(path: string): Lint {
  const { stdout, error } = spawnSync('lintian', ['--no-cfg', '--allow-root', '--tag-display-limit', '0', path], {
    encoding: 'utf8',
  });
  if (error) throw new Error(`lintian: ${error.message}; apt-get install lintian`);
  const lines = stdout.split('\n');
  const errors = lines.filter((line) => line.startsWith('E:'));
  const warnings = lines.filter((line) => line.startsWith('W:'));
  for (const line of [...errors, ...warnings]) tell(line);
  return { path, errors, warnings };
}
