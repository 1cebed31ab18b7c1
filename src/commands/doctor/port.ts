import { accessSync, constants, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { type Finding, fail, pass, warn } from './finding.ts';
import { type Kernel, said } from './host.ts';

/** The serial port as the file system shows it; it is not opened, since control may be using it. */
export function portFindings(path: string, controlPid: number | undefined, kernel: Kernel): Finding[] {
  let device: string;
  try {
    device = realpathSync(path);
    if (!statSync(device).isCharacterDevice()) {
      return [fail('serial-device', `${path} is no serial device`, 'set serial.path to that of the motor controller')];
    }
  } catch (error) {
    const remedy = 'plug the motor controller in, or set serial.path; ls -l /dev/serial/by-id shows what there is';
    return [fail('serial-device', `${path}: ${messageOf(error)}`, remedy)];
  }
  return [
    pass('serial-device', device === path ? path : `${path} is ${device}`),
    permissionFinding(device),
    latencyTimerFinding(device, kernel),
    usersFinding(device, controlPid, kernel),
  ];
}

function permissionFinding(device: string): Finding {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return pass('serial-permission', `${device} may be read and written`);
  } catch {
    return fail(
      'serial-permission',
      `this user may not use ${device}`,
      'sudo usermod -aG dialout "$USER", then log in anew',
    );
  }
}

function latencyTimerFinding(device: string, { sys }: Kernel): Finding {
  const file = join(sys, 'class/tty', basename(device), 'device/latency_timer');
  const timer = said(file);
  if (timer === undefined) return pass('latency-timer', 'the port has none');
  if (Number(timer) <= 1) return pass('latency-timer', `${timer} ms`);
  return warn('latency-timer', `the port holds bytes back for up to ${timer} ms`, `echo 1 | sudo tee ${file}`);
}

/** Who has the port open besides control. Other users' processes show their files to root alone. */
function usersFinding(device: string, controlPid: number | undefined, { proc }: Kernel): Finding {
  const others = [];
  let hidden = 0;
  for (const pid of readdirSync(proc).filter((name) => /^\d+$/.test(name))) {
    try {
      const holds = readdirSync(join(proc, pid, 'fd')).some((file) => linkOf(join(proc, pid, 'fd', file)) === device);
      if (holds && Number(pid) !== controlPid) others.push(`${said(join(proc, pid, 'comm')) ?? '?'} (${pid})`);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EACCES') hidden += 1;
    }
  }
  if (others.length > 0) {
    const remedy = 'end it; a modem manager or a login prompt is kept away by the udev rule of the package';
    // A simulated robot's port is held by who made it.
    const verdict = device.startsWith('/dev/pts/') ? warn : fail;
    return verdict('serial-users', `${device} is open in ${others.join(', ')} too`, remedy);
  }
  if (hidden > 0) return warn('serial-users', `${hidden} processes do not show their files`, 'sudo h2o-edge doctor');
  return pass('serial-users', 'nobody else has the port open');
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
