import { nativeSupport } from '../../../native/index.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('native');

/** koffi and the C library: without them everything works, and uploads are copied in userspace. */
export async function checkNativeCode(): Promise<Finding[]> {
  const support = nativeSupport();
  if (support.available) return [found.ok('koffi loads and finds the system calls')];
  return [
    found.warn(
      `uploads are copied in userspace: ${support.reason}`,
      'install dfpeer on Linux (x64 or arm64) with its optional dependencies, so that koffi has its binary',
    ),
  ];
}
