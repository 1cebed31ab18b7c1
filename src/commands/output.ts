import { EdgeError } from '../errors.ts';

/** One line for a person. */
export const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** The machine's answer: one JSON object, the last line on stdout. */
export const sayJson = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

/** Everything that is not the answer goes to stderr. */
export const complain = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** A user's mistake is shown without a stack trace; anything else is ours and is shown with it. */
export function complainAbout(error: unknown): void {
  if (error instanceof EdgeError) {
    complain(`h2o-edge: ${error.message}\n  → ${error.remedy}  [E${error.code} ${error.codeName}]`);
  } else {
    complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
