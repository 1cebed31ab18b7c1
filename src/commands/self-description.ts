import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, type Command } from 'commander';
import { EdgeError, messageOf } from '../errors.ts';
import { revision } from './context.ts';
import { say } from './output.ts';
import { bashCompletion } from './self-description/bash-completion.ts';
import { manual } from './self-description/manual-page.ts';

/** Commands that speak of all others, so all have to be there. */
export function registerSelfDescription(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options; bash: source <(h2o-edge completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash']))
    .action(() => say(bashCompletion(program).trimEnd()));
  program
    .command('manual')
    .description('write the pages of the manual into a folder, where man finds them by MANPATH')
    .argument('<folder>')
    .action((folder: string) => {
      try {
        mkdirSync(folder, { recursive: true });
        for (const { file, text } of manual(program, { version: revision })) writeFileSync(join(folder, file), text);
      } catch (error) {
        throw new EdgeError('fileUnreadable', `cannot write to ${folder}: ${messageOf(error)}`, 'name another folder');
      }
    });
}
