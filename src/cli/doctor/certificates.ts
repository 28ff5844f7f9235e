import { counted } from '../../core/counted.js';
import { messageOf } from '../../core/errors.js';
import { loadChannelCredentials, loadServerCredentials, type TlsFiles } from '../../grpc/credentials.js';
import { authorityFiles, readAuthorities } from '../../peer/fetch/origin/authority-files.js';
import { checkCertificateFile } from '../../peer/fetch/origin/certificate-file.js';
import type { DoctorContext } from './context.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('certificates');

type Settings = DoctorContext['settings'];

/** Whom https origins are signed by, and the PEM files that the configuration names. */
export async function checkCertificates({ settings }: Pick<DoctorContext, 'settings'>): Promise<Finding[]> {
  const { grpc, parentTls, schedulerClient, schedulers } = settings;
  const ofManager = schedulers?.kind === 'manager' ? schedulers.tls : undefined;
  const findings = [
    await checkTlsFiles('upload.server', grpc.tls, loadServerCredentials),
    await checkTlsFiles('upload.client', parentTls, loadChannelCredentials),
    await checkTlsFiles('scheduler', schedulerClient.tls, loadChannelCredentials),
    await checkTlsFiles('manager', ofManager, loadChannelCredentials),
    checkOwnAuthorities(settings),
  ];
  return [...checkAuthorities(), ...findings.filter((finding) => finding !== undefined)];
}

/** As the environment of this command has it. */
function checkAuthorities(): Finding[] {
  const troubles: string[] = [];
  const { listFile, list } = readAuthorities(authorityFiles(process.env, undefined), (message) =>
    troubles.push(message),
  );
  return [
    found.ok(`https origins are checked by ${list.length} authorities of ${listFile ?? "Node's own list"}`),
    ...troubles.map((trouble) => found.warn(trouble, 'mend the file, or name another one in the environment')),
  ];
}

function checkOwnAuthorities({ originCaCert: path }: Settings): Finding | undefined {
  if (path === undefined) return undefined;
  try {
    const count = checkCertificateFile('backend.caCert', path);
    return found.ok(`backend.caCert: ${path} holds ${counted(count, 'certificate')}`);
  } catch (error) {
    return found.fail(messageOf(error), 'the daemon does not start without it; mend the file or the key');
  }
}

async function checkTlsFiles(
  section: string,
  files: TlsFiles | undefined,
  load: (files: TlsFiles) => Promise<unknown>,
): Promise<Finding | undefined> {
  if (files === undefined) return undefined;
  try {
    await load(files);
    return found.ok(`${section}: its certificates can be used`);
  } catch (error) {
    return found.fail(`${section}: ${messageOf(error)}`, 'mend the file, or the key that names it');
  }
}
