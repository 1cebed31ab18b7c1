import type { Transitions } from '../../dataset/transitions.ts';
import { EdgeError } from '../../errors.ts';
import { type PreparedRun, prepareRun } from './prepare-run.ts';
import type { RunConfig } from './run-config.ts';
import type { RunFolder } from './run-folder.ts';
import type { MetricsRecord } from './training.ts';

export interface RunOptions {
  readonly folder: RunFolder;
  readonly config: RunConfig;
  /** what the config's dataset holds */
  readonly transitions: Transitions | undefined;
  /** ends the run after the step that is under way, with a checkpoint */
  readonly stop?: AbortSignal;
  readonly onRecord?: (record: MetricsRecord) => void;
  readonly onStep?: (step: number) => void;
  /** where it begins: 0, or the step of the checkpoint that it goes on from */
  readonly onStart?: (step: number) => void;
  readonly onWarning?: (warning: string) => void;
  readonly inThisThread?: boolean;
}

/** What a checkpoint of a run holds beside that of its training. */
interface RunState {
  readonly training: unknown;
  readonly metricsBytes: number;
}

/**
 * Trains to the end, or until it is stopped, from the newest checkpoint if there is one. What is in the folder afterwards
 * does not depend on how often the run was stopped or killed on its way.
 * @returns whether it came to its end; and the run, to be disposed of
 * @throws EdgeError `trainingDiverged`, `checkpointInvalid`, and what `prepareRun` throws
 */
export async function runTraining(options: RunOptions): Promise<{ readonly done: boolean; readonly run: PreparedRun }> {
  const { folder, config, stop } = options;
  const run = await prepareRun(config, {
    transitions: options.transitions,
    onRecord: (record) => {
      folder.appendMetrics(record);
      options.onRecord?.(record);
    },
    ...(options.onStep && { onStep: options.onStep }),
    ...(options.inThisThread !== undefined && { inThisThread: options.inThisThread }),
  });
  const { training } = run;
  const save = async () => {
    const { step, state, arrays } = await training.remember();
    const whole: RunState = { training: state, metricsBytes: folder.syncMetrics() };
    folder.checkpoints.write({ step, state: whole, arrays });
  };
  try {
    const newest = folder.checkpoints.newest((error) => options.onWarning?.(`${error.message}; ${error.remedy}`));
    if (newest) {
      const { training: state, metricsBytes } = newest.state as RunState;
      await training.recall({ ...newest, state });
      folder.openMetrics(metricsBytes);
    } else {
      refuseUnreadable(folder);
      folder.openMetrics();
    }
    options.onStart?.(training.updates);
    const { steps, checkpointEvery } = config;
    while (training.updates < steps && !stop?.aborted) {
      const next = (Math.floor(training.updates / checkpointEvery) + 1) * checkpointEvery;
      await training.run(Math.min(steps, next), stop);
      if (training.updates > 0) await save();
    }
    const done = training.updates >= steps;
    if (done && steps % config.evaluation.every !== 0) await training.evaluate();
    return { done, run };
  } catch (error) {
    await run.dispose();
    throw error instanceof EdgeError && error.codeName === 'trainingDiverged' ? withLastGood(error, folder) : error;
  } finally {
    folder.close();
  }
}

function withLastGood({ message, remedy, cause }: EdgeError, folder: RunFolder): EdgeError {
  const last = folder.checkpoints.list().at(-1);
  const kept = last === undefined ? 'there was no checkpoint yet' : `${last} is good`;
  return new EdgeError('trainingDiverged', `${message}; ${kept}`, remedy, { cause });
}

/** To begin again from nothing, and write over what a person may still mend, is not what was asked for. */
function refuseUnreadable(folder: RunFolder): void {
  const checkpoints = folder.checkpoints.list();
  if (checkpoints.length === 0) return;
  throw new EdgeError(
    'checkpointInvalid',
    `none of the ${checkpoints.length} checkpoints of ${folder.path} can be read`,
    'bring one back from a copy, or remove them to begin again',
  );
}
