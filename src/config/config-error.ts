import { DfpeerError } from '../core/errors.js';

/** One thing wrong with a configuration file. Lines and columns start at 1. */
export interface ConfigIssue {
  file: string;
  line: number;
  column: number;
  /** Dotted path of the key, empty for the file as a whole. */
  key: string;
  /** What was expected, and what was found. */
  message: string;
}

/** More than these are summed up: a file of the wrong kind has thousands. */
export const MAX_REPORTED_ISSUES = 20;

/** DFP_CONFIG: everything wrong with one file, a line each: `file:line:column: key: expected …, found …`. */
export class ConfigError extends DfpeerError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], options?: ErrorOptions) {
    const inOrder = issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const shown = inOrder.slice(0, MAX_REPORTED_ISSUES).map(formatIssue);
    const hidden = issues.length - shown.length;
    super('DFP_CONFIG', [...shown, ...(hidden > 0 ? [`… and ${hidden} more`] : [])].join('\n'), options);
    this.issues = inOrder;
  }
}

function formatIssue({ file, line, column, key, message }: ConfigIssue): string {
  return `${file}:${line}:${column}: ${key === '' ? '' : `${key}: `}${message}`;
}
