import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import { hostOfUrl } from '../../../core/host-port.js';
import type { TrustedAuthorities } from './trusted-authorities.js';

/** Opens connections to origins; asks whom to trust only where it is about https. */
export function originConnector(
  options: buildConnector.BuildOptions,
  authorities: TrustedAuthorities,
): buildConnector.connector {
  const connectPlain = buildConnector(options);
  let trusting: { secureContext: SecureContext; connect: buildConnector.connector } | undefined;
  return (target, callback) => {
    if (target.protocol !== 'https:') return connectPlain(target, callback);
    const secureContext = authorities.context;
    // With another context another connector: it keeps TLS sessions, in which nobody looks at certificates again.
    if (trusting?.secureContext !== secureContext)
      trusting = { secureContext, connect: buildConnector({ ...options, secureContext }) };
    // Not the name in a Host header of the user's: the certificate is to be that of the URL's host.
    const servername = isIP(hostOfUrl(target)) === 0 ? target.hostname.replace(/\.$/, '') : '';
    return trusting.connect({ ...target, servername }, callback);
  };
}
