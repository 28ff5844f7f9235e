import { LOG_LEVELS } from '../core/log-level.js';
import type { Flag } from './plain-command-line.js';
import { SHELLS } from './shells.js';

const OUTPUT_FLAGS: readonly Flag[] = [
  { flags: '-O, --output <file>', help: 'where to write; - is stdout (default: the last part of the URL)' },
  { flags: '-i, --input-file <file>', help: 'download the URLs of this file, one a line; - is stdin' },
  { flags: '-j, --jobs <n>', help: 'with -i: downloads at the same time (default: 4)' },
  { flags: '--overwrite', help: 'replace the output file if it exists' },
  { flags: '--digest <digest>', help: 'sha256:HEX, sha512:HEX or crc32:NUMBER that the content must have' },
  { flags: '--force-hard-link', help: "fail rather than copy when the output can't be a hard link" },
  { flags: '--no-hard-link', help: 'for an output that is going to be edited in place: never a hard link' },
  { flags: '--transfer-from-dfdaemon', help: 'the bytes come through the socket; dfget writes the file' },
];

const REQUEST_FLAGS: readonly Flag[] = [
  { flags: '--range <range>', help: 'part of the content: 0-99, 100- or -500' },
  {
    flags: '-H, --header <"name: value">',
    help: 'header of the requests to the origin; repeatable',
    isRepeatable: true,
  },
  { flags: '-n, --netrc', help: "user and password of the origin's host from ~/.netrc" },
  { flags: '--netrc-file <file>', help: 'the same from this file' },
  { flags: '--netrc-optional', help: 'the same if there is one, and what the URL says comes first' },
  { flags: '--timeout <duration>', help: 'for the whole download (default: 2h)' },
  { flags: '--ratelimit <size>', help: 'bytes per second, such as 10MiB' },
];

const TASK_FLAGS: readonly Flag[] = [
  { flags: '-e, --endpoint <socket>', help: 'unix socket of the daemon; without it one is found or started' },
  { flags: '--tag <tag>', help: 'tells tasks with the same URL apart' },
  { flags: '--application <name>', help: 'tells tasks with the same URL apart; shown in metrics' },
  { flags: '-p, --priority <0-6>', help: 'as the scheduler understands it (default: 6)' },
  { flags: '--piece-length <size>', help: '4MiB to 64MiB (default: derived from the length)' },
  {
    flags: '--filtered-query-param <name>',
    help: 'query parameter that does not tell tasks apart; repeatable (default: those that sign URLs)',
    isRepeatable: true,
  },
  { flags: '--content-for-calculating-task-id <text>', help: 'the task id is made of this instead of the URL' },
  { flags: '--disable-back-to-source', help: 'from peers only, never from the origin' },
];

const REPORT_FLAGS: readonly Flag[] = [
  { flags: '--explain', help: 'tell afterwards where each byte came from, why, and how fast' },
  { flags: '--json', help: 'one JSON line per event on stdout (on stderr with -O -) instead of text' },
  { flags: '--no-progress', help: 'show no progress' },
  { flags: '-l, --log-level <level>', help: `of a daemon that dfget starts: ${LOG_LEVELS.join(', ')}` },
  { flags: '--console', help: "as Dragonfly's has it; says where the daemon's log is" },
  { flags: '--completions <shell>', help: `print completions for ${SHELLS.join(', ')}` },
];

/** Flags with the names of Dragonfly's dfget; each is also the variable DFGET_ and its name. In the order of --help. */
export const DFGET_FLAGS: readonly Flag[] = [...OUTPUT_FLAGS, ...REQUEST_FLAGS, ...TASK_FLAGS, ...REPORT_FLAGS];
