import { exitCodeOf } from '../cli/exit-codes.js';
import { DfpeerError, ERROR_KINDS, type ErrorCode } from '../core/errors.js';
import { code, renderTable } from './markdown.js';

interface Explanation {
  means: string;
  remedy: string;
}

/** In the order of ERROR_KINDS; a code without an explanation does not compile. */
export const EXPLANATIONS: Readonly<Record<ErrorCode, Explanation>> = {
  DFP_USAGE: { means: "A flag or a variable can't be used as given.", remedy: 'See `--help`; the message names it.' },
  DFP_CONFIG: {
    means: 'A configuration file, a file that it names, or a variable of the environment is wrong or unreadable.',
    remedy: 'Correct the lines or the variable that the message names.',
  },
  DFP_INVALID_ARGUMENT: {
    means:
      "A request has a field that can't be: a task id, header, digest or URL, or a range that is outside the content.",
    remedy: 'Correct the field that the message names.',
  },
  DFP_OUTPUT_EXISTS: {
    means: 'The output file is there already, or what is there is no regular file.',
    remedy: 'Remove it, or give `--overwrite`; for a device or a pipe redirect `-O -`.',
  },
  DFP_OUTPUT_FORBIDDEN: {
    means:
      'The daemon does not write this output: it does so for its own user and root only, where it may, and where it sees the same directory.',
    remedy: 'dfget takes the bytes through the socket by itself; with other clients use `--transfer-from-dfdaemon`.',
  },
  DFP_ORIGIN_STATUS: {
    means: 'The origin answered with an HTTP status that is no success.',
    remedy: '401 and 403: check `--header`; 404: check the URL; 429 and 5xx were tried again already: wait.',
  },
  DFP_ORIGIN_UNREACHABLE: {
    means: 'No connection to the origin, it broke, or no answer came.',
    remedy: "Check name, port, certificate and firewall with curl on the daemon's host.",
  },
  DFP_ORIGIN_RANGE: {
    means: "The origin's answer to a range is not that range.",
    remedy: 'The origin or a proxy before it is broken; ask it for the range with curl.',
  },
  DFP_ORIGIN_LENGTH: {
    means: 'The origin sent fewer or more bytes than it said.',
    remedy: 'Try again; if it stays so the origin or a proxy before it is broken.',
  },
  DFP_ORIGIN_CHANGED: {
    means:
      'The content changed during the download, more than once, or the servers behind one name have different ones.',
    remedy: 'Try again when nobody writes it, or ask for a fixed version, or one of the servers.',
  },
  DFP_ORIGIN_FORBIDDEN: {
    means: 'Not http or https, or a private address that a request from the network may not name.',
    remedy: 'List the network in `download.originAllowList` if it may be fetched from.',
  },
  DFP_ORIGIN_REDIRECTS: {
    means: 'Too many redirects, or one to no URL.',
    remedy: 'Correct the origin, or ask for the final URL.',
  },
  DFP_BACK_TO_SOURCE_DISABLED: {
    means: 'No peer has the rest, and the origin was not to be asked.',
    remedy: 'Leave out `--disable-back-to-source`, or wait until a peer has the task.',
  },
  DFP_PARENT_UNREACHABLE: {
    means: "A parent can't be connected to, or its connection broke.",
    remedy: 'Nothing if rare: others serve. Often: check that its `host.ip` and ports are reachable from here.',
  },
  DFP_PARENT_REFUSED: {
    means: 'A parent said no: busy, piece gone, or shutting down.',
    remedy: 'Nothing if rare. Often busy: raise its `upload.maxConcurrentTransfers` or its bandwidth limit.',
  },
  DFP_PARENT_PROTOCOL: {
    means: 'A parent answered with something that is no valid answer.',
    remedy: 'Check versions; a proxy between peers is a likely cause.',
  },
  DFP_SCHEDULER_UNREACHABLE: {
    means: 'No scheduler answers.',
    remedy: 'Downloads go on from the origin. Check `scheduler.addrs`, manager or dynconfig, and the firewall.',
  },
  DFP_SCHEDULER_REFUSED: {
    means: 'The scheduler refused a call or ended a stream.',
    remedy: 'Downloads go on from the origin. Its log says why; check versions and `host.schedulerClusterID`.',
  },
  DFP_MANAGER_UNREACHABLE: {
    means: 'The manager does not answer; the last list of schedulers stays in force.',
    remedy: 'Check `manager.addr` and the firewall.',
  },
  DFP_DAEMON_UNREACHABLE: {
    means: 'dfget finds no daemon at the socket, could not start one, or the daemon stopped answering.',
    remedy: 'Start dfdaemon, check `--endpoint` and the rights of the socket; the message names the log.',
  },
  DFP_DEADLINE: {
    means: 'Somebody did not answer in time; the message says who and how long.',
    remedy: 'Look at that one; for dfget as a whole raise `--timeout`.',
  },
  DFP_STALLED: {
    means: 'A transfer stood still for longer than its idle timeout.',
    remedy: 'Look at the peer or origin that the message names, and at the network between.',
  },
  DFP_LISTEN: {
    means: "A port or socket can't be listened on.",
    remedy: 'Stop the process that has it, or configure another one.',
  },
  DFP_PROGRAM_GONE: {
    means: "The daemon's own program was removed or replaced while it runs, and it can start no more threads.",
    remedy: 'Restart the daemon; one that dfget has started ends with `kill`, or by itself when idle.',
  },
  DFP_STORE_IO: {
    means: 'Reading or writing the store failed.',
    remedy: "See the kernel's log; check the disk and rights.",
  },
  DFP_STORE_FULL: {
    means: 'The file system of the store, or its quota, is full.',
    remedy: 'Free space, move `storage.dir`, or lower `gc.policy.diskThreshold` so that old tasks go earlier.',
  },
  DFP_STORE_LOCKED: {
    means: 'Another daemon uses the same store.',
    remedy: 'Stop it, or give this one another `storage.dir`.',
  },
  DFP_STORE_UNTRUSTED: {
    means: "The store's directory is a link, no directory, or belongs to somebody else.",
    remedy: 'Give another `storage.dir`, or remove what is there.',
  },
  DFP_STORE_DAMAGED: {
    means: 'Stored bytes or metadata are not what they were.',
    remedy: 'Nothing: they are quarantined and fetched again. Often: check the disk.',
  },
  DFP_OUTPUT_IO: {
    means: "The output file can't be written.",
    remedy: 'Check the directory, its rights and its free space.',
  },
  DFP_HARD_LINK: {
    means: '`--force-hard-link`, and no link is possible.',
    remedy: 'Put output and store on one file system, or leave the flag out.',
  },
  DFP_DIGEST_MISMATCH: {
    means: 'The content is not what `--digest` promised; no output was made.',
    remedy:
      'Check the digest; otherwise the origin has something else. What was stored earlier is compared with the origin first, and fetched anew when it is outdated.',
  },
  DFP_PIECE_DIGEST: {
    means: 'A parent sent a piece that is not what it announced.',
    remedy: 'Nothing: it is asked no more and reported. See `dfpeer_download_bad_pieces_total` for the host.',
  },
  DFP_TASK_NOT_FOUND: {
    means: 'The task is not stored here.',
    remedy: 'Download it first; it may have been collected.',
  },
  DFP_PIECE_NOT_FOUND: { means: 'The piece is not stored here (yet).', remedy: 'Ask another parent, or later.' },
  DFP_HOST_NOT_FOUND: { means: 'The scheduler does not know the host.', remedy: 'Nothing: it is announced again.' },
  DFP_PEER_NOT_FOUND: {
    means: 'The scheduler does not know the peer.',
    remedy: 'Nothing: a new download registers anew.',
  },
  DFP_PEER_STATE: {
    means: "A message to the scheduler that does not fit the peer's state.",
    remedy: 'Report it, with both logs.',
  },
  DFP_TASK_FAILED: {
    means: 'The download that others waited for failed here.',
    remedy: "See the first error of the task in this daemon's log.",
  },
  DFP_BLOCKED: { means: "The cluster's block list forbids the download.", remedy: 'Ask the operators of the cluster.' },
  DFP_LIMIT: {
    means: 'A bound was reached; the message says which.',
    remedy: 'Try later, or see [LIMITS](LIMITS.md).',
  },
  DFP_SHUTTING_DOWN: { means: 'The daemon is ending and takes no new work.', remedy: 'Try again when it is back.' },
  DFP_ABORTED: {
    means: 'Somebody stopped it: a signal, or a client that went away.',
    remedy: "Run it again: it goes on if the origin's `ETag` or `Last-Modified` is still the same.",
  },
  DFP_UNIMPLEMENTED: {
    means: "A call of Dragonfly's that dfpeer does not serve.",
    remedy: 'See the message for what it serves instead.',
  },
  DFP_INTERNAL: { means: 'A bug of ours.', remedy: 'Report it, with the log lines around it.' },
};

export function renderErrors(): string {
  const codes = Object.keys(ERROR_KINDS) as ErrorCode[];
  const rows = codes.map((each) => {
    const { means, remedy } = EXPLANATIONS[each];
    return [code(each), ERROR_KINDS[each], String(exitCodeOf(new DfpeerError(each, ''))), means, remedy];
  });
  return renderTable(['Code', 'Kind', 'Exit', 'Means', 'What to do'], rows);
}
