import type { Command, Option } from 'commander';

/** Commands with their full words, the program itself first as ''. */
function walk(command: Command, words = ''): Array<{ words: string; command: Command }> {
  return [
    { words, command },
    ...command.commands.flatMap((sub) => walk(sub, words === '' ? sub.name() : `${words} ${sub.name()}`)),
  ];
}

const optionsOf = (command: Command): Option[] => command.createHelp().visibleOptions(command);

const flagsOf = (command: Command): string[] =>
  optionsOf(command).flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));

/** Words that an option or an argument may have; anything else is completed as a file. */
function choicesOf(command: Command): Array<{ at: string; choices: readonly string[] }> {
  const options = optionsOf(command).flatMap(({ long, argChoices }) =>
    long !== undefined && argChoices ? [{ at: long, choices: argChoices }] : [],
  );
  const [first] = command.registeredArguments;
  return first?.argChoices ? [...options, { at: '', choices: first.argChoices }] : options;
}

/** Completion for bash: commands, their options, and what these may be. */
export function bashCompletion(program: Command): string {
  const name = program.name();
  const functionName = `_${name.replace(/-/g, '_')}`;
  const commands = walk(program);
  const cases = commands.map(({ words, command }) => {
    const next = command.commands.map((sub) => sub.name());
    const choices = choicesOf(command);
    const list = [...next, ...(choices.find(({ at }) => at === '')?.choices ?? []), ...flagsOf(command)];
    const inner = choices
      .filter(({ at }) => at !== '')
      .map(({ at, choices: of }) => `      [ "$previous" = ${at} ] && words="${of.join(' ')}"`);
    return [`    "${words}")`, `      words="${list.join(' ')}"`, ...inner, '      ;;'].join('\n');
  });
  const all = commands.filter(({ words }) => words !== '').map(({ words }) => `    "${words}") command=$try ;;`);
  return `# bash completion for ${name}; made from its own help
${functionName}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command= try= words= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    try="\${command:+$command }$word"
    case "$try" in
${all.join('\n')}
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F ${functionName} ${name}
`;
}
