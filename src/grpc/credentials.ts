import { readFile } from 'node:fs/promises';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { DfpeerError, messageOf } from '../core/errors.js';
import { IpTargetCredentials } from './ip-target-credentials.js';

/** PEM files, by the names of dfdaemon.yaml. */
export interface TlsFiles {
  /** Authorities that sign the other side's certificate. */
  caCert?: string | undefined;
  /** Our own certificate chain and its key: both or neither. */
  cert?: string | undefined;
  key?: string | undefined;
}

/**
 * Plain text without files, TLS with any of them: by `caCert` or else Node's own authorities, and mutual with `cert` and `key`.
 * @throws DfpeerError (DFP_CONFIG) for a file that can't be read, is not PEM, or lacks its counterpart
 */
export async function loadChannelCredentials(files: TlsFiles | undefined): Promise<ChannelCredentials> {
  const { caCert, cert, key } = await readTlsFiles(files);
  if (caCert === undefined && cert === undefined) return ChannelCredentials.createInsecure();
  return guard(() => new IpTargetCredentials(ChannelCredentials.createSsl(caCert ?? null, key ?? null, cert ?? null)));
}

/**
 * Plain text without `files.cert`, TLS with it; with `caCert` too, clients must present a certificate signed by it.
 * @throws DfpeerError (DFP_CONFIG) as {@link loadChannelCredentials}
 */
export async function loadServerCredentials(files: TlsFiles | undefined): Promise<ServerCredentials> {
  const { caCert, cert, key } = await readTlsFiles(files);
  if (cert === undefined || key === undefined) {
    if (caCert === undefined) return ServerCredentials.createInsecure();
    throw new DfpeerError('DFP_CONFIG', 'a server with caCert needs cert and key as well');
  }
  return guard(() =>
    ServerCredentials.createSsl(caCert ?? null, [{ cert_chain: cert, private_key: key }], caCert !== undefined),
  );
}

async function readTlsFiles(files: TlsFiles = {}): Promise<Partial<Record<keyof TlsFiles, Buffer>>> {
  if ((files.cert === undefined) !== (files.key === undefined))
    throw new DfpeerError('DFP_CONFIG', 'TLS needs cert and key together; one of them is missing');
  const loaded: Partial<Record<keyof TlsFiles, Buffer>> = {};
  for (const name of ['caCert', 'cert', 'key'] as const) {
    const path = files[name];
    if (path !== undefined) loaded[name] = await readPem(name, path);
  }
  return loaded;
}

async function readPem(name: string, path: string): Promise<Buffer> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (cause) {
    throw new DfpeerError('DFP_CONFIG', `can't read ${name} ${path}: ${messageOf(cause)}`, { cause });
  }
  if (!content.includes('-----BEGIN ')) throw new DfpeerError('DFP_CONFIG', `${name} ${path} is not a PEM file`);
  return content;
}

function guard<T>(create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw new DfpeerError('DFP_CONFIG', `the TLS files don't fit together: ${messageOf(cause)}`, { cause });
  }
}
