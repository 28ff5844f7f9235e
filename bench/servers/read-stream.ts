import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseRangeHeader } from '../../src/core/byte-range.js';

/** The plain Node way to serve ranges: node read-stream.js FILE [IP]; prints its port, and the body bytes it sent when it is told to end. */
const [file = '', ip = '127.0.0.1'] = process.argv.slice(2);
const size = statSync(file).size;
let sent = 0;
const server = createServer((request, response) => {
  const parsed = parseRangeHeader(request.headers.range, size);
  const { offset, length } = parsed.kind === 'range' ? parsed.range : { offset: 0, length: size };
  response.writeHead(parsed.kind === 'range' ? 206 : 200, {
    'content-length': length,
    'accept-ranges': 'bytes',
    ...(parsed.kind === 'range' ? { 'content-range': `bytes ${offset}-${offset + length - 1}/${size}` } : {}),
  });
  const body = createReadStream(file, { start: offset, end: offset + length - 1, highWaterMark: 1024 * 1024 });
  body.on('data', (chunk) => (sent += chunk.length));
  body.pipe(response);
});
server.listen(0, ip, () => console.log((server.address() as AddressInfo).port));
process.once('SIGTERM', () => process.stdout.write(`${sent}\n`, () => process.exit(0)));
