/** What decides: a policy, a law, a person's joystick. */
export interface Controller {
  /** Forgets everything; a new episode starts. */
  reset?(): void;
  /**
   * One decision.
   * @param observation of the environment; read it, do not keep it
   * @param action to be filled in; [-1, 1]
   */
  act(observation: Float32Array, action: Float32Array): void;
}
