import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ARCHITECTURES, type Architecture, filesUnder } from './elf.ts';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const HOME = 'usr/lib/h2o-edge';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
}

export const manifest = (): Manifest => JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));

/**
 * Installs what the robot's processes depend on, as the lock file has it, for every architecture that npm's packages bring.
 * Nothing of it is run: the compiled parts come with the packages.
 */
export function installDependencies(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(PROJECT, file), join(folder, file));
  const words = [
    'ci',
    '--omit=dev',
    '--omit=optional',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
  ];
  execFileSync('npm', words, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Lays everything out under `root` as it is to lie on the robot's disk. */
export function stage(root: string, dependencies: string, architecture: Architecture): void {
  program(root, dependencies, architecture);
  system(root);
  documents(root);
}

/** The built program, its dependencies and its models. */
function program(root: string, dependencies: string, architecture: Architecture): void {
  const home = join(root, HOME);
  mkdirSync(home, { recursive: true });
  cpSync(join(PROJECT, 'dist'), join(home, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.map') });
  cpSync(join(PROJECT, 'models'), join(home, 'models'), { recursive: true });
  // The demo's key signs for nobody else; a private key in a package is one that somebody will trust one day.
  rmSync(join(home, 'models/keys'), { recursive: true });
  cpSync(join(PROJECT, 'package.json'), join(home, 'package.json'));
  cpSync(join(dependencies, 'node_modules'), join(home, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  prune(join(home, 'node_modules'), architecture);
  chmodSync(join(home, 'dist/h2o-edge.cjs'), 0o755);
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/h2o-edge/dist/h2o-edge.cjs', join(root, 'usr/bin/h2o-edge'));
}

/** Files of npm's packages that are for those who work on them. */
const OF_DEVELOPERS = /(^|\/)(\.[^/]+(\/.*)?|(tests?|benchmarks?|docs|examples?)\/.*)$/;

/** Takes out what another computer needs, or a compiler. */
function prune(modules: string, architecture: Architecture): void {
  const { npm } = ARCHITECTURES[architecture];
  keepOnly(join(modules, 'onnxruntime-node/bin/napi-v6'), ['linux']);
  keepOnly(join(modules, 'onnxruntime-node/bin/napi-v6/linux'), [npm]);
  keepOnly(join(modules, '@serialport/bindings-cpp/prebuilds'), [`linux-${npm}`]);
  const prebuilds = join(modules, `@serialport/bindings-cpp/prebuilds/linux-${npm}`);
  keepOnly(
    prebuilds,
    readdirSync(prebuilds).filter((name) => name.endsWith('.glibc.node')),
  );
  for (const folder of ['@types', 'undici-types', '.bin', 'node-addon-api', 'zod/src', 'rxjs/src', 'mqtt/dist']) {
    rmSync(join(modules, folder), { recursive: true, force: true });
  }
  for (const file of filesUnder(modules)) {
    if (/\.(map|[cm]?ts|flow|gyp|gypi|cpp|cc|h|markdown|html|sh)$/.test(file) || OF_DEVELOPERS.test(file)) {
      rmSync(join(modules, file));
    }
  }
  // npm's programs are for others: nothing of ours starts them.
  for (const file of [
    'mqtt/build/bin',
    'semver/bin',
    'pino/bin.js',
    'yaml/bin.mjs',
    'rxjs/dist/bundles',
    'rxjs/dist/esm5',
  ]) {
    rmSync(join(modules, file), { recursive: true, force: true });
  }
}

function keepOnly(folder: string, names: readonly string[]): void {
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (names.length === 0 || missing.length > 0)
    throw new Error(`${folder} has no ${missing.join(', ') || 'such file'}`);
  for (const entry of readdirSync(folder)) if (!names.includes(entry)) rmSync(join(folder, entry), { recursive: true });
}

/** Units, users, folders, device rules. */
function system(root: string): void {
  const copies = {
    system: 'usr/lib/systemd/system',
    'sysusers.d': 'usr/lib/sysusers.d',
    'tmpfiles.d': 'usr/lib/tmpfiles.d',
    'udev.d': 'usr/lib/udev/rules.d',
    mosquitto: 'usr/share/h2o-edge/mosquitto',
  };
  for (const [from, to] of Object.entries(copies)) {
    mkdirSync(join(root, to), { recursive: true });
    cpSync(join(PROJECT, 'systemd', from), join(root, to), { recursive: true });
  }
  const configuration = join(root, 'usr/share/h2o-edge/h2o-edge.yaml');
  writeFileSync(configuration, ownFolders(runBuilt('init', '--print')));
}

/** The commented defaults, with the folders that the units give. */
export function ownFolders(defaults: string): string {
  const folders = { runtimeDirectory: '/run/h2o-edge', stateDirectory: '/var/lib/h2o-edge' };
  return Object.entries(folders).reduce((text, [key, folder]) => {
    const changed = text.replace(new RegExp(`^#${key}: .*$`, 'm'), `${key}: ${folder}`);
    if (changed === text) throw new Error(`the default configuration has no ${key}`);
    return changed;
  }, `${defaults.trimEnd()}\n`);
}

const runBuilt = (...words: string[]): string =>
  execFileSync(process.execPath, [join(PROJECT, 'dist/h2o-edge.cjs'), ...words], { encoding: 'utf8' });

/** Manual pages, completion, licences, changes. */
function documents(root: string): void {
  const { name, version } = manifest();
  const documentation = join(root, 'usr/share/doc', name);
  mkdirSync(documentation, { recursive: true });
  const manual = join(root, 'usr/share/man/man1');
  mkdirSync(manual, { recursive: true });
  runBuilt('manual', manual);
  for (const page of readdirSync(manual)) {
    compress(join(manual, page), readFileSync(join(manual, page)));
    rmSync(join(manual, page));
  }
  const completion = join(root, 'usr/share/bash-completion/completions');
  mkdirSync(completion, { recursive: true });
  writeFileSync(join(completion, name), runBuilt('completion', 'bash'));

  compress(join(documentation, 'changelog'), Buffer.from(debianChangelog(name, version)));
  compress(join(documentation, 'NEWS.md'), readFileSync(join(PROJECT, 'CHANGELOG.md')));
  for (const page of readdirSync(join(PROJECT, 'docs'))) {
    if (page.endsWith('.md') || page.endsWith('.yaml')) cpSync(join(PROJECT, 'docs', page), join(documentation, page));
  }
  writeFileSync(join(documentation, 'copyright'), copyright(join(root, HOME, 'node_modules')));
  const overrides = join(root, 'usr/share/lintian/overrides');
  mkdirSync(overrides, { recursive: true });
  cpSync(join(PROJECT, 'systemd/package/debian/lintian-overrides'), join(overrides, name));
}

const compress = (path: string, bytes: Uint8Array): void => writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));

export const maintainer = (): string =>
  `${process.env.DEBFULLNAME ?? 'h2o-edge'} <${process.env.DEBEMAIL ?? 'maintainers@h2o-edge.example'}>`;

function debianChangelog(name: string, version: string): string {
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? lastCommit());
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000');
  return `${name} (${version}) unstable; urgency=medium\n\n  * What changed is in NEWS.md.gz beside this file.\n\n -- ${maintainer()}  ${date}\n`;
}

/** Of the sources, so that the same sources make the same package; outside of a repository the file's own. */
function lastCommit(): string {
  try {
    return execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: PROJECT, encoding: 'utf8' }).trim();
  } catch {
    return String(Math.floor(statSync(join(PROJECT, 'CHANGELOG.md')).mtimeMs / 1000));
  }
}

/** Whose work is in the package: ours, and each of npm's packages under its own licence, whose text lies beside it. */
function copyright(modules: string): string {
  const packages = filesUnder(modules)
    .filter((path) => basename(path) === 'package.json' && /^(@[^/]+\/)?[^/]+$/.test(dirname(path)))
    .map((path) => ({ folder: dirname(path), ...JSON.parse(readFileSync(join(modules, path), 'utf8')) }));
  const paragraphs = packages.map(({ folder, license, author }) => {
    const who = typeof author === 'string' ? author : (author?.name ?? 'its authors');
    return `Files: ${HOME}/node_modules/${folder}/*\nCopyright: ${who}\nLicense: ${license ?? 'see the file in that folder'}\n`;
  });
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: h2o-edge\n',
    'Files: *\nCopyright: the authors of h2o-edge\nLicense: Apache-2.0\n',
    'License: Apache-2.0\n On Debian systems its text is in /usr/share/common-licenses/Apache-2.0.\n',
    ...paragraphs,
  ].join('\n');
}
