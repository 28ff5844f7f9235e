import { codeOf, messageOf } from '../../../core/errors.js';

/** What codes of Node's mean to whoever asked for a URL, and what to do; see Node's and OpenSSL's lists of errors. */
const MEANINGS: readonly [codes: readonly string[], meaning: string][] = [
  [['ENOTFOUND'], "no host has this name; check the URL, and DNS on the daemon's host"],
  [['EAI_AGAIN'], "names can't be resolved at the moment; check DNS on the daemon's host"],
  [['ECONNREFUSED'], 'nobody listens there; check host and port'],
  [['EHOSTUNREACH', 'ENETUNREACH'], "there is no route to it; check the network of the daemon's host"],
  [['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'], 'it does not answer; check host, port and firewalls'],
  [['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'], 'it does not speak TLS; is it http://?'],
  [
    ['CERT_HAS_EXPIRED'],
    "its certificate has expired; whoever runs it must renew it, or the clock of the daemon's host is wrong",
  ],
  [['CERT_NOT_YET_VALID'], "its certificate is not valid yet; check the clock of the daemon's host"],
  [['ERR_TLS_CERT_ALTNAME_INVALID'], 'its certificate is for another name; ask for it by one that the certificate has'],
  [
    [
      ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
    ],
    "nobody whom the daemon's host trusts has signed its certificate; install the authority in that system's store (update-ca-certificates), or name its file in backend.caCert of dfdaemon.yaml",
  ],
];

/** Why there is no connection, for people, on one line; the system's own words come last. */
export function describeConnectionTrouble(error: unknown): string {
  const cause = firstCause(error);
  const own = messageOf(cause).trim().replace(/\s+/g, ' ');
  const code = codeOf(cause) ?? '';
  // OpenSSL's text: thread, error, number, library, function, reason, place.
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(own)?.[1] ?? own;
  const meaning = MEANINGS.find(([codes]) => codes.includes(code))?.[1];
  if (meaning === undefined) return reason === '' ? code : reason;
  return reason === '' ? `${meaning} (${code})` : `${meaning} (${reason})`;
}

/** A host with several addresses fails with one error for each. */
function firstCause(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as unknown) : error;
}
