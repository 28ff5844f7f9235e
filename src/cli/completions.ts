import type { Command, Option } from 'commander';
import { LOG_LEVELS } from '../core/log-level.js';
import { type Shell, SHELLS } from './shells.js';

/** What a flag's value is, as its placeholder says; decides what a shell offers. */
type ValueKind = { kind: 'none' } | { kind: 'path' } | { kind: 'words'; words: readonly string[] } | { kind: 'text' };

const PATH_PLACEHOLDERS = /<(?:file|dir|directory|socket|path)>/;
const WORDS: Readonly<Record<string, readonly string[]>> = { '<level>': LOG_LEVELS, '<shell>': SHELLS };

/** The completions of a program for a shell, from the very table that parses its flags. */
export function renderCompletions(program: Command, shell: Shell): string {
  return RENDERERS[shell](program);
}

const RENDERERS: Readonly<Record<Shell, (program: Command) => string>> = {
  bash: renderBash,
  zsh: renderZsh,
  fish: renderFish,
};

/** What --help shows, --help included. */
function visibleOptions(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

/** A command's own, and those of its program: all of them go with it. */
function optionsOf(command: Command): readonly Option[] {
  const own = visibleOptions(command);
  const names = new Set(own.map(({ long }) => long));
  const ofProgram = command.parent === null ? [] : visibleOptions(command.parent);
  return [...own, ...ofProgram.filter(({ long }) => !names.has(long))];
}

function visibleCommands(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command);
}

function valueOf({ flags, required, optional, argChoices }: Option): ValueKind {
  if (!required && !optional) return { kind: 'none' };
  if (argChoices !== undefined) return { kind: 'words', words: argChoices };
  const placeholder = /[<[].*$/.exec(flags)?.[0] ?? '';
  const words = WORDS[placeholder];
  if (words !== undefined) return { kind: 'words', words };
  return PATH_PLACEHOLDERS.test(placeholder) ? { kind: 'path' } : { kind: 'text' };
}

function namesOf({ short, long }: Option): string[] {
  return [short, long].filter((name) => name !== undefined);
}

// --- bash

function renderBash(program: Command): string {
  const name = program.name();
  const commands = visibleCommands(program).filter((each) => each.name() !== 'help');
  const names = commands.map((each) => each.name());
  const words = (command: Command): string => optionsOf(command).flatMap(namesOf).join(' ');
  const all = [program, ...commands];
  const values = new Map(all.flatMap((each) => visibleOptions(each).map((option) => [option.long, option] as const)));
  const cases = [...values.values()].flatMap((option) => {
    const value = valueOf(option);
    if (value.kind === 'none') return [];
    const reply = {
      path: 'mapfile -t COMPREPLY < <(compgen -f -- "$word")',
      words: `COMPREPLY=($(compgen -W ${quote(value.kind === 'words' ? value.words.join(' ') : '')} -- "$word"))`,
      text: 'COMPREPLY=()',
    }[value.kind];
    return [`    ${namesOf(option).join('|')}) ${reply}; return ;;`];
  });
  const ofCommand = commands.map((each) => `    ${each.name()}) flags=${quote(words(each))} ;;`);
  return [
    `# bash completions of ${name}; made by: ${name} --completions bash`,
    `_${name}() {`,
    '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}',
    `  local flags=${quote(words(program))}`,
    '  COMPREPLY=()',
    '  # --flag=value comes as three words.',
    '  if [[ $word == = ]]; then word=; elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi',
    '  case $before in',
    ...cases,
    '  esac',
    ...(commands.length === 0
      ? []
      : [
          '  local each command=',
          '  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
          `    case $each in ${names.join('|')}) command=$each; break ;; esac`,
          '  done',
          '  case $command in',
          ...ofCommand,
          '  esac',
        ]),
    '  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))',
    ...(commands.length === 0
      ? []
      : ['  elif [[ -z $command ]]; then', `    COMPREPLY=($(compgen -W ${quote(names.join(' '))} -- "$word"))`]),
    '  fi',
    '}',
    `complete -o filenames -F _${name} ${name}`,
    '',
  ].join('\n');
}

// --- zsh

function renderZsh(program: Command): string {
  const name = program.name();
  const commands = visibleCommands(program).filter((each) => each.name() !== 'help');
  const lines = [`#compdef ${name}`, `# zsh completions of ${name}; made by: ${name} --completions zsh`, ''];
  for (const command of commands) lines.push(`_${name}_${command.name()}() {`, ...zshArguments(command, []), '}', '');
  const own = commands.length === 0 ? [] : [quote('1:command:->command'), quote('*::argument:->argument')];
  lines.push(`_${name}() {`);
  if (commands.length > 0) lines.push('  local line state');
  lines.push(...zshArguments(program, commands.length === 0 ? [quote('1:URL:')] : own));
  if (commands.length > 0) {
    const described = commands.map((each) => `      ${quote(`${each.name()}:${each.description()}`)}`);
    lines.push('  case $state in', '    command) local commands; commands=(', ...described, '      )');
    lines.push('      _describe command commands ;;', '    argument) case $line[1] in');
    for (const command of commands) lines.push(`      ${command.name()}) _${name}_${command.name()} ;;`);
    lines.push('      esac ;;', '  esac');
  }
  // Sourced by hand, or autoloaded from a directory of $fpath.
  lines.push('}', '', `if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi`, '');
  return lines.join('\n');
}

function zshArguments(command: Command, further: readonly string[]): string[] {
  const specs = optionsOf(command).flatMap((option) => {
    const description = option.description.replace(/[[\]\\:]/g, '\\$&');
    const value = valueOf(option);
    const argument = {
      none: '',
      path: ':file:_files',
      words: `:word:(${value.kind === 'words' ? value.words.join(' ') : ''})`,
      text: ':value:',
    }[value.kind];
    return namesOf(option).map((flag) => {
      const separator = value.kind !== 'none' && flag.startsWith('--') ? '=' : '';
      return quote(`*${flag}${separator}[${description}]${argument}`);
    });
  });
  const all = [...specs, ...further];
  return ['  _arguments -s -S \\', ...all.map((spec, index) => `    ${spec}${index < all.length - 1 ? ' \\' : ''}`)];
}

// --- fish

function renderFish(program: Command): string {
  const name = program.name();
  const commands = visibleCommands(program).filter((each) => each.name() !== 'help');
  const lines = [`# fish completions of ${name}; made by: ${name} --completions fish`, `complete -c ${name} -f`];
  for (const command of commands)
    lines.push(`complete -c ${name} -n __fish_use_subcommand -a ${command.name()} -d ${quote(command.description())}`);
  for (const option of visibleOptions(program)) lines.push(fishLine(name, option));
  for (const command of commands)
    for (const option of visibleOptions(command))
      lines.push(fishLine(name, option, `-n ${quote(`__fish_seen_subcommand_from ${command.name()}`)} `));
  return [...lines, ''].join('\n');
}

function fishLine(program: string, option: Option, condition = ''): string {
  const { short, long, description } = option;
  const value = valueOf(option);
  const argument = {
    none: '',
    path: ' -r -F',
    words: ` -x -a ${quote(value.kind === 'words' ? value.words.join(' ') : '')}`,
    text: ' -x',
  }[value.kind];
  const names = [short && `-s ${short.slice(1)}`, long && `-l ${long.slice(2)}`].filter(Boolean).join(' ');
  return `complete -c ${program} ${condition}${names}${argument} -d ${quote(description)}`;
}

/** For any shell: they differ in how a quote gets into quotes, so there is none. */
function quote(text: string): string {
  return `'${text.replaceAll("'", '\u2019')}'`;
}
