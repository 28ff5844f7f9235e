/** Query parameters that only sign a URL: dfget's default filter (docs/WIRE.md 5.5). */
export const DEFAULT_FILTERED_QUERY_PARAMS: readonly string[] = [
  ...['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature', 'Security-Token', 'User-Agent'].map(
    (name) => `X-Amz-${name}`,
  ),
  ...['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature'].map((name) => `X-Goog-${name}`),
  ...['OSSAccessKeyId', 'Expires', 'Signature', 'SecurityToken', 'AccessKeyId', 'X-Obs-Date', 'X-Obs-Security-Token'],
  ...['algorithm', 'ak', 'sign-time', 'key-time', 'header-list', 'url-param-list', 'signature'].map((name) =>
    name === 'algorithm' ? 'q-sign-algorithm' : `q-${name}`,
  ),
  'x-cos-security-token',
  'ns',
];
