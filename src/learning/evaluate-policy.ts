import type { Environment } from '../simulation/environments/environment.ts';
import { type Evaluation, type EvaluationOptions, episodesOf, measure, resultsOf } from './evaluation.ts';

/** What decides, and may take its time for it: ONNX Runtime answers in a later turn of the event loop. */
export interface PatientController {
  /** Forgets everything; a new episode starts. */
  reset?(): void;
  /**
   * One decision.
   * @param observation of the environment; read it, do not keep it
   * @param action to be filled in; [-1, 1]
   */
  act(observation: Float32Array, action: Float32Array): Promise<void> | void;
}

/** As `evaluate`, for what may answer later. */
export async function evaluatePolicy(
  environment: Environment,
  controller: PatientController,
  options: EvaluationOptions,
  onEpisode?: (done: number) => void,
): Promise<Evaluation> {
  const action = new Float32Array(environment.actionSize);
  const measured: ReturnType<typeof measure>[] = [];
  for (const { seed, start, decisions } of episodesOf(environment, options)) {
    controller.reset?.();
    let observation = environment.reset(seed, { start });
    for (let decision = 0; decision < decisions; decision++) {
      await controller.act(observation, action);
      const step = environment.step(action);
      if (step.terminated) break;
      observation = step.truncated ? environment.resume() : step.observation;
    }
    measured.push(measure(environment, seed));
    onEpisode?.(measured.length);
  }
  return resultsOf(environment, measured);
}
