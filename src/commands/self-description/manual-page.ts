import type { Command } from 'commander';

/** Plain text as troff takes it: no request at the start of a line, no hyphenated dash, nothing escaped by accident. */
const roff = (text: string): string =>
  text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/…/g, '...')
    .replace(/→/g, '\\(->')
    .replace(/^(['.])/gm, '\\&$1');

const sentence = (text: string): string => roff(text === '' ? text : `${text[0]?.toUpperCase()}${text.slice(1)}.`);

export interface ManualOptions {
  readonly version: string;
}

/** Name of the page of a command: `h2o-edge-dataset-export`. */
export function pageName(command: Command): string {
  return command.parent ? `${pageName(command.parent)}-${command.name()}` : command.name();
}

/** A page of the manual, section 1, made of what the command says of itself; man(7). */
export function manualPage(command: Command, { version }: ManualOptions): string {
  const help = command.createHelp();
  const name = pageName(command);
  const words = fullName(command);
  const list = (title: string, items: ReadonlyArray<readonly [term: string, text: string]>): string[] =>
    items.length === 0
      ? []
      : [`.SH ${title}`, ...items.flatMap(([term, text]) => ['.TP', `\\fB${roff(term)}\\fR`, sentence(text)])];
  const subcommands = help.visibleCommands(command).filter((sub) => sub.name() !== 'help');
  const usage = command.usage() === '' ? '' : ` ${roff(command.usage())}`;
  return [
    `.TH "${name.toUpperCase()}" "1" "" "h2o-edge ${version}" "h2o-edge"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(command.description())}`,
    '.SH SYNOPSIS',
    `\\fB${roff(words)}\\fR${usage}`,
    '.SH DESCRIPTION',
    sentence(command.description()),
    ...list(
      'ARGUMENTS',
      help.visibleArguments(command).map((argument) => [argument.name(), help.argumentDescription(argument)]),
    ),
    ...list(
      'OPTIONS',
      help.visibleOptions(command).map((option) => [option.flags, help.optionDescription(option)]),
    ),
    ...list(
      'COMMANDS',
      subcommands.map((sub) => [`${help.subcommandTerm(sub)}`, `${sub.description()}; see ${pageName(sub)}(1)`]),
    ),
    ...(command.parent
      ? [
          '.SH EXIT STATUS',
          'Zero only when it did what it was asked.',
          '.SH SEE ALSO',
          `.BR ${roff(pageName(command.parent))} (1)`,
        ]
      : [
          '.SH FILES',
          '.TP',
          '/etc/h2o\\-edge/h2o\\-edge.yaml',
          'The configuration of the robot whose computer this is.',
        ]),
    '',
  ].join('\n');
}

const fullName = (command: Command): string =>
  command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();

/** The program and all its commands, as file name and text. */
export function manual(program: Command, options: ManualOptions): Array<{ file: string; text: string }> {
  const subcommands = program
    .createHelp()
    .visibleCommands(program)
    .filter((sub) => sub.name() !== 'help');
  return [
    { file: `${pageName(program)}.1`, text: manualPage(program, options) },
    ...subcommands.flatMap((sub) => manual(sub, options)),
  ];
}
