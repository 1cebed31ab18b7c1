import { EdgeError, messageOf } from '../errors.ts';

/** Something in a dataset that cannot be right. */
export const invalid = (message: string, remedy: string): EdgeError => new EdgeError('datasetInvalid', message, remedy);

/** A package that a robot need not have is not there. */
export const missing = (name: string, error: unknown): EdgeError =>
  new EdgeError(
    'datasetInvalid',
    `this form of dataset wants the package ${name}, which cannot be loaded: ${messageOf(error)}`,
    `install it with \`npm install ${name}\`, or convert the dataset on a computer that has it`,
  );
