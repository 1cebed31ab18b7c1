import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PROJECT } from './stage.ts';

const MIRROR = process.env.DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';

/** Commands that must work in the fresh system, and words that their answer must hold. */
const COMMANDS: ReadonlyArray<readonly [command: string, says: RegExp]> = [
  ['h2o-edge --version', /^\d+\.\d+\.\d+/],
  ['h2o-edge --help', /Commands:/],
  ['h2o-edge init /tmp/robot', /operator's private key/],
  ['h2o-edge keys generate /tmp/operator.pem', /private/],
  ['h2o-edge keys trust /tmp/operator.pem.pub --role operator', /operator/],
  ['h2o-edge failsafe --when battery-low', /battery-low/],
  ['h2o-edge config migrate', /as this release wants it/],
  // The model runs: ONNX Runtime is there whole, and its golden pairs come out.
  [
    'h2o-edge policy verify /usr/lib/h2o-edge/models/policies/standing-still-balancer --trust /tmp/demo-trust.yaml --json',
    /"ok":true/,
  ],
  // Both processes come up with what the package brings, and with nothing else.
  ['timeout 20 h2o-edge control --config /tmp/robot/h2o-edge.yaml 2>&1 | grep -m 1 up', /control is up/],
  ['timeout 20 h2o-edge gateway --config /tmp/robot/h2o-edge.yaml 2>&1 | grep -m 1 up', /gateway is up/],
  ['h2o-edge doctor --json; true', /"findings":/],
  ['bash -c "source /usr/share/bash-completion/completions/h2o-edge && complete -p h2o-edge"', /_h2o_edge/],
  ['ls /usr/share/man/man1/h2o-edge-doctor.1.gz', /doctor/],
  [
    'stat -c %U:%G:%a /var/lib/h2o-edge /var/lib/h2o-edge/recordings',
    /^h2o-control:h2o-edge:750\nh2o-gateway:h2o-edge:750$/,
  ],
  [
    'systemd-analyze verify --man=no /usr/lib/systemd/system/h2o-control.service /usr/lib/systemd/system/h2o-gateway.service /usr/lib/systemd/system/h2o-edge.target && echo fine',
    /^fine$/,
  ],
  ['systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/h2o-gateway.service', /exposure/],
  ['systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/h2o-control.service', /exposure/],
  ['udevadm verify /usr/lib/udev/rules.d/70-h2o-edge.rules', /Fail:\s+0/],
];

export interface InstallCheck {
  readonly step: string;
  readonly ok: boolean;
  readonly said: string;
}

/** Installs a package into a fresh Debian trixie, runs its commands there, installs it over itself, removes and purges it. */
export function checkInstall(deb: string, tell: (line: string) => void): InstallCheck[] {
  const root = mkdtempSync(join(tmpdir(), 'h2o-trixie-'));
  const mounts: string[] = [];
  const results: InstallCheck[] = [];
  const step = (name: string, command: string, says = /(?:)/) => {
    const run = spawnSync('chroot', [root, 'sh', '-c', `cd /tmp; ${command}`], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    });
    const said = `${run.stdout}${run.stderr}`.trim();
    const ok = run.status === 0 && says.test(said);
    results.push({ step: name, ok, said: said.slice(-2000) });
    tell(`${ok ? 'ok  ' : 'FAIL'}  ${name}`);
    if (!ok) tell(said.slice(-2000));
  };
  try {
    tell(`a fresh trixie in ${root}`);
    const base = process.env.TRIXIE_ROOT;
    if (base) cpSync(base, root, { recursive: true, verbatimSymlinks: true });
    else
      execFileSync('debootstrap', ['--variant=minbase', 'trixie', root, MIRROR], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    execFileSync('mount', ['-t', 'proc', 'proc', join(root, 'proc')]);
    mounts.push(join(root, 'proc'));
    // Services are not started in a chroot.
    writeFileSync(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    cpSync(deb, join(root, 'tmp', basename(deb)));
    cpSync(join(PROJECT, 'models/keys/demo-trust.yaml'), join(root, 'tmp/demo-trust.yaml'));
    const install = `apt-get install -qy --no-install-recommends ./${basename(deb)}`;
    step('apt-get update', 'apt-get update -q');
    step('install', `${install} udev systemd`);
    for (const [command, says] of COMMANDS) step(command, command, says);
    step(
      'a configuration of another release',
      'printf "%s\\n" "name: kept" "colour: blue" > /etc/h2o-edge/h2o-edge.yaml',
    );
    step('upgrade', `apt-get install -qy --reinstall ./${basename(deb)}`);
    step('the configuration was migrated', 'cat /etc/h2o-edge/h2o-edge.yaml', /^name: kept\n(.|\n)*# colour: "blue"/);
    step('remove', 'apt-get remove -qy h2o-edge');
    step('the configuration is kept', 'test -e /etc/h2o-edge/h2o-edge.yaml && test ! -e /usr/lib/h2o-edge');
    step('purge', 'apt-get purge -qy h2o-edge');
    step(
      'nothing is left',
      'test ! -e /etc/h2o-edge && test ! -e /var/lib/h2o-edge && ! ls /usr/lib/systemd/system/h2o*',
    );
  } finally {
    for (const mount of mounts.reverse()) spawnSync('umount', [mount]);
    if (!existsSync(join(root, 'proc/self'))) rmSync(root, { recursive: true, force: true });
  }
  return results;
}
