import { placeOutput } from '../../../../src/peer/output/place-output.js';
import type { CopyOrder } from './start-copy.js';

const { source, path, length } = JSON.parse(process.argv[2] ?? '{}') as CopyOrder;
// Keeps the process alive while it halts.
setInterval(() => undefined, 1000);
await placeOutput({
  source,
  path,
  contentLength: length,
  range: undefined,
  overwrite: false,
  forceHardLink: false,
  allowHardLink: false,
  assertUntouched: async () => {
    process.send?.('written');
    await new Promise(() => undefined);
  },
});
