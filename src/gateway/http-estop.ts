import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EstopStage } from '../messages/requests.ts';
import type { StopCourier } from './stop-courier.ts';

/** More of a body is not even thrown away: the connection ends with the answer [bytes]. */
const MOST_BODY = 1 << 20;

export interface EstopAnswerer {
  /** name of the robot that is stopped */
  readonly robot: string;
  readonly courier: Pick<StopCourier, 'stop'>;
}

/**
 * Answers `POST /estop`. The robot is stopped as soon as the headers are read, before the body. The answer is one JSON
 * object that is written as it becomes true, a line for each stage, so that who reads it as it comes sees each stage, and
 * who waits for the end gets
 * `{"robot": "…", "received": true, "receivedMs": …, "latched": true, "onDisk": true, "latchedMs": …, "confirmed": true, "confirmedMs": …, "ok": true}`.
 * What was not reached is false, and `ok` says whether torque is off. 503 when control could not be told at all.
 */
export function answerEstop(
  request: IncomingMessage,
  response: ServerResponse,
  { robot, courier }: EstopAnswerer,
): void {
  const began = performance.now();
  const reached = new Set<EstopStage>();
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BODY) request.pause();
  });

  const stage = (name: EstopStage, onDisk?: boolean): void => {
    if (reached.has(name)) return;
    if (reached.size === 0) response.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close' });
    const milliseconds = Math.round((performance.now() - began) * 10) / 10;
    const disk = name === 'latched' ? { onDisk: onDisk === true } : {};
    // Whoever stops one of several robots on a computer has to see which.
    const whose = reached.size === 0 ? { robot } : {};
    const said = JSON.stringify({ ...whose, [name]: true, ...disk, [`${name}Ms`]: milliseconds }).slice(1, -1);
    response.write(`${reached.size === 0 ? '{' : ','}${said}\n`);
    reached.add(name);
  };

  const from = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'unknown';
  void courier.stop(`HTTP ${from}`, stage).then((problem) => {
    if (reached.size === 0) {
      response.writeHead(503, { 'Content-Type': 'application/json', Connection: 'close' });
      const nothing = { robot, received: false, latched: false, onDisk: false, confirmed: false, ok: false };
      response.end(`${JSON.stringify({ ...nothing, error: problem })}\n`);
    } else response.end(`,${restOf(reached)}}\n`);
  });
}

function restOf(reached: ReadonlySet<EstopStage>): string {
  const confirmed = reached.has('confirmed');
  const rest = {
    ...(!reached.has('latched') && { latched: false, onDisk: false }),
    ...(!confirmed && {
      confirmed,
      error: {
        code: 'not-confirmed',
        message: 'the motor controller has NOT confirmed the stop',
        remedy: 'cut the power of the motors now',
      },
    }),
    ok: confirmed,
  };
  return JSON.stringify(rest).slice(1, -1);
}
