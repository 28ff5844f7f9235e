import { printable, printableJson } from '../../core/printable.js';
import type { Finding, Status } from './finding.js';

const LABELS: Readonly<Record<Status, string>> = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' };
const COLOURS: Readonly<Record<Status, number>> = { ok: 32, warn: 33, fail: 31 };
const INDENT = '      ';

/** A line for each finding, what to do about it below, and the sum. */
export function renderFindings(findings: readonly Finding[], { colour }: { colour: boolean }): string {
  const lines = findings.map(({ status, message, remedy }) => {
    const label = colour ? `\u001b[${COLOURS[status]}m${LABELS[status]}\u001b[0m` : LABELS[status];
    const indented = message.split('\n').map(printable).join(`\n${INDENT}`);
    return `${label}  ${indented}\n${remedy === undefined ? '' : `${INDENT}→ ${printable(remedy)}\n`}`;
  });
  return `${lines.join('')}\n${summary(findings)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (wanted: Status): number => findings.filter(({ status }) => status === wanted).length;
  const [failed, warned] = [count('fail'), count('warn')];
  if (failed + warned === 0) return 'all is well';
  return [failed > 0 ? `${failed} must be mended` : '', warned > 0 ? `${warned} worth a look` : '']
    .filter((part) => part !== '')
    .join(', ');
}

/** The schema is stable: fields are added, not changed. */
export function findingsDocument(findings: readonly Finding[], version: string): string {
  const ok = findings.every(({ status }) => status !== 'fail');
  return `${printableJson({ version, ok, findings }, 2)}\n`;
}
