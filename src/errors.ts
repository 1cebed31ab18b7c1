/**
 * The one error class. Callers test `code`, never the wording. Codes come in ranges by room so that a log line can be
 * placed without reading it; the message names the offending value, `remedy` says what to do about it.
 */
export const ErrorCode = {
  // 1xx: files and configuration
  fileUnreadable: 100,
  fileInvalid: 101,
  configInvalid: 102,
  robotInvalid: 103,
  gapInvalid: 104,
  logInvalid: 105,
  // 2xx: protocol and link
  fieldOutOfRange: 200,
  portUnavailable: 201,
  ptyUnavailable: 202,
  // 3xx: policies and keys
  bundleInvalid: 300,
  bundleRefused: 301,
  signatureInvalid: 302,
  keyInvalid: 303,
  modelInvalid: 304,
  certificateInvalid: 305,
  // 4xx: commands to a running robot
  notRunning: 400,
  requestRefused: 401,
  requestInvalid: 402,
  noAnswer: 403,
  // 5xx: simulation
  modelNotLoadable: 500,
  simulatorMissing: 501,
  // 6xx: use of the command line
  usage: 600,
  scenarioFailed: 601,
  // 7xx: recording
  recordingFailed: 700,
  segmentUnreadable: 701,
  auditInvalid: 702,
  replayDiffers: 703,
  collectionEnded: 704,
  // 8xx: datasets
  datasetInvalid: 800,
  datasetNotWritten: 801,
  figuresMissing: 802,
  storeUnusable: 803,
  // 9xx: learning
  tracingFailed: 900,
  engineUnavailable: 901,
  stepInvalid: 902,
  trainingInvalid: 910,
  trainingDiverged: 911,
  checkpointInvalid: 912,
  jobInterrupted: 920,
  jobCancelled: 921,
} as const;

export type ErrorCodeName = keyof typeof ErrorCode;

/** An error that a person can act on. It is shown without a stack trace. */
export class EdgeError extends Error {
  readonly code: (typeof ErrorCode)[ErrorCodeName];
  readonly codeName: ErrorCodeName;
  readonly remedy: string;

  constructor(codeName: ErrorCodeName, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EdgeError';
    this.codeName = codeName;
    this.code = ErrorCode[codeName];
    this.remedy = remedy;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
