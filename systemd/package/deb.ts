import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './elf.ts';
import { filesUnder } from './elf.ts';
import { maintainer, manifest, PROJECT } from './stage.ts';

const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** What apt and dpkg read of the package. */
export const controlFile = (architecture: Architecture, installedKilobytes: number): string => {
  const { name, version, description } = manifest();
  return `Package: ${name}
Version: ${version}
Architecture: ${architecture}
Maintainer: ${maintainer()}
Installed-Size: ${installedKilobytes}
Depends: nodejs (>= 20.19), libc6 (>= 2.28), libstdc++6 (>= 9), libgcc-s1, systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles, init-system-helpers (>= 1.52)
Recommends: udev
Suggests: mosquitto, chrony | systemd-timesyncd
Section: science
Priority: optional
Description: edge controller for balancing robots
 ${fold(description)}
 .
 Two services: the control loop answers each sensor frame of the motor
 controller within milliseconds, and the gateway records, reports over MQTT
 and takes orders. Every start is disarmed.
`;
};

/** Lines of at most 78 characters, as the extended description wants them. */
function fold(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length > 76) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n ');
}

/** Makes a package of a staged tree. @returns its path */
export function buildDeb(root: string, architecture: Architecture, folder: string): string {
  const { name, version } = manifest();
  permissions(root);
  const files = filesUnder(root);
  const kilobytes = files.reduce((sum, file) => sum + Math.ceil(lstatSync(join(root, file)).size / 1024), 0);
  const control = join(root, 'DEBIAN');
  mkdirSync(control, { mode: 0o755 });
  writeFileSync(join(control, 'control'), controlFile(architecture, kilobytes));
  for (const script of SCRIPTS) {
    cpSync(join(PROJECT, 'systemd/package/debian', script), join(control, script));
    chmodSync(join(control, script), 0o755);
  }
  const sums = files.map(
    (file) =>
      `${createHash('md5')
        .update(readFileSync(join(root, file)))
        .digest('hex')}  ${file}\n`,
  );
  writeFileSync(join(control, 'md5sums'), sums.join(''));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}_${version}_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', root, path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return path;
}

/** npm's archives carry the modes of whoever made them. */
function permissions(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) permissions(path);
    else if (entry.isFile()) chmodSync(path, isProgram(path) ? 0o755 : 0o644);
  }
}

/** What is started by its own name: our command and scripts for people; npm's packages are only loaded. */
const isProgram = (path: string): boolean => /\/(dist\/h2o-edge\.cjs|mosquitto\/install\.sh)$/.test(path);
