import { isIP } from 'node:net';
import { ChannelCredentials } from '@grpc/grpc-js';

type CreateConnector = ChannelCredentials['_createSecureConnector'];

/**
 * TLS to hosts that go by IP addresses, as peers and schedulers do. grpc-js sends the address as the server's name, which RFC 6066, 3,
 * forbids and Node from 26 on refuses (ERR_INVALID_ARG_VALUE). Here no name is sent; the certificate is checked against the address all the same.
 */
export class IpTargetCredentials extends ChannelCredentials {
  readonly #tls: ChannelCredentials;

  constructor(tls: ChannelCredentials) {
    super();
    this.#tls = tls;
  }

  override _isSecure(): boolean {
    return this.#tls._isSecure();
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other || (other instanceof IpTargetCredentials && this.#tls._equals(other.#tls));
  }

  override _createSecureConnector(...where: Parameters<CreateConnector>): ReturnType<CreateConnector> {
    const connector = this.#tls._createSecureConnector(...where);
    const options: unknown = 'connectionOptions' in connector ? connector.connectionOptions : undefined;
    const isNamed = typeof options === 'object' && options !== null && 'servername' in options;
    if (isNamed && typeof options.servername === 'string' && isIP(options.servername) !== 0) options.servername = '';
    return connector;
  }
}
